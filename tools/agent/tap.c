/* SPDX-License-Identifier: MIT */
/* tap.c: see tap.h. */
#include "tap.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static void ready(struct watch *w)
{
    struct tap *t = container_of(w, struct tap, watch);

    t->wake(t->arg);
}

void tap_open(struct tap *t, struct loop *l, int fd, void (*wake)(void *arg), void *arg)
{
    *t = (struct tap){ .loop = l, .fd = fd, .wake = wake, .arg = arg };
    watch_add(l, &t->watch, fd, ready);
}

void tap_close(struct tap *t)
{
    if (t->fd < 0)
        return;
    watch_drop(t->loop, &t->watch);
    close(t->fd);
    t->fd = -1;
}

ssize_t tap_read(struct tap *t, void *buffer, size_t len)
{
    ssize_t n;

    do
        n = read(t->fd, buffer, len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        t->watch.want |= POLLIN;
    return n >= 0 ? n : errno == EIO ? 0 : -errno;
}

ssize_t tap_write(struct tap *t, const void *bytes, size_t len)
{
    ssize_t n;

    do
        n = write(t->fd, bytes, len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        t->watch.want |= POLLOUT;
    return n < 0 ? -errno : n;
}
