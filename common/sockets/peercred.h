/* SPDX-License-Identifier: MIT */
/* peercred.h: who is at the other end of a UNIX socket, as the kernel saw him when he connected, or began to listen. */
#ifndef XVS_PEERCRED_H
#define XVS_PEERCRED_H

#include <stdbool.h>
#include <sys/socket.h>

/* False with errno if that is not known; *who is what it was then. */
static inline bool peercred_of(int fd, struct ucred *who)
{
    socklen_t len = sizeof *who;

    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len);
}

#endif
