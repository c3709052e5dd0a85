/* SPDX-License-Identifier: MIT */
/* stream.c: see stream.h. */
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "feed.h"
#include "gate.h"

size_t end_record_size(const struct end_kind *const *ends)
{
    size_t most = sizeof(struct stream);

    for (; *ends; ends++)
        most = (*ends)->size > most ? (*ends)->size : most;
    return most;
}

struct reason lane_cut_reason(enum lane_cut why)
{
    switch (why) {
    case LANE_STOPPED:  return REASON(STOPPED);
    case LANE_DETACHED: return REASON(DETACHED);
    case LANE_GONE:     return REASON(GONE);
    case LANE_REFUSED:  return REASON(VIOLATION);
    case LANE_DOWN:     return REASON(LEFT);
    }
    return REASON(NONE);
}

/* ---- telling what happens, if anybody listens (feed.h) ---- */

static struct happening of(const struct stream *s, enum event_kind kind)
{
    return (struct happening){
        .kind = kind, .lane = s->lane, .has_ends = true, .from = s->called ? s->v.local : s->v.peer, .to = s->called ? s->v.peer : s->v.local
    };
}

static void tell(const struct happening *h)
{
    feed_tell(h->lane->all, h);
}

__attribute__((cold))
static void tell_opened(const struct stream *s)
{
    struct happening h = of(s, EVENT_OPENED);

    tell(&h);
}

/* It was never open: refused, or whoever asked has given it up, which is no event. */
static void tell_refused(const struct stream *s)
{
    struct happening h = of(s, EVENT_REFUSED);

    h.has_reason = true;
    h.reason = s->v.c.error == ETIMEDOUT && !s->v.c.reason.code ? REASON(TIMEOUT) : s->v.c.reason;
    if ((s->v.c.error == ECONNREFUSED || s->v.c.error == ETIMEDOUT) && (s->called || h.reason.code != VSOCKIF_REASON_POLICY))
        tell(&h);
}

static void tell_reset(const struct stream *s, struct reason why, bool by_guest)
{
    struct happening h = of(s, EVENT_RESET);

    h.has_reason = true;
    h.reason = why;
    h.by_guest = by_guest;
    tell(&h);
}

__attribute__((cold))
static void tell_ended(const struct stream *s)
{
    const struct vconn *c = &s->v.c;
    struct happening h = of(s, EVENT_ENDED);

    if (!s->open)
        tell_refused(s);
    else if (stream_is_closed(s) && c->error)
        tell_reset(s, c->reason, s->heard_reset);
    else if (!stream_is_closed(s) && vconn_unread(c))
        tell_reset(s, REASON(UNREAD), false);       /* which its release does (vconn_close()) */
    else
        tell(&h);
}

__attribute__((cold))
static void tell_lost(const struct stream *s, struct reason why, bool by_guest)
{
    struct happening h = of(s, EVENT_REFUSED);

    if (s->open && s->v.c.error) {
        tell_reset(s, why, by_guest);
    } else if (s->called && !s->open) {
        h.has_reason = true;
        h.reason = why;
        tell(&h);
    }
}

/* ---- by the lane ---- */

static uint32_t now_us(void)
{
    return (uint32_t)(uv_hrtime() / 1000);
}

/* Fills in what is not zero in a record that has just come from the table. */
static void init(struct stream *s, struct lane *lane)
{
    s->lane = lane;
    s->asked_at = now_us();
    list_init(&s->turn);
    list_init(&s->holding);
}

static void say_forbidden(struct stream *s, enum policy_kind to)
{
    gate_refused_out(s->lane, to, to == POLICY_GUEST ? lanes_find_any(s->lane->all, s->v.local.cid) : NULL, s->v.local.port);
}

/* What a kind's refusal is to its guest. */
static struct reason reason_of(int err)
{
    switch (-err) {
    case EHOSTUNREACH: return REASON(UNKNOWN);
    case EHOSTDOWN:    return REASON(ABSENT);
    case EMFILE:
    case ENOBUFS:      return REASON(LIMIT);
    case ENOMEM:       return REASON(SHORT);
    case ESOCKTNOSUPPORT: return REASON(STREAMS);
    default:           return REASON(NONE);
    }
}

/* The first kind from here on that does not decline; NULL, it is refused, and why. */
static const struct end_kind *find_end(struct stream *s, const struct end_kind *const *kind, struct reason *why)
{
    const struct end_kind *forbidden = NULL;
    bool has_messages = vconn_is_seqpacket(&s->v.c);

    for (; *kind; kind++) {
        int err = (*kind)->offer && (!has_messages || (*kind)->has_messages) ? (*kind)->offer(s) : -ENOENT;

        if (err == -EACCES && !forbidden)
            forbidden = *kind;
        *why = reason_of(err);
        if (err != -ENOENT && err != -EACCES)
            return err ? NULL : *kind;
    }
    *why = forbidden ? REASON(POLICY) : REASON(NOBODY);
    if (forbidden)
        say_forbidden(s, forbidden->policy);
    return NULL;
}

void stream_refuse(struct stream *s, struct reason why)
{
    lane_tell_refused(s->lane, why, s->v.local.port);
    vmux_abort(s->lane->mux, &s->v, ECONNREFUSED, why);
    stream_end(s);
}

/* Its end, from here on in the table. */
static void find_or_refuse(struct stream *s, const struct end_kind *const *kind)
{
    struct reason why;

    if (!(s->kind = find_end(s, kind, &why)))
        stream_refuse(s, why);
}

/* It asks for more than it may: counted, and told as what the policy forbids is. */
static bool is_too_fast(struct lane *lane)
{
    const struct settings_rate *rate = &lane->limits.given.connects;
    char why[120];

    if (!bucket_limits(&lane->limits.connects) || limits_connect(&lane->limits, clock_deadline_ms(0)))
        return false;
    if (refusals_again(&lane->refusals, REFUSALS_TOO_FAST))
        return true;
    snprintf(why, sizeof why, "connect_rate = %llu, burst %llu", (unsigned long long)rate->per_second, (unsigned long long)rate->burst);
    if (feed_is_heard(lane->all))
        feed_tell(lane->all, &(struct happening){ .kind = EVENT_HURRIED, .lane = lane, .has_reason = true, .reason = REASON(RATE),
                                                  .text = "it asks for more connections than it may" });
    refusals_add(&lane->refusals, (struct refusals_what){ EVENT_HURRIED, reason_word(VSOCKIF_REASON_RATE) }, lane->journal,
                 REFUSALS_TOO_FAST, "asks for more connections than it may", why);
    return true;
}

void stream_offered(struct lane *lane, struct stream *s)
{
    init(s, lane);
    promise_make(&lane->promises, &s->promise);
    vmux_set_buf_alloc(lane->mux, &s->v, stream_window(s));
    if (is_too_fast(lane))
        stream_refuse(s, REASON(RATE));
    else
        find_or_refuse(s, lane->all->ends);
}

void stream_pass_on(struct stream *s)
{
    const struct end_kind *const *kind = s->lane->all->ends;

    while (*kind != s->kind)
        kind++;
    memset((char *)s + sizeof *s, 0, s->kind->size - sizeof *s);
    find_or_refuse(s, kind + 1);
}

enum stream_again stream_turn(struct stream *s)
{
    return s->kind->turn(s);
}

bool stream_event(struct stream *s, unsigned now, const struct link_request *packet)
{
    struct lane *lane = s->lane;
    bool kept = false;

    if (now & VCONN_NOW_DATA && !s->deaf) {
        if (inbox_is_empty(&s->inbox))
            list_append(&lane->holding, &s->holding);
        if (vconn_is_seqpacket(&s->v.c))
            inbox_add_part(&lane->inboxes, &s->inbox, packet->id, packet->data, packet->hdr.len, packet->hdr.flags);
        else
            inbox_add(&lane->inboxes, &s->inbox, packet->id, packet->data, packet->hdr.len);
        kept = true;
    } else if (now & VCONN_NOW_DATA) {
        vmux_consumed(lane->mux, &s->v, packet->hdr.len);
    } else if (now & VCONN_NOW_CLOSED && packet && packet->hdr.op == VSOCKIF_OP_RST) {
        vconn_heard(&s->v.c, reason_of_guest(packet->reason));
        s->heard_reset = true;
    }
    s->unread |= (now & (VCONN_NOW_DATA | VCONN_NOW_DROP)) && !kept;
    s->guest_eof |= (now & VCONN_NOW_EOF) != 0;
    if (s->kind->event)
        s->kind->event(s, now);
    else
        stream_wake(s);
    return kept;
}

static void close_end(struct stream *s)
{
    if (s->kind && s->kind->close)
        s->kind->close(s);
}

void stream_lost(struct stream *s, enum lane_cut why)
{
    if (s->kind->lost)
        s->kind->lost(s, why);
    stream_discard(s);
    s->lane->count.drops += s->unread;
    if (feed_is_heard(s->lane->all))
        tell_lost(s, lane_cut_reason(why), why != LANE_STOPPED && why != LANE_DETACHED);
    list_remove(&s->turn);
    close_end(s);
}

static void judge(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);

    (void)arg;
    if (!conn->released && !stream_is_closed(s) && s->kind->judge)
        s->kind->judge(s);
}

void streams_judge(struct lane *lane)
{
    if (lane->mux)
        vmux_each(lane->mux, judge, NULL);
}

/* ---- by its end ---- */

int stream_connect(struct lane *lane, const struct end_kind *kind, struct vaddr local, struct vaddr peer, uint32_t most,
                   struct stream **out)
{
    struct promise promise = { 0 };
    struct vmux_conn *conn;
    uint32_t bytes = promise_make(&lane->promises, &promise);
    int err = vmux_connect(lane->mux, local, peer, bytes < most ? bytes : most, VCONN_CONNECT_MS, clock_deadline_ms(0), &conn);

    if (err) {
        promise_end(&lane->promises, &promise);
        return err;
    }
    *out = stream_of(conn);
    init(*out, lane);
    (*out)->called = true;
    (*out)->kind = kind;
    (*out)->promise = promise;
    lane_wake(lane);
    return 0;
}

void stream_wake(struct stream *s)
{
    list_remove(&s->turn);
    list_append(&s->lane->streams_turn, &s->turn);
    lane_wake(s->lane);
}

void stream_opened(struct stream *s)
{
    struct lane *lane = s->lane;

    s->open = true;
    latency_add(s->called ? &lane->count.called : &lane->count.calls, now_us() - s->asked_at);
    if (feed_is_heard(lane->all))
        tell_opened(s);
}

bool stream_delivered(struct stream *s, uint32_t len)
{
    struct lane *lane = s->lane;

    s->stuck = false;
    lane->delivered += len;
    inbox_take(&lane->inboxes, &s->inbox, len);
    lane->moved = true;
    if (inbox_is_empty(&s->inbox))
        list_remove(&s->holding);
    return promise_taken(&lane->promises, &s->promise, len) &&
           promise_proven(&lane->promises, &s->promise, (uint16_t)lane->back.waits, !vconn_is_seqpacket(&s->v.c));
}

void stream_consumed(struct stream *s, uint32_t len)
{
    if (stream_delivered(s, len))
        vmux_set_buf_alloc(s->lane->mux, &s->v, stream_window(s));
    vmux_consumed(s->lane->mux, &s->v, len);
}

void stream_shut(struct stream *s, unsigned flags)
{
    vmux_shutdown(s->lane->mux, &s->v, flags, clock_deadline_ms(0));
}

void stream_become_deaf(struct stream *s)
{
    if (s->deaf)
        return;
    s->deaf = true;
    stream_shut(s, VSOCKIF_SHUTDOWN_RCV);
    stream_discard(s);
}

void stream_discard(struct stream *s)
{
    uint32_t len = inbox_drop(&s->lane->inboxes, &s->inbox);

    list_remove(&s->holding);
    s->unread |= len > 0;
    if (len && s->lane->mux)
        vmux_consumed(s->lane->mux, &s->v, len);
}

void stream_drop_part(struct stream *s)
{
    inbox_drop(&s->lane->inboxes, &s->inbox);
    list_remove(&s->holding);
}

void stream_copy(const struct iovec *to, const struct iovec *from, uint32_t len)
{
    size_t to_at = 0, from_at = 0;

    while (len) {
        size_t n = len;

        if (n > to->iov_len - to_at)
            n = to->iov_len - to_at;
        if (n > from->iov_len - from_at)
            n = from->iov_len - from_at;
        memcpy((char *)to->iov_base + to_at, (const char *)from->iov_base + from_at, n);
        len -= (uint32_t)n;
        if ((to_at += n) == to->iov_len) {
            to++;
            to_at = 0;
        }
        if ((from_at += n) == from->iov_len) {
            from++;
            from_at = 0;
        }
    }
}

void stream_cut(struct stream *s)
{
    s->deaf = true;
    vmux_abort(s->lane->mux, &s->v, EACCES, REASON(POLICY));
    stream_discard(s);
    stream_wake(s);
}

void stream_end(struct stream *s)
{
    struct lane *lane = s->lane;

    if (!s->open && (s->v.c.error == ECONNREFUSED || s->v.c.error == ETIMEDOUT))
        lane_refused(lane, s->called, s->v.c.reason);
    if (feed_is_heard(lane->all))
        tell_ended(s);
    stream_discard(s);
    lane->count.drops += s->unread;
    list_remove(&s->turn);
    promise_end(&lane->promises, &s->promise);
    close_end(s);
    vmux_release(lane->mux, &s->v, clock_deadline_ms(0));
    lane_wake(lane);
}
