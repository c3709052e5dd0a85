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

/* What a writer without room is told. */
static int cannot_write(struct xvs_stream *s)
{
    if (s->v.c.state == VCONN_CONNECTING)
        return -ENOTCONN;
    if (s->v.c.state == VCONN_CLOSED && s->v.c.error)
        return -s->v.c.error;
    return -EPIPE;
}

static uint32_t credit_left(const struct xvs_stream *s)
{
    uint32_t credit = vconn_room(&s->v.c);

    return credit > s->piece_len ? credit - s->piece_len : 0;
}

/* Room to write up to want bytes at *place: their number, or a negative errno. */
static ssize_t find_room(struct xvs_stream *s, uint32_t want, uint32_t ahead, uint8_t **place)
{
    struct xvs *x = s->x;
    uint32_t credit, room;

    if (vconn_is_send_shut(&s->v.c) || s->v.c.state == VCONN_CONNECTING || !x->up)
        return x->up ? cannot_write(s) : -ECONNRESET;
    if (s->piece_size && s->piece_len == s->piece_size)
        send_gathered(x, s);
    if (!(credit = credit_left(s))) {
        if (s->piece_len)
            send_gathered(x, s);
        vmux_want_room(x->mux, &s->v);
        pump_flush(x);          /* may send the RESPONSE that we owe, after which there is room */
        if (!(credit = credit_left(s))) {
            s->wants_out = true;
            return -EAGAIN;
        }
    }
    if (!s->piece_size) {
        uint32_t most = credit < VSOCKIF_MAX_PACKET ? credit : VSOCKIF_MAX_PACKET;
        uint32_t size = want > ahead ? want : ahead;

        s->piece_size = has_slot(x) ? link_front_reserve(&x->link, size < most ? size : most, &s->piece_off) : 0;
        if (!s->piece_size) {
            list_remove(&s->blocked_link);
            list_append(&x->blocked, &s->blocked_link);
            s->wants_out = x->wants_room = true;
            pump_flush(x);
            return -EAGAIN;
        }
        s->piece_len = 0;
        x->gather_count++;
        list_append(&x->gathering, &s->gather_link);
    }
    room = s->piece_size - s->piece_len;
    if (room > VSOCKIF_MAX_PACKET - s->piece_len)
        room = VSOCKIF_MAX_PACKET - s->piece_len;
    room = room < credit ? room : credit;
    *place = link_front_data(&x->link, s->piece_off) + s->piece_len;
    return room < want ? room : want;
}

static void forget_piece(struct xvs *x, struct xvs_stream *s)
{
    list_remove(&s->gather_link);
    x->gather_count--;
    s->piece_size = s->piece_len = 0;
}

void send_drop(struct xvs *x, struct xvs_stream *s)
{
    if (!s->piece_size)
        return;
    if (x->up)
        link_front_cancel(&x->link, s->piece_off, s->piece_size);
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
    uint32_t credit = vconn_room(&s->v.c);

    if (!s->piece_size)
        return;
    if (!s->piece_len || !credit) {
        send_drop(x, s);        /* no byte was written, or none may be sent any more */
        return;
    }
    /* A peer that takes back credit (legal, and rude) gets what it still allows. */
    vmux_send(x->mux, &s->v, s->piece_len < credit ? s->piece_len : credit, &hdr);
    if (is_local(s)) {
        send_local(x, s, &hdr);
        link_front_cancel(&x->link, s->piece_off, s->piece_size);
    } else {
        link_front_send(&x->link, &hdr, s->piece_off, s->piece_size);
    }
    forget_piece(x, s);
}

void send_unblock(struct xvs *x)
{
    struct list *link;

    /* All are told, in the order in which they began to wait; the first to write again gets the room. */
    while ((link = list_take(&x->blocked))) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, blocked_link);

        s->wants_out = false;
        source_raise(x, &s->source, XVS_EVENT_OUT);
    }
    x->wants_room = false;
}

/* ---- the public calls ---- */

ssize_t xvs_sendv(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags)
{
    size_t total = 0;
    ssize_t room = 0;

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
    if (!(flags & XVS_MORE) || (s->piece_size && s->piece_len == s->piece_size))
        send_gathered(s->x, s);
    if (!(flags & XVS_MORE) && s->x->up)
        pump_flush(s->x);
    return total || room >= 0 ? (ssize_t)total : room;
}

ssize_t xvs_send(struct xvs_stream *s, const void *data, size_t len, unsigned flags)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };

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
    return room;
}

int xvs_commit(struct xvs_stream *s, size_t len, unsigned flags)
{
    if (!s->x->up || !s->piece_size)
        return s->v.c.state == VCONN_CLOSED && s->v.c.error ? -s->v.c.error : -EINVAL;
    if (len > s->piece_size - s->piece_len)
        return -EINVAL;
    s->piece_len += (uint32_t)len;
    if (!(flags & XVS_MORE)) {
        send_gathered(s->x, s);
        pump_flush(s->x);
    }
    return 0;
}

size_t xvs_stream_writable(const struct xvs_stream *s)
{
    size_t credit = credit_left(s), memory;

    if (!s->x->up || !has_slot(s->x))
        return 0;
    memory = pool_free_bytes(&s->x->link.pool);
    return credit < memory ? credit : memory;
}
