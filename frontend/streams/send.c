/* SPDX-License-Identifier: MIT */
/* send.c: the packet that a stream is gathering: a piece of the tx pool that grows until it is sent.
 *
 * Every way of writing is the same: find room at the end of the piece, fill it, and send the piece unless more is to
 * come.  A gathering stream has a slot of the ring kept for it (slots_kept()), so sending never fails.
 *
 * The backend can read the tx pool.  So what programs of this guest say to each other is gathered on the heap, and what was
 * gathered and will not be sent is overwritten: each byte of the pool is 0, or was sent, or is being gathered.  (But for what
 * a program wrote into a reserved place and left out of its commit: xvs.h tells it that dom0 can read there.  Most such places
 * are large and were hardly written to, and to overwrite 64 KiB costs more than to send a small packet.) */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GATHER 8192u            /* bytes set aside for small writes that announce more */

static bool has_slot(const struct xvs *x)
{
    return x->link.free_ids > VSOCKIF_CONTROL_SLOTS + slots_kept(x);
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

static void begin_piece(struct xvs *x, struct xvs_stream *s, uint8_t *piece, uint32_t size)
{
    s->piece = piece;
    s->piece_size = size;
    s->piece_len = 0;
    x->gather_count++;
    list_append(&x->gathering, &s->gather_link);
}

static bool take_piece(struct xvs *x, struct xvs_stream *s, uint32_t size)
{
    uint32_t *off = &s->piece_len;      /* for a moment: a variable of our own would cost each packet a stack guard */
    uint32_t got = has_slot(x) ? link_front_reserve(&x->link, size, off) : 0;

    if (!got)
        return false;
    begin_piece(x, s, link_front_data(&x->link, *off), got);
    s->was_fed = true;
    return true;
}

static int take_heap(struct xvs *x, struct xvs_stream *s, uint32_t size)
{
    uint8_t *piece = malloc(size);

    if (!piece)
        return -ENOMEM;
    begin_piece(x, s, piece, size);
    x->local_count++;
    x->heap_bytes += size;
    return 0;
}

static int wait_for_memory(struct xvs *x, struct xvs_stream *s)
{
    list_remove(&s->blocked_link);
    list_append(s->was_fed ? &x->fed : &x->hungry, &s->blocked_link);
    s->wants_out = true;
    pump_await(x);
    return -EAGAIN;
}

/* A piece of up to size bytes for a stream that has none: 0, or a negative errno. */
static int find_piece(struct xvs_stream *s, uint32_t size)
{
    struct xvs *x = s->x;
    int err;

    if (is_local(s))
        return take_heap(x, s, size);
    for (bool again = false; !take_piece(x, s, size); again = true) {
        if (again)
            return wait_for_memory(x, s);
        /* What others gather may be what is missing, and what the backend was not shown never comes back. */
        xvs_flush(x);
        if (list_is_empty(&x->hungry) && list_is_empty(&x->fed))
            pump_reap(x);
        if ((err = refusal(s)))
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
    *place = s->piece + s->piece_len;
    return room < want ? room : want;
}

static uint32_t pool_offset(const struct xvs *x, const struct xvs_stream *s)
{
    return (uint32_t)(s->piece - x->link.mem.tx_pool);
}

static void leave_gathering(struct xvs *x, struct xvs_stream *s)
{
    list_remove(&s->gather_link);
    x->gather_count--;
}

static void forget_piece(struct xvs_stream *s)
{
    s->piece = NULL;
    s->piece_size = s->piece_len = s->piece_good = s->reserved = 0;
}

static void leave_gathering_local(struct xvs *x, struct xvs_stream *s)
{
    if (list_is_empty(&s->gather_link))
        return;                 /* send_drop() was here before */
    leave_gathering(x, s);
    x->local_count--;
}

static void free_heap(struct xvs *x, struct xvs_stream *s)
{
    leave_gathering_local(x, s);
    x->heap_bytes -= s->piece_size;
    free(s->piece);
    forget_piece(s);
}

/* A place that was reserved is given up without a commit, but for its first 'kept' bytes. */
static void abandon(struct xvs_stream *s, uint32_t kept)
{
    if (s->reserved > kept)
        memset(s->piece + s->piece_len + kept, 0, s->reserved - kept);
    s->reserved = kept;
}

/* The backend never saw it, so no completion will tell those who wait for its memory. */
static void give_back(struct xvs *x, struct xvs_stream *s)
{
    abandon(s, 0);
    memset(s->piece, 0, s->piece_len);
    if (x->up)
        link_front_cancel(&x->link, pool_offset(x, s), s->piece_size);
    leave_gathering(x, s);
    forget_piece(s);
    if (x->up)
        send_unblock(x);
}

void send_release(struct xvs *x, struct xvs_stream *s)
{
    if (!s->piece)
        return;
    if (is_local(s))
        free_heap(x, s);
    else
        give_back(x, s);
}

void send_drop(struct xvs *x, struct xvs_stream *s)
{
    if (!is_local(s) || !s->reserved) {
        send_release(x, s);
        return;
    }
    /* The other end has gone, by a call for that one: the program may still be filling what it has reserved here. */
    leave_gathering_local(x, s);
    s->piece_len = s->piece_good = 0;
}

/* Within this guest: the other end is in the same table. */
static void send_local(struct xvs *x, struct xvs_stream *s, const struct vsockif_hdr *hdr)
{
    struct vmux_event ev;

    vmux_loop(x->mux, hdr, now_ms(), &ev);
    if (ev.kind == VMUX_CONN && (ev.now & VCONN_NOW_DATA) && !ev.conn->released) {
        struct xvs_stream *peer = stream_of(ev.conn);

        stream_adopt(x, peer);
        receive_copy(x, peer, s->piece, hdr->len);
    }
    pump_apply(x, &ev);
}

void send_gathered(struct xvs *x, struct xvs_stream *s)
{
    struct vsockif_hdr hdr;

    if (!s->piece)
        return;
    if (!s->piece_len || refusal(s)) {
        send_drop(x, s);        /* no byte was written, or none may be sent any more */
        return;
    }
    if (s->reserved)
        abandon(s, 0);
    /* There was credit for these bytes when they were taken.  A peer that has since shrunk its buffer still accepts what it
     * granted before (vsockif.h, section 8). */
    vmux_send(x->mux, &s->v, s->piece_len, &hdr);
    if (is_local(s)) {
        send_local(x, s, &hdr);
        free_heap(x, s);
    } else {
        link_front_send(&x->link, &hdr, pool_offset(x, s), s->piece_size);
        leave_gathering(x, s);
        forget_piece(s);
    }
}

static void tell_all(struct xvs *x, struct list *waiting)
{
    struct list *link;

    while ((link = list_take(waiting))) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, blocked_link);

        s->wants_out = s->was_fed = false;
        source_raise(&x->events, &s->source, XVS_EVENT_OUT);
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

    if (s->reserved)
        abandon(s, 0);
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
        memcpy(s->piece + s->piece_len, data, len);
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
    s->piece_good = 0;          /* a send meanwhile gives the reserved place up, and so has to pass by xvs_sendv() */
    if (s->reserved)
        abandon(s, room > 0 ? (uint32_t)room : 0);
    s->reserved = room > 0 ? (uint32_t)room : 0;
    return room;
}

int xvs_commit(struct xvs_stream *s, size_t len, unsigned flags)
{
    int err = refusal(s);

    if (err)
        send_release(s->x, s);
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
    if (is_local(s))
        return credit;
    if (has_slot(s->x))
        memory += pool_free_bytes(&s->x->link.pool);
    return credit < memory ? credit : memory;
}
