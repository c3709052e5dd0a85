/* SPDX-License-Identifier: MIT */
/* bridge_socket.c: the socket of a bridge, and what the kernel tells of it.  It is registered once, edge-triggered: 'readable' and
 * 'writable' stay true until a call says EAGAIN or moves less than it was asked to. */
#include "bridge_inside.h"

#include <errno.h>
#include <sys/socket.h>

static void on_socket(struct source *source, uint32_t events)
{
    struct bridge *b = container_of(source, struct bridge, socket);

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        b->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        b->writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        b->ending = true;
    if (events & (EPOLLHUP | EPOLLERR))
        b->hung_up = true;
    if (events & EPOLLERR)
        b->failed = true;
    stream_wake(&b->s);
}

int bridge_take_socket(struct bridge *b, int fd)
{
    int size = HELD_SNDBUF;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size))
        return -errno;
    return source_add(poller_of(b), &b->socket, fd, BRIDGE_EVENTS, on_socket);
}
