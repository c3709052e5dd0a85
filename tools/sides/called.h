/* SPDX-License-Identifier: MIT */
/* called.h: being called in dom0: listening in a guest's directory, or for all guests in that of all (side.h); or in a guest, in the directory
 * of its agent. */
#ifndef XVS_CALLED_H
#define XVS_CALLED_H

#include "side.h"

#define CALLED_ANY "any"        /* listening.peer for all guests.  A guest of this name goes by its domid or its CID here */

int  called_listen(struct listening *l);
/* In the directory of the agent of this guest.  Takes dirfd; of: whose it is, for messages. */
int  called_begin(struct listening *l, int dirfd, const char *of);
int  called_accept(struct listening *l, struct end **end, struct caller *caller);
void called_unlisten(struct listening *l);

#endif
