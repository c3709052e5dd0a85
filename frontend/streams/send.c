/* SPDX-License-Identifier: MIT */
/* send.c: every way of writing is the same: find room at the end of the packet that the stream is gathering (piece.h), fill it, and
 * send the packet unless more is to come.  A gathering stream has a slot of the ring kept for it (slots_kept()), so sending never
 * fails. */
#include "send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "packets.h"
#include "piece.h"
#include "tell.h"
#include "unread.h"

#define GATHER 8192u            /* bytes set aside for small writes that announce more */

static bool has_slot(const struct trunk *t)
{
    return t->link.free_ids > VSOCKIF_CONTROL_SLOTS + slots_kept(t);
}

int send_refusal(const struct xvs_stream *s)
{
    if (s->v.c.state == VCONN_CONNECTING)
        return -ENOTCONN;
    if (s->v.c.state == VCONN_CLOSED && s->v.c.error)
        return -s->v.c.error;
    if (vconn_is_send_shut(&s->v.c))
        return -EPIPE;
    return s->trunk->up ? 0 : -ECONNRESET;      /* the device has been faulted, and resets its streams next */
}

static uint32_t credit_left(const struct xvs_stream *s)
{
    uint32_t credit = vconn_room(&s->v.c);

    return credit > s->piece_len ? credit - s->piece_len : 0;
}

/* 0 and *credit of at least 1 byte beyond what is gathered, or a negative errno. */
static int find_credit(struct xvs_stream *s, uint32_t *credit)
{
    struct trunk *t = s->trunk;
    int err = send_refusal(s);

    if (err || (*credit = credit_left(s)))
        return err;
    send_gathered(t, s);
    vmux_want_room(t->mux, &s->v);
    packets_flush(t);           /* may send the RESPONSE that we owe, after which there is room; or end a stream of this guest */
    if ((err = send_refusal(s)) || (*credit = credit_left(s)))
        return err;
    s->wants_out = true;
    return -EAGAIN;
}

static void begin_piece(struct trunk *t, struct xvs_stream *s, uint8_t *piece, uint32_t size)
{
    s->piece = piece;
    s->piece_size = size;
    s->piece_len = 0;
    t->gather_count++;
    list_append(&t->gathering, &s->gather_link);
}

static bool take_piece(struct trunk *t, struct xvs_stream *s, uint32_t size)
{
    uint32_t *off = &s->piece_len;      /* for a moment: a variable of our own would cost each packet a stack guard */
    uint32_t got = has_slot(t) ? link_front_reserve(&t->link, size, off) : 0;

    if (!got)
        return false;
    begin_piece(t, s, link_front_data(&t->link, *off), got);
    s->was_fed = true;
    return true;
}

static int take_heap(struct trunk *t, struct xvs_stream *s, uint32_t size)
{
    uint8_t *piece = malloc(size);

    if (!piece)
        return -ENOMEM;
    begin_piece(t, s, piece, size);
    t->local_count++;
    t->heap_bytes += size;
    return 0;
}

int send_waits(struct trunk *t, struct xvs_stream *s)
{
    list_remove(&s->blocked_link);
    list_append(s->was_fed ? &t->fed : &t->hungry, &s->blocked_link);
    s->wants_out = true;
    packets_await(t);
    return -EAGAIN;
}

/* A piece of up to size bytes for a stream that has none: 0, or a negative errno. */
static int find_piece(struct xvs_stream *s, uint32_t size)
{
    struct trunk *t = s->trunk;
    int err;

    if (is_local(s))
        return take_heap(t, s, size);
    for (bool again = false; !take_piece(t, s, size); again = true) {
        if (again)
            return send_waits(t, s);
        /* What others gather may be what is missing, and what the backend was not shown never comes back. */
        xvs_flush(xvs_of(t));
        if (list_is_empty(&t->hungry) && list_is_empty(&t->fed))
            packets_reap(t);
        if ((err = send_refusal(s)))
            return err;
    }
    return 0;
}

/* Room to write up to want bytes at *place: their number, or a negative errno. */
static ssize_t find_room(struct xvs_stream *s, uint32_t want, uint32_t ahead, uint8_t **place)
{
    uint32_t credit, room, size = want > ahead ? want : ahead;
    int err;

    if (s->piece_size && s->piece_len == s->piece_size)
        send_gathered(s->trunk, s);
    if ((err = find_credit(s, &credit)))
        return err;
    if (size > VSOCKIF_MAX_PACKET)
        size = VSOCKIF_MAX_PACKET;
    if (!s->piece_size && (err = find_piece(s, size < credit ? size : credit)))
        return err;
    room = s->piece_size - s->piece_len;
    room = room < credit ? room : credit;
    s->piece_good = s->piece_len + room;
    *place = s->piece + s->piece_len;
    return room < want ? room : want;
}

/* Within this guest: the other end is in the same table. */
void send_local(struct trunk *t, const struct vsockif_hdr *hdr, const uint8_t *data)
{
    struct vmux_event ev;

    vmux_loop(t->mux, hdr, clock_coarse_ms(), &ev);
    if (ev.kind == VMUX_CONN && (ev.now & VCONN_NOW_DATA) && !ev.conn->released) {
        struct xvs_stream *peer = stream_of(ev.conn);

        stream_adopt(t, peer);
        if (!unread_copy(t, peer, data, hdr->len, hdr->flags))
            tell_failed(t, peer, ENOMEM);
    }
    tell_event(t, &ev);
}

void send_gathered(struct trunk *t, struct xvs_stream *s)
{
    struct vsockif_hdr hdr;

    if (!s->piece)
        return;
    if (!s->piece_len || send_refusal(s)) {
        piece_drop(t, s);       /* no byte was written, or none may be sent any more */
        return;
    }
    if (s->reserved)
        piece_abandon(s, 0);
    /* There was credit for these bytes when they were taken.  A peer that has since shrunk its buffer still accepts what it
     * granted before (vsockif.h, section 8). */
    vmux_send(t->mux, &s->v, s->piece_len, &hdr);
    if (is_local(s)) {
        send_local(t, &hdr, s->piece);
        piece_free(t, s);
    } else {
        link_front_send(&t->link, &hdr, piece_offset(t, s), s->piece_size);
        piece_leave(t, s);
        piece_forget(s);
    }
}

/* ---- the public calls ---- */

void xvs_flush(struct xvs *x)
{
    struct trunk *t = trunk_of(x);
    struct list *link;

    /* Each once, for one that fills a reserved piece stays.  Sending may end another stream and take it out of the list. */
    for (uint32_t n = t->gather_count; t->up && n && (link = list_take(&t->gathering)); n--) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, gather_link);

        list_append(&t->gathering, link);
        if (!s->reserved)
            send_gathered(t, s);
    }
    packets_flush(t);
}

/* Bytes have been added to the piece: sends it, unless more are to come and fit. */
static void end_write(struct xvs_stream *s, unsigned flags)
{
    struct trunk *t = s->trunk;

    s->reserved = 0;
    if (!(flags & XVS_MORE) || s->piece_len == s->piece_size || !s->piece_len)
        send_gathered(t, s);
    if (t->up && (!(flags & XVS_MORE) || t->link.tx.out != t->link.tx.published))
        packets_flush(t);
}

ssize_t send_bytes(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    size_t total = 0;
    ssize_t room = send_refusal(s);

    if (s->reserved)
        piece_abandon(s, 0);
    for (int i = 0; i < count; i++) {
        const uint8_t *from = iov[i].iov_base;
        size_t left = iov[i].iov_len;

        while (left) {
            uint8_t *place;
            uint32_t want = left < VSOCKIF_MAX_PACKET ? (uint32_t)left : VSOCKIF_MAX_PACKET;

            room = find_room(s, want, (flags & XVS_MORE) || count > 1 ? GATHER : 0, &place);
            if (room < 0)
                goto out;
            memcpy(place, from, (size_t)room);
            s->piece_len += (uint32_t)room;
            from += room;
            left -= (size_t)room;
            total += (size_t)room;
        }
    }
out:
    end_write(s, flags);
    return total || room >= 0 ? (ssize_t)total : room;
}

ssize_t xvs_reserve(struct xvs_stream *s, size_t want, void **piece)
{
    uint8_t *place = NULL;
    ssize_t room;

    if (!want)
        return -EINVAL;
    if (has_messages(s))
        return -EOPNOTSUPP;
    room = find_room(s, want < VSOCKIF_MAX_PACKET ? (uint32_t)want : VSOCKIF_MAX_PACKET, 0, &place);
    *piece = place;
    s->piece_good = 0;          /* a send meanwhile gives the reserved place up, and so has to pass by send_bytes() */
    if (s->reserved)
        piece_abandon(s, room > 0 ? (uint32_t)room : 0);
    s->reserved = room > 0 ? (uint32_t)room : 0;
    return room;
}

int xvs_commit(struct xvs_stream *s, size_t len, unsigned flags)
{
    int err = send_refusal(s);

    if (err)
        piece_release(s->trunk, s);
    else if (!s->reserved || len > s->reserved)
        err = -EINVAL;
    if (err)
        return err;
    s->piece_len += (uint32_t)len;
    end_write(s, flags);
    return 0;
}

size_t xvs_stream_writable(const struct xvs_stream *s)
{
    size_t credit = credit_left(s), memory = s->piece_size - s->piece_len;

    if (!s->trunk->up)
        return 0;
    if (is_local(s))
        return credit;
    if (has_slot(s->trunk))
        memory += pool_free_bytes(&s->trunk->link.pool);
    return credit < memory ? credit : memory;
}
