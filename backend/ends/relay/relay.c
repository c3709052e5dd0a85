/* SPDX-License-Identifier: MIT */
/* relay.c: see relay.h. */
#include "relay.h"

#include <errno.h>
#include <string.h>

#include "farewell.h"
#include "registry.h"
#include "serve.h"

#define PIECES 32

/* What may be promised to the twin's guest: what this one has promised, and no more than we could hold if this one
 * promised and then took nothing. */
static uint32_t promise_of(const struct stream *s)
{
    return s->v.c.peer_alloc < s->twin->promise.bytes ? s->v.c.peer_alloc : s->twin->promise.bytes;
}

int relay_connect(struct stream *s)
{
    struct device *here = s->device, *there = registry_mapped_cid(here->x, s->v.local.cid);
    struct settings_who from, to;
    struct promise promise = { 0 };
    struct vmux_conn *conn;
    struct stream *t;
    uint32_t first;
    int err;

    if (!there || there == here || !device_is_connected(there))
        return -EHOSTUNREACH;
    from = (struct settings_who){ &here->domain->title, here->domain->section };
    to = (struct settings_who){ &there->domain->title, there->domain->section };
    if (!settings_may_speak(here->x->settings, &from, &to)) {
        journal_guest(&here->journal, JOURNAL_NOTICE, "may not speak with %s (guest_to_guest)", there->journal.who);
        return -EACCES;
    }
    if (promise_make(&there->promises, &promise) > s->v.c.peer_alloc)
        first = s->v.c.peer_alloc;
    else
        first = promise.bytes;
    err = vmux_connect(there->mux, s->v.peer, s->v.local, first, VCONN_CONNECT_MS, clock_deadline_ms(0), &conn);
    if (err) {
        promise_end(&there->promises, &promise);
        return err;
    }
    t = stream_of(conn);
    stream_init(t, there);
    t->promise = promise;
    t->twin = s;
    s->twin = t;
    device_wake(there);
    return 0;
}

/* This guest tells of what it has consumed when half of its own buffer is used.  Where the other guest was promised
 * less than that, it would wait for ever: so this one is asked. */
static void ask_for_credit(struct stream *s)
{
    uint32_t in_flight = s->v.c.tx_cnt - s->v.c.peer_fwd, promise = promise_of(s);

    if (promise < s->v.c.peer_alloc && in_flight >= promise / 2)
        vmux_want_room(s->device->mux, &s->v);
}

/* The credit that this guest gave goes on to the other. */
static void pass_credit(struct stream *s)
{
    struct stream *t = s->twin;
    int32_t news = (int32_t)(s->v.c.peer_fwd - t->v.c.fwd_cnt);

    if (!s->open || t->host_deaf || stream_is_closed(t))
        return;
    if (promise_of(s) != t->v.c.buf_alloc)
        vmux_set_buf_alloc(t->device->mux, &t->v, promise_of(s));
    if (news > 0)
        vmux_consumed(t->device->mux, &t->v, (uint32_t)news);
    ask_for_credit(s);
}

void relay_event(struct stream *s, unsigned now)
{
    struct stream *t = s->twin;

    if (now & VCONN_NOW_OPEN) {
        s->open = t->open = true;
        pass_credit(s);
        vmux_answer(t->device->mux, &t->v);
    } else if (now & VCONN_NOW_CREDIT && s->open) {
        pass_credit(s);
    }
    /* Over, it takes no more either: a sender there must not wait until what is still to be read here is read. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED)) {
        t->host_deaf = true;
        vmux_shutdown(t->device->mux, &t->v, VSOCKIF_SHUTDOWN_RCV, clock_deadline_ms(0));
        stream_discard(t);
    }
    stream_wake(s);
    stream_wake(t);
}

/* ---- a turn ---- */

/* Moves one packet from the twin's inbox to our guest. */
static enum stream_again move(struct stream *s)
{
    struct stream *t = s->twin;
    struct device *d = s->device;
    struct iovec to[PIECES], from[PIECES];
    struct vsockif_hdr hdr;
    uint32_t room, len;
    int to_used, from_used;

    if (!s->open || inbox_is_empty(&t->inbox))
        return STREAM_WAITS;
    if (vconn_is_send_shut(&s->v.c)) {
        stream_discard(t);
        return STREAM_WAITS;
    }
    room = vconn_room(&s->v.c);
    if (!room || !link_back_can_send(&d->back)) {
        t->stuck = true;
        return room ? STREAM_THIRSTS : STREAM_WAITS;
    }
    if (room > VSOCKIF_MAX_PACKET)
        room = VSOCKIF_MAX_PACKET;
    len = inbox_peek(&t->device->inboxes, &t->inbox, room, from, PIECES, &from_used);
    len = link_back_room(&d->back, len, to, PIECES, &to_used);
    stream_copy(to, from, len);
    vmux_send(d->mux, &s->v, len, &hdr);
    link_back_send(&d->back, &hdr);
    d->moved = true;
    if (stream_delivered(t, len))
        pass_credit(s);
    ask_for_credit(s);
    device_wake(t->device);
    return inbox_is_empty(&t->inbox) ? STREAM_WAITS : STREAM_MORE;
}

/* The end of one is the end of the other, once all that was sent before it is delivered. */
static bool is_over(const struct stream *s)
{
    if (!stream_is_closed(s))
        return false;
    return !s->open || stream_is_closed(s->twin) || inbox_is_empty(&s->inbox);
}

static void end_both(struct stream *ended, struct stream *other)
{
    int error = ended->v.c.error;

    ended->twin = other->twin = NULL;
    if (error && !stream_is_closed(other))
        vmux_abort(other->device->mux, &other->v, error);
    stream_end(ended);
    stream_end(other);
}

enum stream_again relay_turn(struct stream *s)
{
    struct stream *t = s->twin;
    enum stream_again again = move(s);

    if (t->guest_eof && !t->told_eof && s->open && inbox_is_empty(&t->inbox)) {
        t->told_eof = true;
        vmux_shutdown(s->device->mux, &s->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
    }
    if (is_over(s))
        end_both(s, t);
    else if (is_over(t))
        end_both(t, s);
    else
        return again;
    return STREAM_ENDED;
}

void relay_lost(struct stream *s)
{
    struct stream *t = s->twin;

    s->twin = t->twin = NULL;
    if (s->open && s->guest_eof && !s->told_eof && !stream_is_closed(t) && !vconn_is_send_shut(&t->v.c) &&
        farewell_to_guest(t, s))
        return;
    if (!stream_is_closed(t))
        vmux_abort(t->device->mux, &t->v, ECONNRESET);
    stream_end(t);
}
