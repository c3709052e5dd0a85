/* SPDX-License-Identifier: MIT */
/* sworn.h: a program's socket as an end whose own end counts only if somebody has vouched for it (book.h).
 *
 * The kernel's closing of a socket looks the same whether its program was done or was killed.  So where somebody is to vouch, the end that
 * is read is held back until he has said END, and where he says RESET it is an error, behind all that was sent. */
#ifndef XVS_SWORN_H
#define XVS_SWORN_H

#include <stdbool.h>

#include "end.h"

/* Takes fd.  calls: the program has said beforehand that somebody will vouch.  NULL, and fd is not taken: no memory. */
struct end *sworn_socket(struct loop *l, int fd, bool calls);
void sworn_vouched(struct end *e);
void sworn_said_end(struct end *e);
void sworn_said_reset(struct end *e);
/* What reading gives then, and what it gives when a program that was to vouch has gone. */
#define SWORN_RESET ECANCELED
#define SWORN_GONE  ECONNABORTED

#endif
