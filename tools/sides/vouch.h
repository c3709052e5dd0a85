/* SPDX-License-Identifier: MIT */
/* vouch.h: a socket of the daemon's as an end of which is known how its stream ends (xvsd(8), "HOW A STREAM ENDED").
 *
 * Beside the socket it has a connection to the guest's own socket that vouches for the stream, as the daemon was told before there was a
 * stream (CALL, or the sticky bit of a listener).  The end of what we send is told there as well, and closing it before settle has said how it ended (or being
 * killed) resets the stream, whatever close is told.  A daemon that does not know the word, because it is older than we are, closes that connection: then the bytes
 * move all the same, but settle never says that all has arrived. */
#ifndef XVS_VOUCH_H
#define XVS_VOUCH_H

#include <stdbool.h>
#include <stdint.h>

#include "end.h"

/* Takes fd, the stream's socket, and dirfd, the guest's directory.  number: the stream's, 0 if it is not known.
 * NULL, and neither is taken: no memory. */
struct end *vouched_socket(struct loop *l, int fd, int dirfd, uint32_t number);

/* What a socket says that connects to us for a guest. */
struct vouch_name {
    char guest[80];             /* the name of its directory */
    uint64_t cid;               /* of the guest's program */
    uint32_t port;              /* …likewise */
    uint32_t number;
};
/* False if its other end has no such name. */
bool vouch_name(int fd, struct vouch_name *name);

#endif
