/* SPDX-License-Identifier: MIT */
/* receive.c: the program reads what has arrived (unread.h). */
#include <errno.h>
#include <string.h>

#include "packets.h"
#include "receive.h"
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

/* The first len bytes, or what there is of them; how many. */
static inline size_t copy(const struct xvs_stream *s, uint8_t *to, size_t len)
{
    size_t done = 0;

    for (struct segment *seg = s->first; seg && done < len; seg = seg->next) {
        size_t n = seg->len < len - done ? seg->len : len - done;

        memcpy(to + done, seg->data, n);
        done += n;
    }
    return done;
}

/* One message: what does not fit is dropped with it. */
__attribute__((noinline))       /* out of the way of streams */
static ssize_t receive_message(struct xvs_stream *s, void *buffer, size_t len, unsigned flags)
{
    uint32_t ends, whole;

    if (!s->messages)
        return nothing_to_read(s);
    whole = unread_message(s, &ends);
    len = copy(s, buffer, len < whole ? len : whole);
    if (!(flags & XVS_PEEK))
        xvs_done(s, whole);
    return (ssize_t)(flags & XVS_TRUNC ? whole : len);
}

ssize_t xvs_recv(struct xvs_stream *s, void *buffer, size_t len, unsigned flags)
{
    size_t done;

    if (has_messages(s))
        return receive_message(s, buffer, len, flags);
    if (!s->unread)
        return nothing_to_read(s);
    done = copy(s, buffer, len);
    if (!(flags & XVS_PEEK))
        xvs_done(s, done);
    return (ssize_t)done;
}

int xvs_peek(struct xvs_stream *s, struct iovec *iov, int max)
{
    uint32_t left = s->unread, ends;
    int n = 0;

    if (max <= 0)
        return -EINVAL;
    if (!is_readable(s))
        return nothing_to_read(s);
    if (has_messages(s))
        left = unread_message(s, &ends);
    for (struct segment *seg = s->first; left; seg = seg->next) {
        void *data = (void *)(uintptr_t)seg->data;
        uint32_t len = seg->len < left ? seg->len : left;

        if (n && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == data) {
            iov[n - 1].iov_len += len;
        } else {
            if (n == max)
                break;
            iov[n].iov_base = data;
            iov[n++].iov_len = len;
        }
        left -= len;
    }
    return n;
}

static inline void consume(struct xvs_stream *s, uint32_t len)
{
    struct trunk *t = s->trunk;
    uint32_t left = len, taken = left;
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

void receive_drop(struct xvs_stream *s)
{
    s->messages = 0;
    consume(s, s->unread);
}

__attribute__((noinline))       /* likewise */
static void done_message(struct xvs_stream *s, size_t len)
{
    uint32_t ends, whole;

    if (!s->messages || !len)
        return;
    whole = unread_message(s, &ends);
    s->had_eor = ends & VSOCKIF_SEQ_EOR;
    s->messages--;
    consume(s, whole);
    if (!s->messages && (s->eof || s->v.c.state == VCONN_CLOSED))
        unread_drop(s->trunk, s);           /* a part of one whose end will not come */
}

void xvs_done(struct xvs_stream *s, size_t len)
{
    if (has_messages(s))
        done_message(s, len);
    else
        consume(s, len < s->unread ? (uint32_t)len : s->unread);
}

bool xvs_message_had_eor(const struct xvs_stream *s)
{
    return s->had_eor;
}

size_t xvs_stream_readable(const struct xvs_stream *s)
{
    uint32_t ends;

    if (has_messages(s))
        return s->messages ? unread_message(s, &ends) : 0;
    return s->unread;
}
