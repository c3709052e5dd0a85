/* SPDX-License-Identifier: MIT */
/* updown.c: see updown.h. */
#include "updown.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xengnttab.h>

#include "clock.h"
#include "serve.h"
#include "stream.h"
#include "tap.h"
#include "xenlog.h"

#define TX_CAP (16u << 20)      /* bytes on their way to one connection in the guest: it holds them, not we */

void lane_init(struct lane *lane, struct lanes *all, const struct lane_owner *owner)
{
    *lane = (struct lane){ .all = all, .owner = owner };
    lane->map.port = lane->channel.fd = -1;
    turn_init(&lane->turn, serve_turn);
    alarm_init(&lane->alarm, serve_alarm);
    list_init(&lane->taps);
    list_init(&lane->streams_turn);
    list_init(&lane->thirst);
    list_init(&lane->starved);
    list_init(&lane->holding);
    lane->feed_at = lane->look_at = lane->unmask_at = UINT64_MAX;
    lane->quantum = STREAM_QUANTUM;
    limits_set(&lane->limits, &all->settings->limits, clock_deadline_ms(0));
    refusals_init(&lane->refusals, all->loop);
}

void lane_end(struct lane *lane)
{
    tap_let_go(&lane->taps);
    refusals_end(&lane->refusals);
}

/* ---- up ---- */

int lane_begin(struct lane *lane, uint64_t cid)
{
    const struct settings *settings = lane->all->settings;
    struct held *held = &lane->account->held;
    struct vmux_config config = {
        .conn_size = end_record_size(lane->all->ends),
        .max_conns = lane->limits.given.max_connections,
        .tx_cap = TX_CAP,
        .first_port = LANE_FIRST_PORT,
        .last_port = LANE_LAST_PORT,
        /* Anywhere, so that it names no stream of an earlier time that it was up. */
        .start_port = LANE_FIRST_PORT + hash_random() % (LANE_LAST_PORT - LANE_FIRST_PORT),
        .offer = true
    };
    int err;

    link_back_init(&lane->back, &lane->map.mem);
    held->limit = settings->held_spill_bytes;
    inbox_table_init(&lane->inboxes, &lane->back, held);
    lane->masked = lane->moved = false;
    lane->spin_until = 0;
    lane->idle_events = 0;
    lane->unmask_at = lane->feed_at = lane->look_at = UINT64_MAX;
    limits_begin(&lane->limits, lane->delivered);
    promises_init(&lane->promises, held->limit - held->limit / 8, lane->map.mem.tx_bytes);
    config.buf_alloc = lane->promises.most;     /* stream_offered() says what it really is */
    if ((err = vmux_new(&config, &lane->mux)))
        return err;
    vmux_set_cids(lane->mux, 0, cid);
    if ((err = source_add(&lane->all->loop->poller, &lane->channel, map_fd(&lane->map), EPOLLIN, serve_channel))) {
        vmux_free(lane->mux);
        lane->mux = NULL;
        return err;
    }
    lane_set_cid(lane, cid);
    lane_wake(lane);
    return 0;
}

/* Most often it is open: a worker opens it as long as it has the right to. */
static int open_gnt(struct lanes *all, char *why)
{
    int err;

    if (all->gnt || (all->gnt = xengnttab_open(xenlog(), 0)))
        return 0;
    err = errno ? -errno : -EIO;
    snprintf(why, MAP_WHY, "cannot open the grant table driver: %s; is xen-gntdev loaded?", strerror(-err));
    return err;
}

int lane_up(struct lane *lane, uint64_t cid, uint32_t control_ref, uint32_t features, int channel, uint32_t port, char *why)
{
    const struct settings *settings = lane->all->settings;
    const struct map_limits limits = { settings->max_ring_page_order, settings->max_pool_pages };
    int err;

    if ((err = open_gnt(lane->all, why))) {
        if (channel >= 0)
            close(channel);
        return err;
    }
    err = map_open(&lane->map, lane->all->gnt, lane->domid, control_ref, channel, port, &limits, why);

    if (!err && (err = lane_begin(lane, cid))) {
        map_close(&lane->map);
        snprintf(why, MAP_WHY, "cannot begin to serve: %s", strerror(-err));
    }
    if (!err)
        vmux_allow_seqpacket(lane->mux, features & VSOCKIF_FEATURE_SEQPACKET);
    return err;
}

void lane_connected(struct lane *lane)
{
    lane->connected = true;
    lane_wake(lane);
}

/* ---- down ---- */

static void lose(struct vmux_conn *conn, void *arg)
{
    if (!conn->released)
        stream_lost(stream_of(conn), *(const enum lane_cut *)arg);
}

static void count(struct lane *lane)
{
    const struct link_counters *c = &lane->back.counters;

    lane->count.from_packets += c->rx_packets;
    lane->count.from_bytes += c->rx_bytes;
    lane->count.to_packets += c->tx_packets;
    lane->count.to_bytes += c->tx_bytes;
    lane->count.connects++;
}

void lane_down(struct lane *lane, enum lane_cut why)
{
    if (lane->mux) {
        lane->connected = false;
        source_remove(&lane->all->loop->poller, &lane->channel);
        if (why != LANE_REFUSED)        /* one that broke a rule is not listened to */
            serve_last_words(lane);
        turn_leave(&lane->turn);
        lane_set_cid(lane, 0);
        vmux_transport_reset(lane->mux, NULL, NULL);
        vmux_each(lane->mux, lose, &why);
        vmux_free(lane->mux);
        lane->mux = NULL;
        turn_leave(&lane->turn);        /* a stream that ended may have asked for a turn */
        alarm_stop(&lane->alarm);
        count(lane);
    }
}

void lane_unmap(struct lane *lane)
{
    map_close(&lane->map);
}
