/* SPDX-License-Identifier: MIT */
/* door.h: our listening socket vsock_<port> in a directory of the daemon's.
 *
 * It gets its name when it already listens (bound under another name, then renamed), so one that refuses is a left-over for
 * certain; a lock on the directory keeps two of us from removing each other's.  Others may be allowed to listen in the directory, and may be
 * hostile: what stands at the name is looked at before it is used, and the lock is not waited for for ever. */
#ifndef XVS_DOOR_H
#define XVS_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct door {
    int fd, dirfd;              /* the socket, non-blocking; the directory */
    int news;                   /* readable when something in the directory has gone; -1 if that cannot be had */
    char name[24];              /* vsock_<port> */
    ino_t inode;                /* of our socket: we remove no other */
};

/* Takes dirfd, in any case.  sticky: somebody will vouch for each stream (vouch.h).  0 or a negative errno: -EADDRINUSE, -EEXIST (what
 * stands there is no socket), -ETIMEDOUT (the lock), … */
int  door_open(struct door *door, int dirfd, uint32_t port, bool sticky, bool messages);
/* After news: whether the socket has its name still. */
bool door_is_there(struct door *door);
/* Removes the name if it is ours. */
void door_close(struct door *door);

#endif
