/* SPDX-License-Identifier: MIT */
/* send.c: the packet that a stream is gathering: a piece of the tx pool that grows until it is sent.
 *
 * Every way of writing is the same: find room at the end of the piece, fill it, and send the piece unless more is to
 * come.  A gathering stream has a slot of the ring kept for it (gather_count), so sending never fails. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define GATHER 8192u            /* bytes set aside for small writes that announce more */

static bool has_slot(const struct xvs *x)
{
    return x->link.free_ids > VSOCKIF_CONTROL_SLOTS + x->gather_count;
}

static bool is_local(const struct xvs_stream *s)
{
    return s->v.peer.cid == VSOCKIF_CID_LOCAL;
}

/* What a writer is told however much room there is: 0, or a negative errno. */
static int refusal(const struct xvs_stream *s)
{
    if (s->v.c.state == VCONN_CONNECTING)
        return -ENOTCONN;
    if (s->v.c.state == VCONN_CLOSED && s->v.c.error)
        return -s->v.c.error;
    if (vconn_is_send_shut(&s->v.c))
        return -EPIPE;
    return s->x->up ? 0 : -ECONNRESET;          /* the device has been faulted, and resets its streams next */
}

static uint32_t credit_left(const struct xvs_stream *s)
{
    uint32_t credit = vconn_room(&s->v.c);

    return credit > s->piece_len ? credit - s->piece_len : 0;
}

/* 0 and *credit of at least 1 byte beyond what is gathered, or a negative errno. */
static int find_credit(struct xvs_stream *s, uint32_t *credit)
{
    struct xvs *x = s->x;
    int err = refusal(s);

    if (err || (*credit = credit_left(s)))
        return err;
    send_gathered(x, s);
    vmux_want_room(x->mux, &s->v);
    pump_flush(x);              /* may send the RESPONSE that we owe, after which there is room; or end a stream of this guest */
    if ((err = refusal(s)) || (*credit = credit_left(s)))
        return err;
    s->wants_out = true;
    return -EAGAIN;
}

static bool take_piece(struct xvs *x, struct xvs_stream *s, uint32_t size)
{
    s->piece_size = has_slot(x) ? link_front_reserve(&x->link, size, &s->piece_off) : 0;
    if (!s->piece_size)
        return false;
    s->piece_len = 0;
    s->was_fed = true;
    x->gather_count++;
    list_append(&x->gathering, &s->gather_link);
    return true;
}

/* A piece of up to size bytes for a stream that has none: 0, or a negative errno. */
static int find_piece(struct xvs_stream *s, uint32_t size)
{
    struct xvs *x = s->x;
    int err;

    if (take_piece(x, s, size))
        return 0;
    /* What others gather may be what is missing, and what the backend was not shown never comes back. */
    xvs_flush(x);
    if (list_is_empty(&x->hungry) && list_is_empty(&x->fed))
        pump_reap(x);
    if ((err = refusal(s)))
        return err;
    if (take_piece(x, s, size))
        return 0;
    list_remove(&s->blocked_link);
    list_append(s->was_fed ? &x->fed : &x->hungry, &s->blocked_link);
    s->wants_out = true;
    pump_await(x);
    return -EAGAIN;
}

/* Room to write up to want bytes at *place: their number, or a negative errno. */
static ssize_t find_room(struct xvs_stream *s, uint32_t want, uint32_t ahead, uint8_t **place)
{
    uint32_t credit, room, size = want > ahead ? want : ahead;
    int err;

    if (s->piece_size && s->piece_len == s->piece_size)
        send_gathered(s->x, s);
    if ((err = find_credit(s, &credit)))
        return err;
    if (size > VSOCKIF_MAX_PACKET)
        size = VSOCKIF_MAX_PACKET;
    if (!s->piece_size && (err = find_piece(s, size < credit ? size : credit)))
        return err;
    room = s->piece_size - s->piece_len;
    room = room < credit ? room : credit;
    s->piece_good = s->piece_len + room;
    *place = link_front_data(&s->x->link, s->piece_off) + s->piece_len;
    return room < want ? room : want;
}

static void forget_piece(struct xvs *x, struct xvs_stream *s)
{
    list_remove(&s->gather_link);
    x->gather_count--;
    s->piece_size = s->piece_len = s->piece_good = s->reserved = 0;
}

/* The backend never saw it, so no completion will tell those who wait for its memory. */
static void give_back(struct xvs *x, struct xvs_stream *s)
{
    link_front_cancel(&x->link, s->piece_off, s->piece_size);
    forget_piece(x, s);
    send_unblock(x);
}

void send_drop(struct xvs *x, struct xvs_stream *s)
{
    if (!s->piece_size)
        return;
    if (x->up)
        give_back(x, s);
    else
        forget_piece(x, s);
}

/* Within this guest: the other end is in the same table. */
static void send_local(struct xvs *x, struct xvs_stream *s, const struct vsockif_hdr *hdr)
{
    struct vmux_event ev;

    vmux_loop(x->mux, hdr, now_ms(), &ev);
    if (ev.kind == VMUX_CONN && (ev.now & VCONN_NOW_DATA) && !ev.conn->released) {
        struct xvs_stream *peer = stream_of(ev.conn);

        stream_adopt(x, peer);
        receive_copy(x, peer, link_front_data(&x->link, s->piece_off), hdr->len);
    }
    pump_apply(x, &ev);
}

void send_gathered(struct xvs *x, struct xvs_stream *s)
{
    struct vsockif_hdr hdr;

    if (!s->piece_size)
        return;
    if (!s->piece_len || refusal(s)) {
        send_drop(x, s);        /* no byte was written, or none may be sent any more */
        return;
    }
    /* There was credit for these bytes when they were taken.  A peer that has since shrunk its buffer still accepts what it
     * granted before (vsockif.h, section 8). */
    vmux_send(x->mux, &s->v, s->piece_len, &hdr);
    if (is_local(s)) {
        send_local(x, s, &hdr);
        give_back(x, s);
    } else {
        link_front_send(&x->link, &hdr, s->piece_off, s->piece_size);
        forget_piece(x, s);
    }
}

static void tell_all(struct xvs *x, struct list *waiting)
{
    struct list *link;

    while ((link = list_take(waiting))) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, blocked_link);

        s->wants_out = s->was_fed = false;
        source_raise(x, &s->source, XVS_EVENT_OUT);
    }
}

void send_unblock(struct xvs *x)
{
    /* All are told, and the first to write again may take all there is.  So those that got nothing the last time come first:
     * otherwise two streams that always want more would leave nothing to a third. */
    tell_all(x, &x->hungry);
    tell_all(x, &x->fed);
}

/* ---- the public calls ---- */

/* Bytes have been added to the piece: sends it, unless more are to come and fit. */
static void end_write(struct xvs_stream *s, unsigned flags)
{
    struct xvs *x = s->x;

    s->reserved = 0;
    if (!(flags & XVS_MORE) || s->piece_len == s->piece_size || !s->piece_len)
        send_gathered(x, s);
    if (x->up && (!(flags & XVS_MORE) || x->link.tx.out != x->link.tx.published))
        pump_flush(x);
}

ssize_t xvs_sendv(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    size_t total = 0;
    ssize_t room = refusal(s);

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

ssize_t xvs_send(struct xvs_stream *s, const void *data, size_t len, unsigned flags)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };

    /* What most small writes come to: one more piece of something for which room and credit were found before. */
    if ((flags & XVS_MORE) && len < s->piece_good && s->piece_len < s->piece_good - len) {
        memcpy(link_front_data(&s->x->link, s->piece_off) + s->piece_len, data, len);
        s->piece_len += (uint32_t)len;
        return (ssize_t)len;
    }
    return xvs_sendv(s, &iov, 1, flags);
}

ssize_t xvs_reserve(struct xvs_stream *s, size_t want, void **piece)
{
    uint8_t *place = NULL;
    ssize_t room;

    if (!want)
        return -EINVAL;
    room = find_room(s, want < VSOCKIF_MAX_PACKET ? (uint32_t)want : VSOCKIF_MAX_PACKET, 0, &place);
    *piece = place;
    s->piece_good = 0;          /* a send meanwhile gives the reserved place up, and so has to pass by end_write() */
    s->reserved = room > 0 ? (uint32_t)room : 0;
    return room;
}

int xvs_commit(struct xvs_stream *s, size_t len, unsigned flags)
{
    int err = refusal(s);

    if (err)
        send_drop(s->x, s);
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

    if (!s->x->up)
        return 0;
    if (has_slot(s->x))
        memory += pool_free_bytes(&s->x->link.pool);
    return credit < memory ? credit : memory;
}
