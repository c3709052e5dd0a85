/* SPDX-License-Identifier: MIT */
/* receive.c: bytes that have arrived and are not read yet, a queue of segments for each stream.
 *
 * A segment is a posted buffer, read in place, for as long as less than half of the device's buffers are
 * held that way; beyond, and for small packets behind a heap segment with room, bytes are copied to the heap and the buffer is posted
 * again at once.  So a stream whose reader sleeps never makes another stream wait, and the heap holds at
 * most what credit promised (vsockif.h, section 8: "a promise"). */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEAP_SEGMENT 4096u      /* bytes at least, so that a million 1-byte packets do not cost a million headers */

static void append(struct xvs_stream *s, struct segment *seg)
{
    seg->next = NULL;
    if (s->last)
        s->last->next = seg;
    else
        s->first = seg;
    s->last = seg;
}

static struct segment *heap_segment(struct xvs *x, uint32_t len)
{
    uint32_t size = len > HEAP_SEGMENT ? len : HEAP_SEGMENT;
    struct segment *seg = malloc(sizeof *seg + size);

    if (seg) {
        seg->data = (uint8_t *)(seg + 1);
        seg->len = 0;
        seg->room = size;
        seg->id = SEGMENT_HEAP;
        x->heap_bytes += sizeof *seg + size;
    }
    return seg;
}

static void heap_append(struct segment *seg, const uint8_t *data, uint32_t len)
{
    uint8_t *end = (uint8_t *)(uintptr_t)seg->data + seg->len;

    memcpy(end, data, len);
    seg->len += len;
    seg->room -= len;
}

static bool copy(struct xvs *x, struct xvs_stream *s, const uint8_t *data, uint32_t len)
{
    struct segment *seg = s->last;

    if (!seg || seg->room < len) {
        if (!(seg = heap_segment(x, len)))
            return false;
        append(s, seg);
    }
    heap_append(seg, data, len);
    s->unread += len;
    return true;
}

void receive_copy(struct xvs *x, struct xvs_stream *s, const uint8_t *data, uint32_t len)
{
    if (!copy(x, s, data, len))
        stream_fail(x, s, ENOMEM);
}

void receive_packet(struct xvs *x, struct xvs_stream *s, const struct link_packet *packet)
{
    bool lost = false;          /* a byte: nothing behind it may be read */

    for (uint32_t i = 0; i < packet->count; i++) {
        const struct link_piece *piece = &packet->piece[i];
        bool fits_behind = s->last && s->last->room >= piece->len;

        if (lost || fits_behind || link_front_held(&x->link) > x->link.buffers / 2) {
            lost = lost || !copy(x, s, piece->data, piece->len);
            link_front_return(&x->link, piece->id);
        } else {
            struct segment *seg = &x->segments[piece->id];

            *seg = (struct segment){ .data = piece->data, .len = piece->len, .id = piece->id };
            append(s, seg);
            s->unread += piece->len;
        }
    }
    if (lost)
        stream_fail(x, s, ENOMEM);
}

static void heap_free(struct xvs *x, struct segment *seg)
{
    const uint8_t *end = seg->data + seg->len + seg->room;

    x->heap_bytes -= (uint64_t)(end - (const uint8_t *)seg);
    free(seg);
}

/* Takes the first segment out of the queue and gives its memory back. */
static void release_first(struct xvs *x, struct xvs_stream *s)
{
    struct segment *seg = s->first;

    if (!(s->first = seg->next))
        s->last = NULL;
    if (seg->id == SEGMENT_HEAP)
        heap_free(x, seg);
    else if (x->up)
        link_front_return(&x->link, seg->id);
}

void receive_drop(struct xvs *x, struct xvs_stream *s)
{
    while (s->first)
        release_first(x, s);
    s->unread = 0;
}

void receive_evacuate(struct xvs *x, struct xvs_stream *s)
{
    struct segment *seg = s->first;
    bool lost = false;

    s->first = s->last = NULL;
    s->unread = 0;
    while (seg) {
        struct segment *next = seg->next;

        if (seg->id != SEGMENT_HEAP) {
            lost = lost || !copy(x, s, seg->data, seg->len);
        } else if (lost) {
            heap_free(x, seg);
        } else {
            append(s, seg);
            s->unread += seg->len;
        }
        seg = next;
    }
    if (lost)
        stream_fail(x, s, ENOMEM);
}

/* ---- the public calls ---- */

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
    struct xvs *x = s->x;
    uint32_t left = len < s->unread ? (uint32_t)len : s->unread, taken = left;
    enum vconn_state before = s->v.c.state;

    s->unread -= left;
    while (s->first && left >= s->first->len) {
        left -= s->first->len;
        release_first(x, s);
    }
    if (left) {
        s->first->data += left;
        s->first->len -= left;
    }
    vmux_consumed(x->mux, &s->v, taken);
    stream_tell_end(s, before);
    /* The backend gets its buffers back in batches: when this reader has nothing left, or when a quarter of
     * all are waiting to be shown to it; and credit when it is due, for the reader may poll() before it reads on. */
    if (x->up && (!s->unread || s->v.c.owed || x->link.rx.out - x->link.rx.published > x->link.buffers / 4))
        pump_flush(x);
}

size_t xvs_stream_readable(const struct xvs_stream *s)
{
    return s->unread;
}
