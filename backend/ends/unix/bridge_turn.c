/* SPDX-License-Identifier: MIT */
/* bridge_turn.c: a bridge's events and turns, and what it is as a kind of end. */
#include "bridge_inside.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "admit.h"
#include "gate.h"
#include "watchers.h"

/* The guest has accepted: the client may begin. */
static void say_ok(struct bridge *b)
{
    char line[32];
    int len = snprintf(line, sizeof line, "OK %u\n", b->s.v.local.port);

    stream_opened(&b->s);
    fate_open(fates_of(b), &b->fate, b->s.v.local.port);
    bridge_let_in(b);
    if (!b->is_channel && send(b->socket.fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        b->hung_up = true;      /* nothing was ever written to it: only a closed socket does not take this */
}

static void event(struct stream *s, unsigned now)
{
    struct bridge *b = bridge_of(s);

    if (now & VCONN_NOW_OPEN)
        say_ok(b);
    /* Whoever stands in write() gets EPIPE; drop_queue() and bridge_drop_closed() see to the others. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED) && b->socket.fd >= 0) {
        shutdown(b->socket.fd, SHUT_RD);
        b->readable = true;
    }
    stream_wake(&b->s);
}

/* ---- a turn ---- */

/* The host program has closed its socket, and has neither said that it had sent all, nor anybody that could. */
static bool has_died(const struct bridge *b)
{
    return b->hung_up && b->s.open && b->holds && !b->said_end && !watchers_vouch(&b->fate.watched);
}

/* Nothing is left to do: the guest's end is over, and all it sent is delivered or has nobody to read it. */
static bool is_over(const struct bridge *b)
{
    return stream_is_closed(&b->s) && (!b->s.open || b->s.deaf || !stream_has_whole(&b->s));
}

static enum stream_again turn(struct stream *s)
{
    struct bridge *b = bridge_of(s);
    enum stream_again to_host = STREAM_WAITS, to_guest = STREAM_WAITS;

    if (!s->open && b->hung_up && !b->is_channel && !stream_is_closed(s))
        vmux_abort(s->lane->mux, &s->v, ECONNRESET, REASON(ABORTED));   /* the client gave up while it waited for OK */
    if (has_died(b))
        bridge_abandoned(&b->fate.watched);
    if (!b->leaving) {
        to_host = bridge_turn_to_host(b);
        to_guest = stream_is_closed(s) ? bridge_drop_closed(b) : bridge_turn_to_guest(b);
    }
    if (!b->leaving && !stream_is_closed(s) && b->host_eof && s->deaf)
        bridge_leave(b);
    if (is_over(b)) {
        if (s->open)
            bridge_end_as(b, bridge_judge(b));
        else
            bridge_close_as(b, FATE_ORDER);
        stream_end(s);
        return STREAM_ENDED;
    }
    if (to_host == STREAM_MORE || to_guest == STREAM_MORE)
        return STREAM_MORE;
    return to_host == STREAM_STARVES ? to_host : to_guest;
}

/* ---- a new policy ---- */

static bool is_allowed(const struct bridge *b)
{
    const struct lane *lane = b->s.lane;

    if (b->by_host)
        return !admit(lane, b->socket.fd, b->s.v.peer.port);
    return gate_lets_out(lane, POLICY_UNIX, NULL, b->s.v.local.port);
}

static void judge_again(struct stream *s)
{
    struct bridge *b = bridge_of(s);

    if (b->leaving || is_allowed(b))
        return;
    b->forbidden = true;
    stream_cut(s);
}

static unsigned ready(const struct stream *s)
{
    const struct bridge *b = (const struct bridge *)(const void *)s;

    return (b->readable ? END_READABLE : 0) | (b->writable ? END_WRITABLE : 0);
}

const struct end_kind bridge_end = {
    .name = "host",
    .size = sizeof(struct bridge),
    .policy = POLICY_UNIX,
    .has_messages = true,
    .offer = bridge_offer,
    .turn = turn,
    .event = event,
    .lost = bridge_lost,
    .close = bridge_close,
    .judge = judge_again,
    .ready = ready
};
