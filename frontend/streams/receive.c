/* SPDX-License-Identifier: MIT */
/* receive.c: the program reads what has arrived (unread.h). */
#include <errno.h>
#include <string.h>

#include "packets.h"
#include "tell.h"
#include "unread.h"

/* What a reader without data is told. */
static int nothing_to_read(struct xvs_stream *s)
{
    if ((s->v.c.shut_here & VSOCKIF_SHUTDOWN_RCV) || s->eof)
        return 0;
    if (s->v.c.state == VCONN_CLOSED)
        return -s->v.c.error;
    return s->v.c.state == VCONN_CONNECTING ? -ENOTCONN : -EAGAIN;
}

ssize_t xvs_recv(struct xvs_stream *s, void *buffer, size_t len, unsigned flags)
{
    uint8_t *to = buffer;
    size_t done = 0;

    if (!s->unread)
        return nothing_to_read(s);
    for (struct segment *seg = s->first; seg && done < len; seg = seg->next) {
        size_t n = seg->len < len - done ? seg->len : len - done;

        memcpy(to + done, seg->data, n);
        done += n;
    }
    if (!(flags & XVS_PEEK))
        xvs_done(s, done);
    return (ssize_t)done;
}

int xvs_peek(struct xvs_stream *s, struct iovec *iov, int max)
{
    int n = 0;

    if (max <= 0)
        return -EINVAL;
    if (!s->unread)
        return nothing_to_read(s);
    for (struct segment *seg = s->first; seg; seg = seg->next) {
        void *data = (void *)(uintptr_t)seg->data;

        if (n && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == data) {
            iov[n - 1].iov_len += seg->len;
        } else {
            if (n == max)
                break;
            iov[n].iov_base = data;
            iov[n++].iov_len = seg->len;
        }
    }
    return n;
}

void xvs_done(struct xvs_stream *s, size_t len)
{
    struct trunk *t = s->trunk;
    uint32_t left = len < s->unread ? (uint32_t)len : s->unread, taken = left;
    enum vconn_state before = s->v.c.state;

    s->unread -= left;
    while (s->first && left >= s->first->len) {
        left -= s->first->len;
        unread_release_first(t, s);
    }
    if (left) {
        s->first->data += left;
        s->first->len -= left;
    }
    vmux_consumed(t->mux, &s->v, taken);
    tell_end(s, before);
    /* The backend gets its buffers back in batches: when this reader has nothing left, or when a quarter of
     * all are waiting to be shown to it; and credit when it is due, for the reader may poll() before it reads on. */
    if (t->up && (!s->unread || s->v.c.owed || t->link.rx.out - t->link.rx.published > t->link.buffers / 4))
        packets_flush(t);
}

size_t xvs_stream_readable(const struct xvs_stream *s)
{
    return s->unread;
}
