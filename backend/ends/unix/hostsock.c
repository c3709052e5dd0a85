/* SPDX-License-Identifier: MIT */
/* hostsock.c: see hostsock.h. */
#include "hostsock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PIECE (256u << 10)      /* bytes that are dropped at once */

uint32_t hostsock_holds(int fd)
{
    int bytes = 0;

    /* The kernel counts one for each of what it is just letting go of. */
    return ioctl(fd, SIOCOUTQ, &bytes) || bytes < 256 ? 0 : (uint32_t)bytes;
}

uint32_t hostsock_unsent(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCINQ, &bytes) || bytes < 0 ? 0 : (uint32_t)bytes;
}

bool hostsock_drop_queue(int fd, bool keep)
{
    static uint8_t dropped[PIECE];
    size_t most = sizeof dropped;
    ssize_t n;

    if (keep) {
        uint32_t queued = hostsock_unsent(fd);

        if (queued <= 1)
            return false;
        most = queued - 1 < most ? queued - 1 : most;
    }
    n = recv(fd, dropped, most, MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EINTR);
}

ssize_t hostsock_message(int fd)
{
    return recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
}

void hostsock_take_message(int fd)
{
    (void)!recv(fd, NULL, 0, MSG_DONTWAIT);
}

bool hostsock_has_messages(int fd)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET;
}

bool hostsock_take_line(int fd)
{
    char newline;

    return recv(fd, &newline, 1, MSG_DONTWAIT) == 1;
}
