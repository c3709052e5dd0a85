/* SPDX-License-Identifier: MIT */
/* plumbing.h: where a command's three streams begin and end: pipes, a terminal, or nothing. */
#ifndef XVS_PLUMBING_H
#define XVS_PLUMBING_H

#include "start.h"

/* [0] reads, [1] writes; -1: there is none.  Of 'in' we write, of the others we read, and our ends do not block; the command's are in[0],
 * out[1] and err[1].  report: for whoever begins it to say whether it has become the command.  All are closed on exec. */
struct plumbing {
    int in[2], out[2], err[2], report[2];
};

/* As START wants it.  0 or a negative errno; either way plumbing_drop() is due. */
int  plumb(const struct start *start, struct plumbing *p);
/* Closes whatever was not taken (and set to -1). */
void plumbing_drop(struct plumbing *p);
/* How many bytes at most lie between the two ends. */
size_t plumbing_capacity(int fd);

#endif
