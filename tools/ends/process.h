/* SPDX-License-Identifier: MIT */
/* process.h: a process of ours as an end: what it reads and writes, and whether it did what it was to do.
 *
 * The end of its output is passed on when it has closed it and goes on for a tenth of a second; if it ends then, with how it ended.  It has done well if
 * its status is 0 and everything that came for it was read, by itself or by a child that it left: so a command that fails, or
 * that stops reading, is no orderly end of a conversation. */
#ifndef XVS_PROCESS_H
#define XVS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "end.h"
#include "records.h"

/* Takes fd, our end of the socket pair that is the process's standard input and output.  With a form it is an end that has messages, as it
 * is without one if the pair has packets.  NULL: no memory.  It takes fd in any case. */
struct end *process_end(struct loop *l, int fd, const struct records_form *form);
/* Who is at the other end of it. */
void process_started(struct end *e, pid_t pid);
/* It was reaped, with this status of waitpid(). */
void process_ended(struct end *e, int status);

#endif
