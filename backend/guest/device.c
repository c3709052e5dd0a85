/* SPDX-License-Identifier: MIT */
/* device.c: the hands of life_back (life.h): what each of its acts means here.  See device.h. */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cids.h"
#include "domain.h"
#include "door.h"
#include "greet.h"
#include "nodes.h"
#include "updown.h"

#define VERSIONS (1u << VSOCKIF_VERSION)

/* A dead domain's own nodes are removed by xenstored, without a watch that fires, and its directory by the toolstack,
 * perhaps after @releaseDomain: so a frontend without a state is looked at again until one or the other is back or gone. */
#define GONE_AGAIN_MS 500u

static int open_account(struct device *d)
{
    const struct domain *dom = d->domain;

    d->account = account_open(&d->r->accounts, *dom->uuid ? dom->uuid : dom->name, d->id.number);
    return d->account ? 0 : -ENOMEM;
}

static void on_alarm(struct alarm *alarm, uint64_t now);
static void on_emptied(struct hostside *host);
static const struct lane_owner lane_owner;

static void free_parts(struct device *d)
{
    greet_end(&d->host);
    if (d->account)
        account_close(d->account);
    if (d->domain)
        domain_put(d->domain);
    free(d);
}

int device_new(struct registry *r, const struct device_id *id, uint64_t cid, struct device **out)
{
    struct device *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->r = r;
    d->id = *id;
    d->born = r->born++;
    d->look_at = d->remove_at = UINT64_MAX;
    list_init(&d->link);
    list_init(&d->of_domain);
    alarm_init(&d->alarm, on_alarm);
    lane_init(&d->lane, r->lanes, &lane_owner);
    if ((err = domain_get(r, id->front, &d->domain)) || (err = open_account(d)) ||
        (err = greet_begin(&d->host, &r->hostsides, &d->lane, on_emptied))) {
        free_parts(d);
        return err;
    }
    d->lane.journal = &d->journal;
    d->lane.account = d->account;
    d->lane.who = &d->domain->who;
    d->lane.domid = id->front;
    list_append(&d->domain->devices, &d->of_domain);
    list_append(&r->devices, &d->link);
    cid_set(d, cid);
    paths_of(&d->paths, id);
    journal_guest_init(&d->journal, d->domain->name, id->front, id->number);
    life_back_init(&d->life, VSOCKIF_UNKNOWN, loop_now(r->loop));
    *out = d;
    return 0;
}

static enum lane_cut why_down(const struct device *d)
{
    if (d->life.refuse)
        return LANE_REFUSED;
    if (d->r->stopping)
        return LANE_STOPPED;
    if (d->detach)
        return LANE_DETACHED;
    return d->life.dead ? LANE_GONE : LANE_DOWN;
}

void device_free(struct device *d)
{
    lane_down(&d->lane, why_down(d));
    cid_set(d, 0);
    list_remove(&d->link);
    list_remove(&d->of_domain);
    alarm_stop(&d->alarm);
    journal_guest_end(&d->journal);
    free_parts(d);
}

void device_called(struct device *d)
{
    char was[JOURNAL_WHO];

    snprintf(was, sizeof was, "%s", d->journal.who);
    journal_guest_name(&d->journal, d->domain->name, d->id.front, d->id.number);
    if (strcmp(was, d->journal.who))
        journal_guest(&d->journal, JOURNAL_INFO, "this was %s", was);
}

/* ---- acts ---- */

/* A CID that has become another takes effect here, while the guest is not connected. */
static int offer(struct device *d)
{
    uint64_t cid = cid_wanted(d);
    const struct back_nodes nodes = {
        .cid = cid,
        .versions = VERSIONS,
        .max_ring_page_order = settings_of(d->r)->max_ring_page_order,
        .max_pool_pages = settings_of(d->r)->max_pool_pages,
        .max_queues = 1
    };
    int err = nodes_offer(d->r->store, &d->paths, &nodes);

    if (!err && cid != d->cid) {
        cid_set(d, cid);
        settle_soon(d->r);
    }
    return err;
}

static int judge_nodes(const struct front_nodes *n, char *why)
{
    if (n->version != VSOCKIF_VERSION)
        snprintf(why, PARSE_WHY, "version: %u was not offered", n->version);
    else if (n->queues != 1)
        snprintf(why, PARSE_WHY, "multi-queue-num-queues: %u were not offered", n->queues);
    else
        return 0;
    return -EPROTO;
}

/* Remembers why it has to wait for us, and says it once. */
static void note_delay(struct device *d, const char *why)
{
    if (!strncmp(d->error, why, sizeof d->error - 1))
        return;
    snprintf(d->error, sizeof d->error, "%.*s", (int)sizeof d->error - 1, why);
    journal_guest(&d->journal, JOURNAL_WARNING, "it is connected later, this is tried again every second: %s", d->error);
}

/* Its CID must not be in use: another one that has no right to it is made to let go.  0, or -EADDRINUSE. */
static int take_cid(struct device *d)
{
    struct lane *lane;

    while ((lane = lanes_find(d->r->lanes, d->cid)) && lane != &d->lane) {
        struct device *other = container_of(lane, struct device, lane);

        if (other->domain->is_dead || (cid_is_right(d) && !cid_is_right(other)))
            device_refuse(other, "its CID %llu belongs to %s", (unsigned long long)d->cid, d->journal.who);
        if (!lane->mux)
            continue;
        device_refuse(d, "CID %llu belongs to %s; give one of them another in the settings or in the node \"cid\"",
                      (unsigned long long)d->cid, other->journal.who);
        return -EADDRINUSE;
    }
    return 0;
}

static int map(struct device *d)
{
    char why[PARSE_WHY + MAP_WHY] = "";
    struct front_nodes nodes;
    int err;

    if ((err = take_cid(d)))
        return err;
    if (!(err = nodes_read_front(d->r->store, &d->paths, &nodes, why)) && !(err = judge_nodes(&nodes, why)))
        err = lane_up(&d->lane, d->cid, nodes.control_ref, nodes.event_channel, why);
    if (err && !life_back_passes(err))
        device_refuse(d, "%s", *why ? why : strerror(-err));
    else if (err && err != -EAGAIN && err != -ECONNRESET)
        note_delay(d, *why ? why : strerror(-err));
    return err;
}

static int connected(struct device *d)
{
    int err = nodes_set_state(d->r->store, d->paths.back, VSOCKIF_CONNECTED);

    if (err)
        return err;
    nodes_clear_error(d->r->store, &d->paths);
    *d->error = '\0';
    d->remade = (struct backoff){ 0 };
    journal_guest(&d->journal, JOURNAL_INFO, "connected, CID %llu, rings of %u and %u slots, pools of %u and %u KiB",
                  (unsigned long long)d->cid, ring_slots(&d->lane.back.tx), ring_slots(&d->lane.back.rx),
                  d->lane.map.mem.tx_bytes / 1024, d->lane.map.mem.rx_bytes / 1024);
    return 0;
}

static void unmap(struct device *d)
{
    if (d->lane.mux)
        journal_guest(&d->journal, JOURNAL_INFO, "disconnected; %u connections end", vmux_count(d->lane.mux));
    lane_down(&d->lane, why_down(d));
    settle_soon(d->r);          /* now it can have another CID */
}

static int perform(struct device *d, enum life_act act)
{
    struct store *s = d->r->store;

    switch (act) {
    case LIFE_OFFER:   return offer(d);
    case LIFE_MAP:     return map(d);
    case LIFE_CONNECT: return connected(d);
    case LIFE_UNMAP:   unmap(d); return 0;
    case LIFE_REFUSE:  return nodes_refuse(s, &d->paths, d->error);
    case LIFE_CLOSING: return nodes_set_state(s, d->paths.back, VSOCKIF_CLOSING);
    case LIFE_CLOSED:  return nodes_set_state(s, d->paths.back, VSOCKIF_CLOSED);
    default:           return -EINVAL;
    }
}

/* Without a directory it is not offered, and nothing that it was found with is answered. */
static bool is_held_back(const struct device *d)
{
    return !d->host.door && !d->life.mapped && !d->life.leaving;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When on_alarm() has something to do. */
static uint64_t deadline(const struct device *d)
{
    return is_held_back(d) ? d->look_at : earlier(life_back_deadline(&d->life), d->look_at);
}

static void do_acts(struct device *d)
{
    enum life_act act;
    uint64_t now = loop_now(d->r->loop);

    while (!is_held_back(d) && (act = life_back_next(&d->life, now)) != LIFE_WAIT) {
        int err = perform(d, act);

        if (journal_shows(JOURNAL_DEBUG))
            journal_guest(&d->journal, JOURNAL_DEBUG, "%s: %s", life_act_name(act), err ? strerror(-err) : "done");
        life_back_done(&d->life, act, err, now);
    }
    if (life_back_is_connected(&d->life) && !lane_is_connected(&d->lane))
        lane_connected(&d->lane);
    alarm_at(d->r->loop, &d->alarm, deadline(d));
}

/* Remembers why, and says it once. */
static void note_refusal(struct device *d, const char *why)
{
    snprintf(d->error, sizeof d->error, "%s", why);
    d->refusals++;
    journal_guest(&d->journal, JOURNAL_ERROR, "the device is closed: %s", d->error);
}

/* Its directory is gone, and xenstored is there to say so. */
static bool is_dead(const struct device *d)
{
    return domains_exists(d->r->store, d->id.front) == 0;
}

void device_look(struct device *d)
{
    struct life_look look = { 0 };
    char why[PARSE_WHY] = "";
    bool refused = d->life.refuse, had_peer = d->life.peer != VSOCKIF_UNKNOWN;
    int err;

    d->look_at = UINT64_MAX;
    err = nodes_look(d->r->store, d->paths.back, d->paths.front, &look.own, &look.peer, why);
    if (err < 0) {
        d->look_at = clock_deadline_ms(LIFE_RETRY_MS);
        alarm_at(d->r->loop, &d->alarm, d->look_at);
        return;
    }
    d->seen = true;
    if (!look.peer && !d->life.dead) {
        if (is_dead(d)) {
            life_back_domain_died(&d->life);
            d->domain->is_dead = true;
            settle_soon(d->r);
        } else {
            d->look_at = clock_deadline_ms(GONE_AGAIN_MS);
            if (had_peer)
                rescan_soon(d->r);
        }
    }
    look.live = map_is_live(&d->lane.map);
    if (*why && d->life.own == look.own)
        life_back_refuse(&d->life, "a state that is none", loop_now(d->r->loop));
    life_back_look(&d->life, &look, loop_now(d->r->loop));
    if (d->life.refuse && !refused)
        note_refusal(d, *why ? why : d->life.why);
    do_acts(d);
}

void device_refuse(struct device *d, const char *format, ...)
{
    char why[sizeof d->error];
    bool refused = d->life.refuse;
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    life_back_refuse(&d->life, "see the log", loop_now(d->r->loop));
    if (!d->life.refuse || refused)
        return;
    note_refusal(d, why);
    if (d->life.mapped)         /* from its work; within MAP the acts go on by themselves */
        do_acts(d);
}

void device_close(struct device *d)
{
    life_back_close(&d->life);
    device_look(d);
}

/* ---- what makes it work ---- */

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct device *d = container_of(alarm, struct device, alarm);

    if (deadline(d) <= now)
        device_look(d);
    alarm_at(d->r->loop, alarm, deadline(d));
}

static void on_emptied(struct hostside *host)
{
    settle_soon(container_of(host, struct device, host)->r);
}

static void on_broke(struct lane *lane, const char *why)
{
    device_refuse(container_of(lane, struct device, lane), "%s", why);
}

static void on_look(struct lane *lane)
{
    device_look(container_of(lane, struct device, lane));
}

static const struct lane_owner lane_owner = { .broke = on_broke, .look = on_look };
