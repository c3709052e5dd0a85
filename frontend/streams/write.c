/* SPDX-License-Identifier: MIT */
/* write.c: a program's bytes or its message, whichever the stream has. */
#include <stdint.h>
#include <string.h>

#include "whole.h"
#include "send.h"

static inline ssize_t by_type(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    return has_messages(s) ? whole_send(s, iov, count, flags) : send_bytes(s, iov, count, flags);
}

ssize_t xvs_sendv(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    return by_type(s, iov, count, flags);
}

ssize_t xvs_send(struct xvs_stream *s, const void *data, size_t len, unsigned flags)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };

    /* What most small writes come to: one more piece of something for which room and credit were found before. */
    if ((flags & XVS_MORE) && len < s->piece_good && s->piece_len < s->piece_good - len) {
        memcpy(s->piece + s->piece_len, data, len);
        s->piece_len += (uint32_t)len;
        return (ssize_t)len;
    }
    return by_type(s, &iov, 1, flags);
}
