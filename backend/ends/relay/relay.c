/* SPDX-License-Identifier: MIT */
/* relay.c: see relay.h. */
#include "relay.h"

#include <errno.h>

#include "clock.h"
#include "credit.h"
#include "deliver.h"
#include "gate.h"
#include "serve.h"

#define PIECES 32

struct relayed {
    struct stream s;            /* first */
    struct relayed *twin;       /* the other guest's record; NULL once one of the two has ended */
    bool called;                /* its guest has called the other */
    bool pays;                  /* what it has sent waits for its own guest's share of bytes (limits.h) */
};

static struct relayed *relayed_of(struct stream *s)
{
    return container_of(s, struct relayed, s);
}

/* What may be promised to the twin's guest: what this one has promised, and no more than we could hold if this one
 * promised and then took nothing. */
static uint32_t promise_of(const struct relayed *r)
{
    uint32_t ours = r->twin->s.promise.bytes;

    return r->s.v.c.peer_alloc < ours ? r->s.v.c.peer_alloc : ours;
}

static int offer(struct stream *s)
{
    struct relayed *r = relayed_of(s);
    struct lane *here = s->lane, *there;
    struct stream *t;
    int err;

    if (s->v.local.cid == VSOCKIF_CID_HOST)
        return -ENOENT;
    if ((there = lanes_find_any(here->all, s->v.local.cid)) == here)
        return -EHOSTUNREACH;
    /* A guest that may reach no other does not learn which there are. */
    if (!gate_lets_out(here, POLICY_GUEST, there, s->v.local.port))
        return -EACCES;
    if (!there)
        return -EHOSTUNREACH;
    if (!lane_is_connected(there))
        return -EHOSTDOWN;
    if (vconn_is_seqpacket(&s->v.c) && !vmux_has_seqpacket(there->mux))
        return -ESOCKTNOSUPPORT;
    if ((err = stream_connect(there, &relay_end, s->v.peer, s->v.local, s->v.c.peer_alloc, &t)))
        return err;
    vconn_set_type(&t->v.c, s->v.c.type);
    r->twin = relayed_of(t);
    r->twin->twin = r;
    r->called = true;
    return 0;
}

static struct credit_end end_of(struct stream *s)
{
    return (struct credit_end){ s->lane->mux, &s->v };
}

static void ask_for_credit(struct relayed *r)
{
    credit_ask(end_of(&r->s), promise_of(r));
}

/* Who waits for room for all of a message may do so with most of its window free, of which the far end need not tell unasked: so
 * this guest is asked, when the twin's asks, when what it waits for has gone on, and again when what it has told is not enough to be
 * told in turn. */
static void ask_for_message(struct relayed *r)
{
    if (vconn_is_seqpacket(&r->s.v.c) && vconn_is_pressed(&r->twin->s.v.c))
        vmux_want_room(r->s.lane->mux, &r->s.v);
}

/* The credit that this guest gave goes on to the other. */
static void pass_credit(struct relayed *r)
{
    struct stream *t = &r->twin->s;

    if (!r->s.open || t->deaf || stream_is_closed(t))
        return;
    credit_pass(end_of(&r->s), end_of(t), promise_of(r));
    ask_for_credit(r);
    ask_for_message(r);
}

static void event(struct stream *s, unsigned now)
{
    struct relayed *r = relayed_of(s);
    struct stream *t = &r->twin->s;

    if (now & VCONN_NOW_OPEN) {
        stream_opened(s);
        stream_opened(t);
        pass_credit(r);
        vmux_answer(t->lane->mux, &t->v);
    } else if (now & VCONN_NOW_CREDIT && s->open) {
        pass_credit(r);
    }
    if (now & VCONN_NOW_ASKED)
        ask_for_message(r->twin);
    /* Over, it takes no more either: a sender there must not wait until what is still to be read here is read. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED))
        stream_become_deaf(t);
    stream_wake(s);
    stream_wake(t);
}

/* ---- a turn ---- */

/* Moves one packet from the twin's inbox to our guest. */
static enum stream_again move(struct relayed *r)
{
    struct stream *s = &r->s, *t = &r->twin->s;
    struct iovec to[PIECES], from[PIECES];
    enum stream_again again = STREAM_WAITS;
    uint32_t room = 0, ends, len, may;
    int used;

    if (!s->open || inbox_is_empty(&t->inbox))
        return STREAM_WAITS;
    if (vconn_is_send_shut(&s->v.c)) {
        stream_discard(t);
        return STREAM_WAITS;
    }
    if (!(may = serve_allowance(t->lane))) {
        r->twin->pays = true;
        stream_wake(t);
        return STREAM_WAITS;
    }
    /* Without room nobody is asked for it: ask_for_credit() sees to that. */
    if (vconn_room(&s->v.c))
        room = stream_room(s, t->inbox.bytes < may ? t->inbox.bytes : may, to, PIECES, &used, &again);
    else
        stream_is_dry(s);
    if (!room) {
        stream_is_stuck(t);
        return again;
    }
    len = inbox_next(&t->lane->inboxes, &t->inbox, 0, room, from, PIECES, &used, &ends);
    stream_copy(to, from, len);
    stream_send_part(s, len, ends);
    if (ends)
        inbox_end_message(&t->inbox);
    if (stream_delivered(t, len))
        pass_credit(r);
    ask_for_credit(r);
    ask_for_message(r);
    lane_wake(t->lane);
    return inbox_is_empty(&t->inbox) ? STREAM_WAITS : STREAM_MORE;
}

/* The end of one is the end of the other, once all that was sent before it is delivered. */
static bool is_over(const struct relayed *r)
{
    if (!stream_is_closed(&r->s))
        return false;
    return !r->s.open || stream_is_closed(&r->twin->s) || inbox_is_empty(&r->s.inbox);
}

static void end_both(struct relayed *ended, struct relayed *other)
{
    const struct vconn *c = &ended->s.v.c;
    struct reason reason = c->reason;
    int error = c->error;

    ended->twin = other->twin = NULL;
    if (error && !stream_is_closed(&other->s))
        vmux_abort(other->s.lane->mux, &other->s.v, error, reason);
    stream_end(&ended->s);
    stream_end(&other->s);
}

static enum stream_again turn(struct stream *s)
{
    struct relayed *r = relayed_of(s), *twin = r->twin;
    struct stream *t = &twin->s;
    enum stream_again again;

    if (r->pays) {
        r->pays = false;
        stream_wake(t);
    }
    again = move(r);
    if (t->guest_eof && !t->told_eof && s->open && inbox_is_empty(&t->inbox)) {
        t->told_eof = true;
        stream_shut(s, VSOCKIF_SHUTDOWN_SEND);
    }
    if (is_over(r))
        end_both(r, twin);
    else if (is_over(twin))
        end_both(twin, r);
    else
        return again;
    return STREAM_ENDED;
}

/* ---- a new policy ---- */

static void judge(struct stream *s)
{
    struct relayed *r = relayed_of(s);

    if (!r->called || !r->twin || gate_lets_out(s->lane, POLICY_GUEST, r->twin->s.lane, s->v.local.port))
        return;
    stream_cut(s);
    if (!stream_is_closed(&r->twin->s))
        stream_cut(&r->twin->s);
}

/* ---- a guest that goes ---- */

static void last_words(struct stream *s)
{
    while (relayed_of(s)->twin && turn(&relayed_of(s)->twin->s) == STREAM_MORE)
        ;
}

static void lost(struct stream *s, enum lane_cut why)
{
    struct relayed *r = relayed_of(s);
    struct stream *t;

    if (!r->twin)
        return;
    t = &r->twin->s;
    r->twin->twin = NULL;
    r->twin = NULL;
    if (s->open && s->guest_eof && !s->told_eof && !stream_is_closed(t) && !vconn_is_send_shut(&t->v.c) &&
        deliver_begin(t, s))
        return;
    if (!stream_is_closed(t))
        vmux_abort(t->lane->mux, &t->v, ECONNRESET, lane_cut_reason(why));
    stream_end(t);
}

const struct end_kind relay_end = {
    .name = "guest",
    .size = sizeof(struct relayed),
    .policy = POLICY_GUEST,
    .has_messages = true,
    .passes_credit = true,
    .offer = offer,
    .turn = turn,
    .event = event,
    .last_words = last_words,
    .lost = lost,
    .judge = judge
};
