/* SPDX-License-Identifier: MIT */
/* channel.h: the stream, as one who copies sees it: straight-line code, which waits within its calls.
 *
 * In the agent's services it is two descriptors (channel_fds).  In the command it is an end of a conversation (end.h) with a
 * loop that runs while it waits, so that signals and progress go on, and so that what comes can be taken while what goes does not move. */
#ifndef XVS_CHANNEL_H
#define XVS_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

struct channel {
    /* Some bytes; 0 at the end; -EAGAIN: none now, only where there is a wait; or a negative errno. */
    ssize_t (*read)(struct channel *c, void *bytes, size_t len);
    /* Bytes taken, perhaps fewer; -EAGAIN likewise; or a negative errno. */
    ssize_t (*write)(struct channel *c, const struct iovec *iov, int count);
    /* Until reading may get further, or with 'writes' either of them.  0 or a negative errno: -EINTR if a signal wants all to end. */
    int (*wait)(struct channel *c, bool writes);
};

struct channel_fds {
    struct channel channel;
    int in, out;
};

/* They may block, or not. */
void channel_fds(struct channel_fds *c, int in, int out);

#endif
