/* SPDX-License-Identifier: MIT */
/* serve.c: see serve.h. */
#include "serve.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "feed.h"
#include "show.h"
#include "stream.h"

#define SPIN_LOOKS   64         /* at the ring, between two rounds of the loop: some microseconds */
#define CATCH        16         /* pieces of work in one turn, each all that there was */
#define STORM_EVENTS 64u        /* events without work, in a row, that are forgiven */
#define STORM_MAX_MS 16u        /* between two looks at a guest that goes on */
#define LAST_TURNS   64         /* rounds of turns for a lane that goes down */
#define LOOK_AGAIN_MS 100u      /* life.h: the owner, after an event without work */

/* ---- from the guest ---- */

/* Acts on what the table says.  True if the packet's data was kept, and its id with it. */
static bool act(struct lane *lane, const struct vmux_event *ev, const struct link_request *packet)
{
    switch (ev->kind) {
    case VMUX_OFFER:
        stream_offered(lane, stream_of(ev->conn));
        return false;
    case VMUX_CONN:
        return stream_event(stream_of(ev->conn), ev->now, packet);
    case VMUX_NOTHING:
        if (ev->refused.code)
            lane_tell_refused(lane, ev->refused, packet->hdr.dst_port);
        return false;
    default:
        return false;
    }
}

__attribute__((format(printf, 2, 3)))
static void broke(struct lane *lane, const char *format, ...)
{
    char why[256];
    va_list args;

    if (lane->ending)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    lane->owner->broke(lane, why);
}

static void violation(struct lane *lane, const char *why, const struct vsockif_hdr *h)
{
    broke(lane, "%s (op %u, type %u, flags %u, len %u, from %llu:%u to %llu:%u, buf_alloc %u, fwd_cnt %u)", why, h->op, h->type,
          h->flags, h->len, (unsigned long long)h->src_cid, h->src_port, (unsigned long long)h->dst_cid, h->dst_port,
          h->buf_alloc, h->fwd_cnt);
}

static void set_budget(struct lane *lane)
{
    lane->left.packets = SERVE_PACKETS;
    lane->left.turns = SERVE_TURNS;
}

/* A packet's part of the budget. */
static int32_t cost_of(const struct vsockif_hdr *h)
{
    return h->op == VSOCKIF_OP_REQUEST ? SERVE_REQUEST : (int32_t)(1 + h->len / SERVE_PAGE);
}

/* 1: there is more; 0: nothing is left, or the table is choked; -EPROTO: refused. */
static int receive(struct lane *lane)
{
    while (lane->left.packets > 0) {
        struct link_request packet;
        struct vmux_event ev;
        int got;

        if (vmux_is_choked(lane->mux))
            return 0;
        if ((got = link_back_recv(&lane->back, &packet)) <= 0) {
            if (got)
                broke(lane, "%s", lane->back.why);
            return got;
        }
        lane->moved = true;
        if (is_shown(lane))
            show_received(lane, &packet);
        vmux_rx(lane->mux, &packet.hdr, loop_now(lane->all->loop), &ev);
        if (ev.kind == VMUX_VIOLATION) {
            violation(lane, ev.why, &packet.hdr);
            return -EPROTO;
        }
        if (!act(lane, &ev, &packet))
            link_back_done(&lane->back, packet.id);
        lane->left.packets -= cost_of(&packet.hdr);
    }
    return 1;
}

/* True if there may be more that are due. */
static bool expire(struct lane *lane)
{
    uint64_t now = loop_now(lane->all->loop);
    struct vmux_event ev;

    for (int n = 0; vmux_next_deadline(lane->mux) <= now && vmux_expire(lane->mux, now, &ev); n++) {
        act(lane, &ev, NULL);
        if (n == SERVE_TURNS)
            return true;
    }
    return false;
}

/* ---- to the guest ---- */

/* A call for which there was no record to be had. */
static void refused_bare(struct lane *lane, const struct vsockif_hdr *rst, struct reason why)
{
    lane_refused(lane, false, why);
    if (feed_is_heard(lane->all))
        feed_refused(lane, (struct vaddr){ .cid = rst->dst_cid, .port = rst->dst_port },
                     (struct vaddr){ .cid = rst->src_cid, .port = rst->src_port }, why);
}

static void send_owed(struct lane *lane)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    while (vmux_has_owed(lane->mux) && link_back_can_send(&lane->back) && vmux_owed_by(lane->mux, &hdr, &by)) {
        if (is_shown(lane))
            show_sending(lane, &hdr, by.reason);
        link_back_control(&lane->back, &hdr, by.reason);
        lane->moved = true;
        if (by.bare && by.reason.code)
            refused_bare(lane, &hdr, by.reason);
        if (by.conn && hdr.op == VSOCKIF_OP_RESPONSE)
            stream_wake(stream_of(by.conn));    /* it has room from now on */
    }
}

/* Bytes that streams have moved, either way. */
static uint64_t moved_bytes(const struct lane *lane)
{
    return lane->delivered + lane->back.counters.tx_bytes;
}

void serve_limit(struct lane *lane, const struct settings_limits *limits)
{
    lane->account->most = limits->max_files;
    limits_set(&lane->limits, limits, clock_deadline_ms(0));
    lane->quantum = STREAM_QUANTUM;     /* until we say less */
    lane_wake(lane);
}

uint32_t serve_limited(struct lane *lane)
{
    uint32_t bytes = SERVE_BYTES;

    if (!lane->ending)
        bytes = limits_pay(&lane->limits, moved_bytes(lane), SERVE_BYTES, clock_deadline_ms(0));
    lane->quantum = bytes < STREAM_QUANTUM ? bytes : STREAM_QUANTUM;
    return bytes;
}

/* Streams wait for a turn, and may have it. */
static bool has_turns(const struct lane *lane)
{
    return !list_is_empty(&lane->streams_turn) && !limits_hold(&lane->limits);
}

/* True if streams still wait for a turn. */
static bool give_turns(struct lane *lane)
{
    uint64_t end = moved_bytes(lane) + serve_allowance(lane);

    while (lane->left.turns > 0 && moved_bytes(lane) < end) {
        struct list *link = list_take(&lane->streams_turn);
        struct stream *s;

        if (!link)
            return false;
        lane->left.turns--;
        s = container_of(link, struct stream, turn);
        switch (stream_turn(s)) {
        case STREAM_MORE:
            list_append(&lane->streams_turn, &s->turn);
            break;
        case STREAM_THIRSTS:
            lane->count.buffer_waits++;
            list_append(&lane->thirst, &s->turn);
            break;
        case STREAM_STARVES:
            list_append(&lane->starved, &s->turn);
            if (lane->feed_at == UINT64_MAX)
                lane->feed_at = clock_deadline_ms(SERVE_FEED_MS);
            break;
        default:
            break;
        }
    }
    return has_turns(lane);
}

static void give_turns_to(struct lane *lane, struct list *waiting)
{
    struct list *link;

    while ((link = list_take(waiting)))
        list_append(&lane->streams_turn, link);
}

static void feed_starved(struct lane *lane)
{
    if (lane->feed_at > loop_now(lane->all->loop))
        return;
    lane->feed_at = UINT64_MAX;
    give_turns_to(lane, &lane->starved);
}

/* Its reader does not take what is there, or is to take all of a message whose end has not come.  Who passes credit on takes parts of it,
 * and the host's kernel may be reading them where they are. */
static bool stands_still(const struct stream *s)
{
    return s->stuck || (s->inbox.of_messages && !s->inbox.whole && !s->kind->passes_credit);
}

/* Half of the pool may stand still, but as long as it is in nobody's way: there is no other stream, and a wide promise leaves room for
 * one to begin. */
static uint32_t may_be_held(const struct lane *lane)
{
    const struct stream *first = container_of(lane->holding.next, struct stream, holding);
    bool is_alone = vmux_count(lane->mux) == 1 && promise_is_wide(&lane->promises, &first->promise);

    return is_alone ? lane->map.mem.tx_bytes : lane->map.mem.tx_bytes / 2;
}

/* Data that stands still takes the guest's own ring from its other streams: move it out of the way. */
static void make_way(struct lane *lane)
{
    struct list *link = lane->holding.next, *next;
    uint32_t most = link != &lane->holding ? may_be_held(lane) : 0;

    for (; link != &lane->holding && inbox_is_tight(&lane->inboxes, most); link = next) {
        struct stream *s = container_of(link, struct stream, holding);

        next = link->next;
        if (!stands_still(s) || !s->inbox.held_bytes)
            continue;
        lane->count.spills++;
        /* A message that was begun is still to fit. */
        if (!vconn_is_seqpacket(&s->v.c) && promise_stuck(&lane->promises, &s->promise) && !s->kind->passes_credit)
            vmux_set_buf_alloc(lane->mux, &s->v, s->promise.bytes);
        if (inbox_spill(&lane->inboxes, &s->inbox))
            break;              /* the budget is spent: from here on only this guest waits */
    }
}

/* ---- a piece of work ---- */

static void unmask(struct lane *lane)
{
    lane->unmask_at = UINT64_MAX;
    if (!lane->mux || !lane->masked)
        return;
    lane->masked = false;
    map_unmask(&lane->map);
}

/* What has gone through the rings so far: it changes with every piece of work. */
static uint32_t progress(const struct lane *lane)
{
    return lane->back.tx.in + lane->back.tx.out + lane->back.rx.in + lane->back.rx.out;
}

enum served {
    SERVED_ALL,                 /* nothing is left to do */
    SERVED_MORE,                /* it has more to do, or spins */
    SERVED_CAUGHT,              /* nothing was left to do, and then something came */
    SERVED_ENDED                /* the guest broke a rule */
};

static bool others_wait(const struct lane *lane)
{
    return turn_others_wait(lane->all->loop, &lane->turn);
}

/* Nothing is left to do.  Is it worth looking again for a while before the guest is asked to notify
 * us (spinner.h)?  The channel stays masked and the events unarmed meanwhile, so the guest sends none. */
static enum served spin(struct lane *lane, bool worked)
{
    uint64_t now;

    if (!lane->all->settings->spin_us)
        return SERVED_ALL;
    if (lane->spin_until && worked) {
        lane->spin_until = 0;
        spinner_note(&lane->spinner, true);
    }
    if (!lane->spin_until && !(worked && spinner_wants(&lane->spinner)))
        return SERVED_ALL;
    now = uv_hrtime();
    if (!lane->spin_until)
        lane->spin_until = now + spinner_time(&lane->spinner, lane->all->settings->spin_us) * UINT64_C(1000);
    if (now >= lane->spin_until) {
        lane->spin_until = 0;
        spinner_note(&lane->spinner, false);
        return SERVED_ALL;
    }
    /* With nobody else at work this is the place to look: a round of the loop costs system calls. */
    if (!others_wait(lane))
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (ring_pending(&lane->back.tx))
                return SERVED_CAUGHT;
            shm_relax();
        }
    return SERVED_MORE;
}

/* Nothing is left to do, and spinning does not pay.  True if the processor was given to others and is here again: it is worth
 * another look at everything, sockets included. */
static bool yielded(struct lane *lane, bool worked)
{
    uint64_t began;

    if (lane->has_yielded)
        spinner_note(&lane->yields, worked);
    lane->has_yielded = false;
    if (!lane->all->settings->spin_us || !worked || others_wait(lane) || !spinner_wants(&lane->yields))
        return false;
    began = uv_hrtime();
    if (began < lane->all->next_yield)
        return false;
    sched_yield();
    lane->all->next_yield = spinner_next_yield(began, uv_hrtime());
    return lane->has_yielded = true;
}

/* It sends events without work, more than are forgiven. */
static void tell_storm(struct lane *lane)
{
    lane->count.storms++;
    if (feed_is_heard(lane->all))
        feed_tell(lane->all, &(struct happening){ .kind = EVENT_NOISY, .lane = lane, .text = "it sends notifications without work" });
    if (!refusals_again(&lane->refusals, REFUSALS_NOISY))
        refusals_add(&lane->refusals, (struct refusals_what){ EVENT_NOISY, NULL }, lane->journal, REFUSALS_NOISY,
                     "it sends notifications without work", "it is heard less and less often");
}

static void sleep_now(struct lane *lane)
{
    uint32_t storm = lane->idle_events > STORM_EVENTS ? lane->idle_events - STORM_EVENTS : 0;

    if (!lane->masked || lane->unmask_at != UINT64_MAX)
        return;
    if (lane->idle_events)
        lane->look_at = clock_deadline_ms(LOOK_AGAIN_MS);
    if (!storm) {
        unmask(lane);
        return;
    }
    if (storm == 1)
        tell_storm(lane);
    lane->unmask_at = clock_deadline_ms(storm < STORM_MAX_MS ? storm : STORM_MAX_MS);
}

static void notify(struct lane *lane)
{
    uint64_t begin = spinner_times(&lane->spinner) ? uv_hrtime() : 0;

    lane->count.notify_sent++;
    map_notify(&lane->map);
    if (begin)
        spinner_price(&lane->spinner, uv_hrtime() - begin);
}

static enum served serve(struct lane *lane)
{
    uint32_t buffers = lane->back.count, before = progress(lane);
    enum served served;
    bool more, worked;
    int got;

    if (link_back_refill(&lane->back)) {
        broke(lane, "%s", lane->back.why);
        return SERVED_ENDED;
    }
    if (lane->back.count > buffers)
        lane->moved = true;
    if (lane->back.count)
        give_turns_to(lane, &lane->thirst);
    feed_starved(lane);
    if ((got = receive(lane)) < 0)
        return SERVED_ENDED;
    more = expire(lane);
    send_owed(lane);
    more |= give_turns(lane);
    make_way(lane);
    send_owed(lane);
    if (link_back_publish(&lane->back))
        notify(lane);
    if (got || more || has_turns(lane))
        return SERVED_MORE;
    worked = progress(lane) != before;
    if ((served = spin(lane, worked)) != SERVED_ALL)
        return served;
    if (yielded(lane, worked))
        return ring_pending(&lane->back.tx) ? SERVED_CAUGHT : SERVED_MORE;
    if (!link_back_arm(&lane->back, !vmux_is_choked(lane->mux), !list_is_empty(&lane->thirst) || vmux_has_owed(lane->mux)))
        return SERVED_CAUGHT;
    return SERVED_ALL;
}

static uint64_t deadline(const struct lane *lane)
{
    uint64_t at = vmux_next_deadline(lane->mux);

    at = lane->look_at < at ? lane->look_at : at;
    at = lane->limits.again_at < at ? lane->limits.again_at : at;
    at = lane->unmask_at < at ? lane->unmask_at : at;
    return lane->feed_at < at ? lane->feed_at : at;
}

void serve_turn(struct turn *turn)
{
    struct lane *lane = container_of(turn, struct lane, turn);
    enum served served = SERVED_CAUGHT;
    int n = 0;

    if (!lane_is_connected(lane))
        return;
    set_budget(lane);
    /* What came while the guest was being notified is most often its answer: a round of the loop would be a system call more. */
    for (uint64_t end = moved_bytes(lane) + SERVE_BYTES; served == SERVED_CAUGHT && moved_bytes(lane) < end && n < CATCH; n++)
        served = serve(lane);
    if (served == SERVED_ENDED)
        return;
    if (served == SERVED_ALL)
        sleep_now(lane);
    else
        lane_wake(lane);
    alarm_at(lane->all->loop, &lane->alarm, deadline(lane));
}

/* ---- what makes it work ---- */

void serve_channel(struct source *channel, uint32_t events)
{
    struct lane *lane = container_of(channel, struct lane, channel);

    if (!(events & EPOLLIN) || !map_take_event(&lane->map))
        return;
    lane->count.notify_received++;
    lane->masked = true;
    if (!lane->moved)
        lane->idle_events++;
    else
        lane->idle_events = 0;
    lane->moved = false;
    if (!map_is_live(&lane->map))
        lane->owner->look(lane);
    lane_wake(lane);
}

void serve_alarm(struct alarm *alarm, uint64_t now)
{
    struct lane *lane = container_of(alarm, struct lane, alarm);

    if (lane->unmask_at <= now)
        unmask(lane);
    if (vmux_next_deadline(lane->mux) <= now || lane->feed_at <= now || lane->limits.again_at <= now)
        lane_wake(lane);
    if (lane->look_at <= now) {
        lane->look_at = UINT64_MAX;
        lane->owner->look(lane);
    }
    if (lane->mux)
        alarm_at(lane->all->loop, alarm, deadline(lane));
}

/* ---- the end ---- */

/* A program in the guest may write, close and exit at once: what it had put into the ring is still delivered, as far as the
 * readers take it now.  It ends, because nothing is published: at most a ring full of packets can be there. */
void serve_last_words(struct lane *lane)
{
    lane->ending = true;
    do
        set_budget(lane);
    while (receive(lane) > 0);
    for (int n = 0; n < LAST_TURNS && give_turns(lane); n++)
        set_budget(lane);
    for (struct list *link = lane->holding.next, *next; link != &lane->holding; link = next) {
        struct stream *s = container_of(link, struct stream, holding);

        next = link->next;
        if (s->kind->last_words)
            s->kind->last_words(s);
    }
    lane->ending = false;
}
