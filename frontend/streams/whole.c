/* SPDX-License-Identifier: MIT */
/* whole.c: see whole.h.  A message is sent when there is credit, memory and slots for all of it, so no part of one ever waits
 * for the rest, nor for its program.  Nothing is gathered: messages that go together share a notification (XVS_MORE), not a packet. */
#include "whole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "send.h"

#define PIECES 64               /* of a message at most: in a pool in pieces, it waits for larger ones */

size_t xvs_message_max(const struct xvs_stream *s)
{
    uint32_t most = vconn_message_most(&s->v.c), pool = s->trunk->link.mem.tx_bytes;

    if (s->v.c.state == VCONN_CONNECTING)
        return 0;               /* the other end has not said how large its buffer is */
    return is_local(s) || most < pool ? most : pool;
}

/* Where a message is read from. */
struct source_bytes {
    const struct iovec *iov;
    size_t at;
};

static void take(struct source_bytes *from, uint8_t *to, size_t len)
{
    while (len) {
        size_t n = from->iov->iov_len - from->at;

        n = n < len ? n : len;
        memcpy(to, (const uint8_t *)from->iov->iov_base + from->at, n);
        to += n;
        len -= n;
        if ((from->at += n) == from->iov->iov_len) {
            from->iov++;
            from->at = 0;
        }
    }
}

static void head(struct trunk *t, struct xvs_stream *s, uint32_t len, bool is_last, unsigned flags, struct vsockif_hdr *hdr)
{
    vmux_send(t->mux, &s->v, len, hdr);
    if (is_last)
        vconn_end_message(&s->v.c, hdr, flags & XVS_EOR);
}

static int send_within(struct trunk *t, struct xvs_stream *s, struct source_bytes *from, uint32_t left, unsigned flags)
{
    uint8_t *piece = malloc(left < VSOCKIF_MAX_PACKET ? left : VSOCKIF_MAX_PACKET);

    if (!piece)
        return -ENOMEM;
    while (left && !send_refusal(s)) {      /* the other end may be ended for want of memory */
        uint32_t len = left < VSOCKIF_MAX_PACKET ? left : VSOCKIF_MAX_PACKET;
        struct vsockif_hdr hdr;

        take(from, piece, len);
        left -= len;
        head(t, s, len, !left, flags, &hdr);
        send_local(t, &hdr, piece);
    }
    free(piece);
    return 0;
}

struct place {
    uint32_t off, bytes;
};

/* Slots for packets with data that no gathering stream will need. */
static uint32_t free_slots(const struct trunk *t)
{
    uint32_t ids = t->link.free_ids, room = ring_room(&t->link.tx), kept = VSOCKIF_CONTROL_SLOTS + slots_kept(t);

    ids = ids < room ? ids : room;
    return ids > kept ? ids - kept : 0;
}

/* Memory for len bytes: the number of places, 0 if there is not so much. */
static uint32_t reserve(struct trunk *t, uint32_t len, struct place *place)
{
    uint32_t n = 0, most = free_slots(t);

    most = most < PIECES ? most : PIECES;
    while (len && n < most) {
        uint32_t got = link_front_reserve(&t->link, len < VSOCKIF_MAX_PACKET ? len : VSOCKIF_MAX_PACKET, &place[n].off);

        if (!got)
            break;
        place[n++].bytes = got;
        len -= got < len ? got : len;
    }
    if (!len)
        return n;
    while (n--)
        link_front_cancel(&t->link, place[n].off, place[n].bytes);
    return 0;
}

static int send_out(struct trunk *t, struct xvs_stream *s, struct source_bytes *from, uint32_t left, unsigned flags)
{
    struct place place[PIECES];
    uint32_t n;
    int err;

    for (bool again = false; !(n = reserve(t, left, place)); again = true) {
        if (again)
            return send_waits(t, s);
        /* What others gather may be what is missing, and what the backend was not shown never comes back. */
        xvs_flush(xvs_of(t));
        packets_reap(t);
        if ((err = send_refusal(s)))
            return err;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = left < place[i].bytes ? left : place[i].bytes;
        struct vsockif_hdr hdr;

        take(from, link_front_data(&t->link, place[i].off), len);
        left -= len;
        head(t, s, len, !left, flags, &hdr);
        link_front_send(&t->link, &hdr, place[i].off, place[i].bytes);
    }
    s->was_fed = true;
    return 0;
}

/* Credit for all of it: 0, or a negative errno. */
static int find_credit(struct xvs_stream *s, uint32_t len)
{
    struct trunk *t = s->trunk;
    int err;

    if (vconn_room(&s->v.c) >= len)
        return 0;
    vmux_want_room(t->mux, &s->v);
    packets_flush(t);           /* may send the RESPONSE that we owe, after which there is room; or end a stream of this guest */
    if ((err = send_refusal(s)) || vconn_room(&s->v.c) >= len)
        return err;
    s->wants_out = true;
    return -EAGAIN;
}

ssize_t whole_send(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    struct source_bytes from = { .iov = iov };
    struct trunk *t = s->trunk;
    size_t len = 0, most = xvs_message_max(s);
    int err = send_refusal(s);

    if (err)
        return err;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > most - len)
            return -EMSGSIZE;
        len += iov[i].iov_len;
    }
    if (!len) {
        packets_flush(t);       /* there are no empty messages; but it ends what XVS_MORE began */
        return 0;
    }
    if ((err = find_credit(s, (uint32_t)len)))
        return err;
    err = is_local(s) ? send_within(t, s, &from, (uint32_t)len, flags) : send_out(t, s, &from, (uint32_t)len, flags);
    if (err)
        return err;
    if (t->up && !(flags & XVS_MORE))
        packets_flush(t);
    return (ssize_t)len;
}
