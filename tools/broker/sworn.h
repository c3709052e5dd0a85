/* SPDX-License-Identifier: MIT */
/* sworn.h: a program's socket as an end whose own end counts only if somebody has vouched for it (book.h).
 *
 * The kernel's closing of a socket looks the same whether its program was done or was killed.  So where somebody is to vouch, the end that
 * is read is held back until he has said END, and where he says RESET it is an error, behind all that was sent.
 *
 * The other way it has no more than two words, either: an end of file, and ECONNRESET if something that its program has sent is unread when it
 * is closed.  So the newline of the program's line stays in it until something comes behind it, and of what is thrown away one byte:
 * closed with reset, or by our own death, it is ECONNRESET then, as with xvsd (backend/ends/unix/bridge.h). */
#ifndef XVS_SWORN_H
#define XVS_SWORN_H

#include <stdbool.h>

#include "edges.h"
#include "end.h"

/* Takes fd.  calls: the program has said beforehand that somebody will vouch.  line_waits: the newline of its line is in the socket still, and
 * edges are where that is waited for.  NULL, and fd is not taken: no memory. */
struct end *sworn_socket(struct loop *l, int fd, bool calls, struct edges *edges, bool line_waits);
/* Takes that newline out of a socket: closed, it is an end of file then. */
void sworn_take_newline(int fd);
/* Bytes that had come were thrown away, since the other end takes no more (stop). */
bool sworn_has_dropped(struct end *e);
void sworn_vouched(struct end *e);
void sworn_said_end(struct end *e);
void sworn_said_reset(struct end *e);
/* What reading gives then, and what it gives when a program that was to vouch has gone. */
#define SWORN_RESET ECANCELED
#define SWORN_GONE  ECONNABORTED

#endif
