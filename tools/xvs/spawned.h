/* SPDX-License-Identifier: MIT */
/* spawned.h: a program of this machine, run to its end while the loop goes on. */
#ifndef XVS_SPAWNED_H
#define XVS_SPAWNED_H

#include <stddef.h>
#include <sys/types.h>

#include "loop.h"

/* Found by PATH, without input.  Its output and errors go into text, which has room for size bytes and ends with a 0; what is longer is cut.
 * What waitpid() says, or a negative errno: it cannot be run; -EINTR after a signal, and it has got SIGTERM. */
int spawned_output(struct loop *l, char *const argv[], char *text, size_t size);

#endif
