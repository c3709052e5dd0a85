/* SPDX-License-Identifier: MIT */
/* tied.c: see tied.h. */
#include "tied.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "credit.h"
#include "gate.h"

#define PIECES 32

static struct tied *tied_of(struct stream *s)
{
    return container_of(s, struct tied, s);
}

static struct kernel *kernel_of(const struct tied *t)
{
    return t->s.lane->kernel;
}

static struct credit_end guest_end(struct tied *t)
{
    return (struct credit_end){ t->s.lane->mux, &t->s.v };
}

static struct credit_end far_end(struct tied *t)
{
    return (struct credit_end){ kernel_of(t)->mux, &t->far->v };
}

static bool far_is_closed(const struct tied *t)
{
    return t->far->v.c.state == VCONN_CLOSED;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- credit ---- */

/* What the guest may have in flight: what the program's socket takes, and no more than we could hold (promise.h). */
static uint32_t window_of_guest(const struct tied *t)
{
    return least(t->far->v.c.peer_alloc, t->s.promise.bytes);
}

/* What the kernel may: what the guest takes, and Linux never more than the program's socket has room for itself. */
static uint32_t window_of_far(const struct tied *t)
{
    return least(t->s.v.c.peer_alloc, t->far->v.c.peer_alloc);
}

static void pass_to_guest(struct tied *t)
{
    if (!t->s.open || t->s.deaf || stream_is_closed(&t->s))
        return;
    credit_pass(far_end(t), guest_end(t), window_of_guest(t));
    credit_ask(far_end(t), window_of_guest(t));
}

static void pass_to_far(struct tied *t)
{
    if (!t->s.open || far_is_closed(t))
        return;
    credit_pass(guest_end(t), far_end(t), t->s.v.c.peer_alloc);
    credit_ask(guest_end(t), window_of_far(t));
    kernel_wake(kernel_of(t));
}

/* ---- the beginning ---- */

static void tie(struct tied *t, struct far *far)
{
    list_init(&t->waits);
    list_init(&far->queue);
    t->far = far;
    far->tied = t;
}

static void drop_queue(struct kernel *k, struct far *far)
{
    struct list *link;

    while ((link = list_take(&far->queue)))
        pipe_repost(&k->pipe, container_of(link, struct pipe_buffer, link));
    kernel_wake(k);
}

static void release(struct kernel *k, struct far *far)
{
    drop_queue(k, far);
    if (far->in_flight)
        pipe_forget(&k->pipe, far);
    far->tied = NULL;
    vmux_release(k->mux, &far->v, clock_deadline_ms(0));
    kernel_wake(k);
}

static int offer(struct stream *s)
{
    struct kernel *k = s->lane->kernel;
    struct vmux_conn *conn;
    int err;

    if (!k || k->pipe.is_dead || k->retired || s->v.local.cid != VSOCKIF_CID_HOST)
        return -ENOENT;
    if (!gate_lets_out(s->lane, POLICY_VSOCK, NULL, s->v.local.port))
        return -EACCES;
    if (vconn_is_seqpacket(&s->v.c) && !vmux_has_seqpacket(k->mux))
        return -ESOCKTNOSUPPORT;
    err = vmux_connect(k->mux, s->v.peer, s->v.local, s->v.c.peer_alloc, VCONN_CONNECT_MS, clock_deadline_ms(0), &conn);
    if (err)
        return err;
    vconn_set_type(&conn->c, s->v.c.type);
    tie(tied_of(s), far_of(conn));
    kernel_wake(k);
    return 0;
}

void tied_offered(struct kernel *k, struct far *far)
{
    struct stream *s;
    int err = -ENOTCONN;

    list_init(&far->queue);
    if (!gate_lets_in(k->lane, POLICY_VSOCK, NULL, far->v.local.port))
        gate_refused_in(k->lane, POLICY_VSOCK, NULL, far->v.local.port);
    else if (kernel_takes_more(k) && vconn_is_seqpacket(&far->v.c) && !vmux_has_seqpacket(k->lane->mux))
        err = -ESOCKTNOSUPPORT;
    else if (kernel_takes_more(k))
        err = stream_connect(k->lane, &kernel_end, far->v.peer, far->v.local, far->v.c.peer_alloc, &s);
    if (err) {
        vmux_abort(k->mux, &far->v, ECONNREFUSED, REASON(NONE));
        release(k, far);
        return;
    }
    vconn_set_type(&s->v.c, far->v.c.type);
    tie(tied_of(s), far);
    tied_of(s)->by_host = true;
}

/* ---- a new policy ---- */

static void judge(struct stream *s)
{
    struct tied *t = tied_of(s);
    struct kernel *k = kernel_of(t);

    if (t->by_host ? gate_lets_in(s->lane, POLICY_VSOCK, NULL, s->v.peer.port)
                   : gate_lets_out(s->lane, POLICY_VSOCK, NULL, s->v.local.port))
        return;
    drop_queue(k, t->far);
    if (!far_is_closed(t))
        vmux_abort(k->mux, &t->far->v, ECONNRESET, REASON(POLICY));
    if (!t->far->in_flight)
        stream_cut(s);
    s->deaf = true;             /* what the kernel reads must stay: the guest is told when it has (turn()) */
}

/* ---- the two are told of each other ---- */

bool tied_event(struct far *far, unsigned now, struct pipe_buffer *b)
{
    struct tied *t = far->tied;

    if (!t)
        return false;
    if (now & VCONN_NOW_DATA)
        list_append(&far->queue, &b->link);
    far->eof |= (now & VCONN_NOW_EOF) != 0;
    if (now & VCONN_NOW_OPEN) {
        stream_opened(&t->s);
        pass_to_guest(t);
        vmux_answer(t->s.lane->mux, &t->s.v);
    } else if (now & VCONN_NOW_CREDIT) {
        pass_to_guest(t);
    }
    stream_wake(&t->s);
    return now & VCONN_NOW_DATA;
}

static void guest_event(struct stream *s, unsigned now)
{
    struct tied *t = tied_of(s);
    struct kernel *k = kernel_of(t);

    if (now & VCONN_NOW_OPEN) {
        stream_opened(s);
        pass_to_far(t);
        vmux_answer(k->mux, &t->far->v);
        kernel_wake(k);
    } else if (now & VCONN_NOW_CREDIT) {
        pass_to_far(t);
    }
    /* Over, it takes no more either, and a program that writes is told. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED)) {
        vmux_shutdown(k->mux, &t->far->v, VSOCKIF_SHUTDOWN_RCV, clock_deadline_ms(0));
        drop_queue(k, t->far);
    }
    stream_wake(s);
}

/* ---- guest to kernel ---- */

/* Its guest's end is gone, and the kernel reads nothing of it any more. */
static void let_go(struct kernel *k, struct far *far)
{
    inbox_drop(&k->lane->inboxes, &far->inbox);
    k->leaving--;
    release(k, far);
}

void tied_read(struct kernel *k, struct far *far, uint32_t len)
{
    struct tied *t = far->tied;

    far->in_flight -= len;
    if (!t) {
        if (!far->in_flight)
            let_go(k, far);
        return;
    }
    if (stream_delivered(&t->s, len))
        pass_to_guest(t);
    stream_wake(&t->s);
}

void tied_dead(struct kernel *k, struct far *far)
{
    if (!far->tied) {
        let_go(k, far);
        return;
    }
    far->in_flight = 0;
    vmux_abort(k->mux, &far->v, ECONNRESET, REASON(NONE));
    stream_wake(&far->tied->s);
}

/* What has not been handed to the kernel yet. */
static uint32_t left(const struct tied *t)
{
    return t->s.inbox.bytes - t->far->in_flight;
}

static enum stream_again to_kernel(struct tied *t)
{
    struct stream *s = &t->s;
    struct kernel *k = kernel_of(t);
    struct far *far = t->far;
    struct iovec piece[PIPE_PIECES];
    struct vsockif_hdr hdr;
    uint32_t len, ends, sent = 0;
    int count;

    while ((len = least(left(t), vconn_room(&far->v.c))) && sent < s->lane->quantum) {
        if (!pipe_takes_data(&k->pipe)) {
            list_remove(&t->waits);
            list_append(&k->waiting, &t->waits);
            break;
        }
        len = inbox_next(&s->lane->inboxes, &s->inbox, far->in_flight, least(len, PIPE_PACKET), piece, PIPE_PIECES, &count, &ends);
        vmux_send(k->mux, &far->v, len, &hdr);
        if (ends) {
            vconn_end_message(&far->v.c, &hdr, ends & VSOCKIF_SEQ_EOR);
            inbox_end_message(&s->inbox);
        }
        pipe_send(&k->pipe, &hdr, piece, count, far);
        far->in_flight += len;
        sent += len;
    }
    if (sent) {
        credit_ask(far_end(t), window_of_guest(t));
        kernel_wake(k);
    }
    /* What the kernel reads at this moment must stay where it is. */
    if (!far->in_flight && left(t) && !vconn_room(&far->v.c))
        stream_is_stuck(s);
    else
        s->stuck = false;
    /* A guest that has had its share of bytes may move none. */
    return sent && sent >= s->lane->quantum ? STREAM_MORE : STREAM_WAITS;
}

/* The program takes no more. */
static bool far_is_deaf(const struct tied *t)
{
    return far_is_closed(t) || t->far->v.c.shut_peer & VSOCKIF_SHUTDOWN_RCV;
}

static enum stream_again turn_to_kernel(struct tied *t)
{
    struct stream *s = &t->s;
    enum stream_again again = STREAM_WAITS;

    if (!s->open)
        return STREAM_WAITS;
    if (!far_is_deaf(t))
        again = to_kernel(t);
    else if (!t->far->in_flight)
        stream_become_deaf(s);
    if (s->guest_eof && !s->told_eof && !left(t) && !s->v.c.error) {
        s->told_eof = true;
        vmux_shutdown(kernel_of(t)->mux, &t->far->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
        kernel_wake(kernel_of(t));
    }
    return again;
}

/* ---- kernel to guest ---- */

static struct pipe_buffer *buffer_at(struct list *link)
{
    return container_of(link, struct pipe_buffer, link);
}

static uint32_t bytes_in(const struct pipe_buffer *b)
{
    return b->hdr->len - b->at;
}

/* The oldest bytes, of as many packets as there are: a program that writes little at a time fills a packet of the guest's with many.
 * Of messages, as far as one goes: *ends is what all of them end. */
static uint32_t peek(const struct far *far, struct iovec *from, uint32_t *ends)
{
    uint32_t bytes = 0;
    int n = 0;

    *ends = 0;
    for (struct list *l = far->queue.next; l != &far->queue && n < PIECES && bytes < VSOCKIF_MAX_PACKET && !*ends; l = l->next, n++) {
        from[n] = (struct iovec){ buffer_at(l)->data + buffer_at(l)->at, bytes_in(buffer_at(l)) };
        bytes += bytes_in(buffer_at(l));
        *ends = buffer_at(l)->hdr->flags;       /* of a stream 0 */
    }
    if (bytes > VSOCKIF_MAX_PACKET)
        *ends = 0;
    return least(bytes, VSOCKIF_MAX_PACKET);
}

static void take(struct tied *t, uint32_t len)
{
    while (len) {
        struct pipe_buffer *b = buffer_at(t->far->queue.next);
        uint32_t n = least(len, bytes_in(b));

        b->at += n;
        len -= n;
        if (!bytes_in(b))
            pipe_repost(&kernel_of(t)->pipe, b);
    }
    kernel_wake(kernel_of(t));
}

static enum stream_again to_guest(struct tied *t)
{
    struct stream *s = &t->s;
    struct iovec to[PIECES], from[PIECES];
    enum stream_again again = STREAM_WAITS;
    uint32_t bytes = 0, ends = 0, room = 0;
    int used;

    if (vconn_is_send_shut(&s->v.c)) {
        drop_queue(kernel_of(t), t->far);
        return STREAM_WAITS;
    }
    /* Without room nobody is asked for it: pass_to_far() sees to that. */
    if (vconn_room(&s->v.c)) {
        bytes = peek(t->far, from, &ends);
        room = stream_room(s, bytes, to, PIECES, &used, &again);
    }
    if (!room)
        return again;
    stream_copy(to, from, room);
    stream_send_part(s, room, room == bytes ? ends : 0);
    credit_ask(guest_end(t), window_of_far(t));
    take(t, room);
    return list_is_empty(&t->far->queue) ? STREAM_WAITS : STREAM_MORE;
}

static enum stream_again turn_to_guest(struct tied *t)
{
    struct stream *s = &t->s;
    enum stream_again again = STREAM_WAITS;

    if (s->open && !list_is_empty(&t->far->queue))
        again = to_guest(t);
    if (s->open && t->far->eof && !t->far->told_eof && list_is_empty(&t->far->queue)) {
        t->far->told_eof = true;
        stream_shut(s, VSOCKIF_SHUTDOWN_SEND);
    }
    return again;
}

/* ---- the end ---- */

/* The end of one is the end of the other, once all that was sent before it is delivered. */
static bool guest_is_over(const struct tied *t)
{
    return stream_is_closed(&t->s) && (!t->s.open || far_is_closed(t) || inbox_is_empty(&t->s.inbox));
}

static bool far_is_over(const struct tied *t)
{
    return far_is_closed(t) && (!t->s.open || stream_is_closed(&t->s) || list_is_empty(&t->far->queue));
}

static void end_both(struct tied *t)
{
    struct kernel *k = kernel_of(t);
    struct far *far = t->far;
    const struct vconn *ended = stream_is_closed(&t->s) ? &t->s.v.c : &far->v.c;
    struct reason reason = ended->reason;
    int error = ended->error;

    list_remove(&t->waits);
    if (error && !far_is_closed(t))
        vmux_abort(k->mux, &far->v, error, reason);
    if (error && !stream_is_closed(&t->s))
        vmux_abort(t->s.lane->mux, &t->s.v, error, reason);
    release(k, far);
    stream_end(&t->s);
}

static enum stream_again turn(struct stream *s)
{
    struct tied *t = tied_of(s);
    enum stream_again there = turn_to_kernel(t), here = turn_to_guest(t);

    if ((guest_is_over(t) || far_is_over(t)) && !t->far->in_flight) {
        end_both(t);
        return STREAM_ENDED;
    }
    return there == STREAM_MORE ? there : here;
}

static void lost(struct stream *s, enum lane_cut why)
{
    struct tied *t = tied_of(s);
    struct kernel *k = kernel_of(t);
    struct far *far = t->far;
    bool in_order;

    if (s->open && !far_is_deaf(t) && !k->pipe.is_dead)
        while (to_kernel(t) == STREAM_MORE)
            ;
    in_order = s->open && s->guest_eof && !left(t);
    list_remove(&t->waits);
    far->tied = NULL;
    if (!in_order)
        vmux_abort(k->mux, &far->v, ECONNRESET, lane_cut_reason(why));
    if (!far->in_flight || k->pipe.is_dead) {
        release(k, far);
        return;
    }
    /* What the kernel reads stays until it has read it; nobody waits here. */
    s->unread |= left(t) > 0;
    far->inbox = s->inbox;
    s->inbox = (struct inbox){ .bytes = 0 };
    k->leaving++;
    drop_queue(k, far);
}

const struct end_kind kernel_end = {
    .name = "AF_VSOCK",
    .size = sizeof(struct tied),
    .policy = POLICY_VSOCK,
    .has_messages = true,
    .passes_credit = true,
    .offer = offer,
    .turn = turn,
    .event = guest_event,
    .lost = lost,
    .judge = judge
};
