/* SPDX-License-Identifier: MIT */
/* inuse.c: see inuse.h.  A connection of the wrong type says so, and nobody hears it knock. */
#include "inuse.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool socket_is_in_use(int name_fd)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead;

    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d", name_fd);
    dead = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return !dead;
}
