/* SPDX-License-Identifier: MIT */
/* channel.c: see channel.h. */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "list.h"

static ssize_t fds_read(struct channel *c, void *bytes, size_t len)
{
    const struct channel_fds *f = container_of(c, struct channel_fds, channel);
    ssize_t n;

    do
        n = read(f->in, bytes, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t fds_write(struct channel *c, const struct iovec *iov, int count)
{
    const struct channel_fds *f = container_of(c, struct channel_fds, channel);
    ssize_t n;

    do
        n = writev(f->out, iov, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int fds_wait(struct channel *c, bool writes)
{
    const struct channel_fds *f = container_of(c, struct channel_fds, channel);
    struct pollfd polls[] = { { .fd = f->in, .events = POLLIN }, { .fd = writes ? f->out : -1, .events = POLLOUT } };

    return poll(polls, 2, -1) < 0 && errno != EINTR ? -errno : 0;
}

void channel_fds(struct channel_fds *c, int in, int out)
{
    *c = (struct channel_fds){ .channel = { fds_read, fds_write, fds_wait }, .in = in, .out = out };
}
