/* SPDX-License-Identifier: MIT */
/* serve.c: see serve.h. */
#include "serve.h"

#include <errno.h>
#include <sched.h>

#include "relay.h"
#include "stream.h"

#define SPIN_LOOKS   64         /* at the ring, between two rounds of the loop: some microseconds */
#define CATCH        16         /* pieces of work in one turn, each all that there was */
#define STORM_EVENTS 64u        /* events without work, in a row, that are forgiven */
#define STORM_MAX_MS 16u        /* between two looks at a guest that goes on */
#define LAST_TURNS   64         /* rounds of turns for a device that goes away */
#define LOOK_AGAIN_MS 100u      /* life.h: after an event without work */

/* ---- the beginning ---- */

static void on_channel(struct source *source, uint32_t events)
{
    struct device *d = container_of(source, struct device, channel);

    if (!(events & EPOLLIN) || !map_take_event(&d->map))
        return;
    d->count.notify_received++;
    d->masked = true;
    if (!d->moved)
        d->idle_events++;
    else
        d->idle_events = 0;
    d->moved = false;
    if (!map_is_live(&d->map))
        device_look(d);
    device_wake(d);
}

int serve_start(struct device *d)
{
    struct vmux_config config = {
        .conn_size = sizeof(struct stream),
        .max_conns = d->x->settings->max_connections,
        .tx_cap = DEVICE_TX_CAP,
        .first_port = DEVICE_FIRST_PORT,
        .last_port = FATE_FIRST - 1,
        .start_port = DEVICE_FIRST_PORT + fates_random() % (FATE_FIRST - DEVICE_FIRST_PORT),
        .offer = true
    };
    int err;

    link_back_init(&d->back, &d->map.mem);
    d->account->held.limit = d->x->settings->held_spill_bytes;
    inbox_table_init(&d->inboxes, &d->back, &d->account->held);
    list_init(&d->streams_turn);
    list_init(&d->thirst);
    list_init(&d->starved);
    list_init(&d->holding);
    d->masked = d->moved = false;
    d->spin_until = 0;
    d->idle_events = 0;
    d->unmask_at = d->feed_at = UINT64_MAX;
    d->sweep_at = 0;
    promises_init(&d->promises, d->account->held.limit - d->account->held.limit / 8, d->map.mem.tx_bytes / 2);
    config.buf_alloc = d->promises.most;        /* stream_offered() says what it really is */
    if ((err = vmux_new(&config, &d->mux)))
        return err;
    vmux_set_cids(d->mux, 0, d->cid);
    if ((err = source_add(&d->x->poller, &d->channel, map_fd(&d->map), EPOLLIN, on_channel))) {
        vmux_free(d->mux);
        d->mux = NULL;
        return err;
    }
    device_wake(d);
    return 0;
}

/* ---- from the guest ---- */

/* Acts on what the table says.  True if the packet's data was kept, and its id with it. */
static bool act(struct device *d, const struct vmux_event *ev, const struct link_request *packet)
{
    switch (ev->kind) {
    case VMUX_OFFER:
        stream_init(stream_of(ev->conn), d);
        stream_offered(stream_of(ev->conn));
        return false;
    case VMUX_CONN:
        return stream_event(stream_of(ev->conn), ev->now, packet);
    default:
        return false;
    }
}

static void violation(struct device *d, const char *why, const struct vsockif_hdr *h)
{
    device_refuse(d, "%s (op %u, type %u, flags %u, len %u, from %llu:%u to %llu:%u, buf_alloc %u, fwd_cnt %u)", why,
                  h->op, h->type, h->flags, h->len, (unsigned long long)h->src_cid, h->src_port,
                  (unsigned long long)h->dst_cid, h->dst_port, h->buf_alloc, h->fwd_cnt);
}

static void set_budget(struct device *d)
{
    d->left.packets = SERVE_PACKETS;
    d->left.turns = SERVE_TURNS;
}

/* A packet's part of the budget. */
static int32_t cost_of(const struct vsockif_hdr *h)
{
    return h->op == VSOCKIF_OP_REQUEST ? SERVE_REQUEST : (int32_t)(1 + h->len / SERVE_PAGE);
}

/* 1: there is more; 0: nothing is left, or the table is choked; -EPROTO: refused. */
static int receive(struct device *d)
{
    while (d->left.packets > 0) {
        struct link_request packet;
        struct vmux_event ev;
        int got;

        if (vmux_is_choked(d->mux))
            return 0;
        if ((got = link_back_recv(&d->back, &packet)) <= 0) {
            if (got)
                device_refuse(d, "%s", d->back.why);
            return got;
        }
        d->moved = true;
        vmux_rx(d->mux, &packet.hdr, xvsd_now(d->x), &ev);
        if (ev.kind == VMUX_VIOLATION) {
            violation(d, ev.why, &packet.hdr);
            return -EPROTO;
        }
        if (!act(d, &ev, &packet))
            link_back_done(&d->back, packet.id);
        d->left.packets -= cost_of(&packet.hdr);
    }
    return 1;
}

/* True if there may be more that are due. */
static bool expire(struct device *d)
{
    uint64_t now = xvsd_now(d->x);
    struct vmux_event ev;

    for (int n = 0; vmux_next_deadline(d->mux) <= now && vmux_expire(d->mux, now, &ev); n++) {
        act(d, &ev, NULL);
        if (n == SERVE_TURNS)
            return true;
    }
    return false;
}

/* ---- to the guest ---- */

static void send_owed(struct device *d)
{
    struct vsockif_hdr hdr;
    struct vmux_conn *who;

    while (vmux_has_owed(d->mux) && link_back_can_send(&d->back) && vmux_owed_by(d->mux, &hdr, &who)) {
        link_back_send(&d->back, &hdr);
        d->moved = true;
        if (who && hdr.op == VSOCKIF_OP_RESPONSE)
            stream_wake(stream_of(who));        /* it has room from now on */
    }
}

/* Bytes that streams have moved, either way. */
static uint64_t moved_bytes(const struct device *d)
{
    return d->delivered + d->back.counters.tx_bytes;
}

/* True if streams still wait for a turn. */
static bool give_turns(struct device *d)
{
    uint64_t end = moved_bytes(d) + SERVE_BYTES;

    while (d->left.turns > 0 && moved_bytes(d) < end) {
        struct list *link = list_take(&d->streams_turn);
        struct stream *s;

        if (!link)
            return false;
        d->left.turns--;
        s = container_of(link, struct stream, turn);
        switch (stream_turn(s)) {
        case STREAM_MORE:
            list_append(&d->streams_turn, &s->turn);
            break;
        case STREAM_THIRSTS:
            list_append(&d->thirst, &s->turn);
            break;
        case STREAM_STARVES:
            list_append(&d->starved, &s->turn);
            if (d->feed_at == UINT64_MAX)
                d->feed_at = clock_deadline_ms(SERVE_FEED_MS);
            break;
        default:
            break;
        }
    }
    return !list_is_empty(&d->streams_turn);
}

static void give_turns_to(struct device *d, struct list *waiting)
{
    struct list *link;

    while ((link = list_take(waiting)))
        list_append(&d->streams_turn, link);
}

static void feed_starved(struct device *d)
{
    if (d->feed_at > xvsd_now(d->x))
        return;
    d->feed_at = UINT64_MAX;
    give_turns_to(d, &d->starved);
}

/* Data that stands still takes the guest's own ring from its other streams: move it out of the way. */
static void make_way(struct device *d)
{
    struct list *link = d->holding.next, *next;

    for (; link != &d->holding && inbox_is_tight(&d->inboxes); link = next) {
        struct stream *s = container_of(link, struct stream, holding);

        next = link->next;
        if (!s->stuck || !s->inbox.held_bytes)
            continue;
        d->count.spills++;
        if (promise_stuck(&d->promises, &s->promise) && !s->twin)
            vmux_set_buf_alloc(d->mux, &s->v, s->promise.bytes);
        if (inbox_spill(&d->inboxes, &s->inbox))
            break;              /* the budget is spent: from here on only this guest waits */
    }
}

/* ---- a piece of work ---- */

void device_wake(struct device *d)
{
    if (!d->mux || !list_is_empty(&d->turn))
        return;
    list_append(&d->x->turns, &d->turn);
}

void device_unmask(struct device *d)
{
    d->unmask_at = UINT64_MAX;
    if (!d->mux || !d->masked)
        return;
    d->masked = false;
    map_unmask(&d->map);
}

/* What has gone through the rings so far: it changes with every piece of work. */
static uint32_t progress(const struct device *d)
{
    return d->back.tx.in + d->back.tx.out + d->back.rx.in + d->back.rx.out;
}

enum served {
    SERVED_ALL,                 /* nothing is left to do */
    SERVED_MORE,                /* it has more to do, or spins */
    SERVED_CAUGHT,              /* nothing was left to do, and then something came */
    SERVED_ENDED                /* the device is refused */
};

/* For a turn, in this round or the next.  Its own work may have put d itself in line again. */
static bool others_wait(const struct device *d)
{
    const struct list *turns = &d->x->turns;

    return !list_is_empty(&d->x->round) ||
           (turns->next != turns && !(turns->next == &d->turn && turns->prev == &d->turn));
}

/* Nothing is left to do.  Is it worth looking again for a while before the guest is asked to notify
 * us (spinner.h)?  The channel stays masked and the events unarmed meanwhile, so the guest sends none. */
static enum served spin(struct device *d, bool worked)
{
    uint64_t now;

    if (!d->x->settings->spin_us)
        return SERVED_ALL;
    if (d->spin_until && worked) {
        d->spin_until = 0;
        spinner_note(&d->spinner, true);
    }
    if (!d->spin_until && !(worked && spinner_wants(&d->spinner)))
        return SERVED_ALL;
    now = uv_hrtime();
    if (!d->spin_until)
        d->spin_until = now + spinner_time(&d->spinner, d->x->settings->spin_us) * UINT64_C(1000);
    if (now >= d->spin_until) {
        d->spin_until = 0;
        spinner_note(&d->spinner, false);
        return SERVED_ALL;
    }
    /* With nobody else at work this is the place to look: a round of the loop costs system calls. */
    if (!others_wait(d))
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (ring_pending(&d->back.tx))
                return SERVED_CAUGHT;
            shm_relax();
        }
    return SERVED_MORE;
}

/* Nothing is left to do, and spinning does not pay.  True if the processor was given to others and is here again: it is worth
 * another look at everything, sockets included. */
static bool yielded(struct device *d, bool worked)
{
    uint64_t began;

    if (d->has_yielded)
        spinner_note(&d->yields, worked);
    d->has_yielded = false;
    if (!d->x->settings->spin_us || !worked || others_wait(d) || !spinner_wants(&d->yields))
        return false;
    began = uv_hrtime();
    if (began < d->x->next_yield)
        return false;
    sched_yield();
    d->x->next_yield = spinner_next_yield(began, uv_hrtime());
    return d->has_yielded = true;
}

static void sleep_now(struct device *d)
{
    uint32_t storm = d->idle_events > STORM_EVENTS ? d->idle_events - STORM_EVENTS : 0;

    if (!d->masked || d->unmask_at != UINT64_MAX)
        return;
    if (d->idle_events)
        d->look_at = clock_deadline_ms(LOOK_AGAIN_MS);
    if (!storm) {
        device_unmask(d);
        return;
    }
    if (storm == 1)
        d->count.storms++;
    d->unmask_at = clock_deadline_ms(storm < STORM_MAX_MS ? storm : STORM_MAX_MS);
}

static void notify(struct device *d)
{
    uint64_t begin = spinner_times(&d->spinner) ? uv_hrtime() : 0;

    d->count.notify_sent++;
    map_notify(&d->map);
    if (begin)
        spinner_price(&d->spinner, uv_hrtime() - begin);
}

static enum served serve(struct device *d)
{
    uint32_t buffers = d->back.count, before = progress(d);
    enum served served;
    bool more, worked;
    int got;

    if (link_back_refill(&d->back)) {
        device_refuse(d, "%s", d->back.why);
        return SERVED_ENDED;
    }
    if (d->back.count > buffers)
        d->moved = true;
    if (d->back.count)
        give_turns_to(d, &d->thirst);
    feed_starved(d);
    if ((got = receive(d)) < 0)
        return SERVED_ENDED;
    more = expire(d);
    send_owed(d);
    more |= give_turns(d);
    make_way(d);
    send_owed(d);
    if (link_back_publish(&d->back))
        notify(d);
    if (got || more || !list_is_empty(&d->streams_turn))
        return SERVED_MORE;
    worked = progress(d) != before;
    if ((served = spin(d, worked)) != SERVED_ALL)
        return served;
    if (yielded(d, worked))
        return ring_pending(&d->back.tx) ? SERVED_CAUGHT : SERVED_MORE;
    if (!link_back_arm(&d->back, !vmux_is_choked(d->mux), !list_is_empty(&d->thirst) || vmux_has_owed(d->mux)))
        return SERVED_CAUGHT;
    return SERVED_ALL;
}

/* What a piece of work may have changed of device_deadline(). */
static uint64_t deadline(const struct device *d)
{
    uint64_t at = vmux_next_deadline(d->mux);

    at = d->look_at < at ? d->look_at : at;
    at = d->unmask_at < at ? d->unmask_at : at;
    return d->feed_at < at ? d->feed_at : at;
}

void device_serve(struct device *d)
{
    enum served served = SERVED_CAUGHT;
    int n = 0;

    if (!device_is_connected(d))
        return;
    set_budget(d);
    /* What came while the guest was being notified is most often its answer: a round of the loop would be a system call more. */
    for (uint64_t end = moved_bytes(d) + SERVE_BYTES; served == SERVED_CAUGHT && moved_bytes(d) < end && n < CATCH; n++)
        served = serve(d);
    if (served == SERVED_ENDED)
        return;
    if (served == SERVED_ALL)
        sleep_now(d);
    else
        device_wake(d);
    xvsd_wake_at(d->x, deadline(d));
}

/* ---- the end ---- */

/* A program in the guest may write, close and exit at once: what it had put into the ring is still delivered, as far as the
 * readers take it now.  It ends, because nothing is published: at most a ring full of packets can be there. */
static void last_words(struct device *d)
{
    d->ending = true;
    do
        set_budget(d);
    while (receive(d) > 0);
    for (int n = 0; n < LAST_TURNS && give_turns(d); n++)
        set_budget(d);
    for (struct list *link = d->holding.next, *next; link != &d->holding; link = next) {
        struct stream *s = container_of(link, struct stream, holding);

        next = link->next;
        while (s->twin && stream_turn(s->twin) == STREAM_MORE)
            ;
    }
    d->ending = false;
}

static void lose(struct vmux_conn *conn, void *arg)
{
    (void)arg;
    if (!conn->released)
        stream_lost(stream_of(conn));
}

void serve_stop(struct device *d)
{
    if (!d->mux)
        return;
    source_remove(&d->x->poller, &d->channel);
    if (!d->life.refuse)        /* one that broke a rule is not listened to */
        last_words(d);
    list_remove(&d->turn);
    vmux_transport_reset(d->mux, NULL, NULL);
    vmux_each(d->mux, lose, NULL);
    vmux_free(d->mux);
    d->mux = NULL;
    list_remove(&d->turn);      /* a stream that ended may have asked for a turn */
    d->count.from_packets += d->back.counters.rx_packets;
    d->count.from_bytes += d->back.counters.rx_bytes;
    d->count.to_packets += d->back.counters.tx_packets;
    d->count.to_bytes += d->back.counters.tx_bytes;
    d->count.connects++;
}
