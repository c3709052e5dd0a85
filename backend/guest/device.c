/* SPDX-License-Identifier: MIT */
/* device.c: the hands of life_back (life.h): what each of its acts means here.  See device.h. */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "greet.h"
#include "nodes.h"
#include "registry.h"
#include "serve.h"
#include "settle.h"

#define VERSIONS (1u << VSOCKIF_VERSION)

/* A dead domain's own nodes are removed by xenstored, without a watch that fires, and its directory by the toolstack,
 * perhaps after @releaseDomain: so a frontend without a state is looked at again until one or the other is back or gone. */
#define GONE_AGAIN_MS 500u

static int open_account(struct device *d)
{
    const struct domain *dom = d->domain;

    d->account = account_open(&d->x->accounts, *dom->uuid ? dom->uuid : dom->name, d->id.number);
    return d->account ? 0 : -ENOMEM;
}

int device_new(struct xvsd *x, const struct device_id *id, uint64_t cid, struct device **out)
{
    struct device *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->x = x;
    d->id = *id;
    d->born = x->born++;
    d->look_at = d->listen_again_at = d->unmask_at = d->feed_at = d->remove_at = UINT64_MAX;
    d->map.port = d->channel.fd = -1;
    d->door_mark = 1;
    list_init(&d->link);
    list_init(&d->of_domain);
    list_init(&d->turn);
    list_init(&d->doors);
    list_init(&d->clients);
    if ((err = fates_init(&d->fates)) || (err = domain_get(x, id->front, &d->domain)) || (err = open_account(d))) {
        if (d->domain)
            domain_put(d->domain);
        fates_free(&d->fates);
        free(d);
        return err;
    }
    list_append(&d->domain->devices, &d->of_domain);
    list_append(&x->devices, &d->link);
    registry_set_cid(d, cid);
    paths_of(&d->paths, id);
    journal_guest_init(&d->journal, d->domain->name, id->front, id->number);
    life_back_init(&d->life, VSOCKIF_UNKNOWN, xvsd_now(x));
    *out = d;
    return 0;
}

void device_free(struct device *d)
{
    serve_stop(d);
    map_close(&d->map);
    greet_stop(d);
    doors_close(d);
    registry_set_cid(d, 0);
    fates_free(&d->fates);
    list_remove(&d->link);
    list_remove(&d->of_domain);
    domain_put(d->domain);
    account_close(d->account);
    journal_guest_end(&d->journal);
    free(d);
}

void device_called(struct device *d)
{
    char was[JOURNAL_WHO];

    snprintf(was, sizeof was, "%s", d->journal.who);
    journal_guest_name(&d->journal, d->domain->name, d->id.front, d->id.number);
    if (strcmp(was, d->journal.who))
        journal_guest(&d->journal, JOURNAL_INFO, "this was %s", was);
}

const char *device_dir(const struct device *d)
{
    return d->door ? d->door->dir.path : "";
}

/* ---- acts ---- */

/* A CID that has become another takes effect here, while the guest is not connected. */
static int offer(struct device *d)
{
    uint64_t cid = settle_cid(d);
    const struct back_nodes nodes = {
        .cid = cid,
        .versions = VERSIONS,
        .max_ring_page_order = d->x->settings->max_ring_page_order,
        .max_pool_pages = d->x->settings->max_pool_pages,
        .max_queues = 1
    };
    int err = nodes_offer(d->x->store, &d->paths, &nodes);

    if (!err && cid != d->cid) {
        registry_set_cid(d, cid);
        settle_soon(d->x);
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

static int map(struct device *d)
{
    const struct map_limits limits = { d->x->settings->max_ring_page_order, d->x->settings->max_pool_pages };
    char why[PARSE_WHY + MAP_WHY] = "";
    struct front_nodes nodes;
    struct device *owner;
    int err;

    if ((err = settle_take_cid(d, &owner))) {
        device_refuse(d, "CID %llu belongs to %s; give one of them another in the settings or in the node \"cid\"",
                      (unsigned long long)d->cid, owner->journal.who);
        return err;
    }
    if (!(err = nodes_read_front(d->x->store, &d->paths, &nodes, why)) && !(err = judge_nodes(&nodes, why)) &&
        !(err = map_open(&d->map, d->id.front, nodes.control_ref, nodes.event_channel, &limits, why)) &&
        (err = serve_start(d))) {
        map_close(&d->map);
        snprintf(why, sizeof why, "cannot begin to serve: %s", strerror(-err));
    }
    if (err && !life_back_passes(err))
        device_refuse(d, "%s", *why ? why : strerror(-err));
    else if (err && err != -EAGAIN && err != -ECONNRESET)
        note_delay(d, *why ? why : strerror(-err));
    return err;
}

static int connected(struct device *d)
{
    int err = nodes_set_state(d->x->store, d->paths.back, VSOCKIF_CONNECTED);

    if (err)
        return err;
    nodes_clear_error(d->x->store, &d->paths);
    *d->error = '\0';
    d->remade = (struct backoff){ 0 };
    journal_guest(&d->journal, JOURNAL_INFO, "connected, CID %llu, rings of %u and %u slots, pools of %u and %u KiB",
                  (unsigned long long)d->cid, ring_slots(&d->back.tx), ring_slots(&d->back.rx),
                  d->map.mem.tx_bytes / 1024, d->map.mem.rx_bytes / 1024);
    return 0;
}

static void unmap(struct device *d)
{
    if (d->mux)
        journal_guest(&d->journal, JOURNAL_INFO, "disconnected; %u connections end",
                      vmux_count(d->mux));
    serve_stop(d);
    map_close(&d->map);
    settle_soon(d->x);          /* now it can have another CID */
}

enum fate_end device_cut(const struct device *d)
{
    if (d->x->stop_at)
        return FATE_STOPPED;
    if (d->detach)
        return FATE_DETACHED;
    if (d->life.dead)
        return FATE_GONE;
    return d->life.refuse ? FATE_REFUSED : FATE_DOWN;
}

static int perform(struct device *d, enum life_act act)
{
    struct store *s = d->x->store;

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
    return !d->door && !d->life.mapped && !d->life.leaving;
}

static void do_acts(struct device *d)
{
    enum life_act act;
    uint64_t now = xvsd_now(d->x);
    bool was_connected = device_is_connected(d);

    while (!is_held_back(d) && (act = life_back_next(&d->life, now)) != LIFE_WAIT) {
        int err = perform(d, act);

        if (journal_shows(JOURNAL_DEBUG))
            journal_guest(&d->journal, JOURNAL_DEBUG, "%s: %s", life_act_name(act), err ? strerror(-err) : "done");
        life_back_done(&d->life, act, err, now);
    }
    if (device_is_connected(d) && !was_connected)
        device_wake(d);
    xvsd_wake_at(d->x, device_deadline(d));
}

/* Remembers why, and says it once. */
static void note_refusal(struct device *d, const char *why)
{
    snprintf(d->error, sizeof d->error, "%s", why);
    d->count.refusals++;
    journal_guest(&d->journal, JOURNAL_ERROR, "the device is closed: %s", d->error);
}

/* Its directory is gone, and xenstored is there to say so. */
static bool is_dead(const struct device *d)
{
    return domains_exists(d->x->store, d->id.front) == 0;
}

void device_look(struct device *d)
{
    struct life_look look = { 0 };
    char why[PARSE_WHY] = "";
    bool refused = d->life.refuse, had_peer = d->life.peer != VSOCKIF_UNKNOWN;
    int err;

    d->look_at = UINT64_MAX;
    err = nodes_look(d->x->store, d->paths.back, d->paths.front, &look.own, &look.peer, why);
    if (err < 0) {
        d->look_at = clock_deadline_ms(LIFE_RETRY_MS);
        xvsd_wake_at(d->x, d->look_at);
        return;
    }
    d->seen = true;
    if (!look.peer && !d->life.dead) {
        if (is_dead(d)) {
            life_back_domain_died(&d->life);
            d->domain->is_dead = true;
            settle_soon(d->x);
        } else {
            d->look_at = clock_deadline_ms(GONE_AGAIN_MS);
            if (had_peer)
                registry_rescan_soon(d->x);
        }
    }
    look.live = map_is_live(&d->map);
    if (*why && d->life.own == look.own)
        life_back_refuse(&d->life, "a state that is none", xvsd_now(d->x));
    life_back_look(&d->life, &look, xvsd_now(d->x));
    if (d->life.refuse && !refused)
        note_refusal(d, *why ? why : d->life.why);
    do_acts(d);
}

void device_refuse(struct device *d, const char *format, ...)
{
    char why[sizeof d->error];
    bool refused = d->life.refuse;
    va_list args;

    if (d->ending)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    life_back_refuse(&d->life, "see the log", xvsd_now(d->x));
    if (!d->life.refuse || refused)
        return;
    note_refusal(d, why);
    if (d->life.mapped)         /* from its work; within MAP the acts go on by themselves */
        do_acts(d);
}

/* ---- deadlines ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t device_deadline(const struct device *d)
{
    uint64_t at = is_held_back(d) ? d->look_at : earlier(life_back_deadline(&d->life), d->look_at);

    at = earlier(earlier(at, d->remove_at), greet_deadline(d));
    if (d->mux)
        at = earlier(at, earlier(earlier(vmux_next_deadline(d->mux), d->unmask_at), d->feed_at));
    return at;
}

void device_due(struct device *d, uint64_t now)
{
    if (d->unmask_at <= now)
        device_unmask(d);
    if (d->mux && (vmux_next_deadline(d->mux) <= now || d->feed_at <= now))
        device_wake(d);
    greet_due(d, now);
    if (d->look_at <= now || (!is_held_back(d) && life_back_deadline(&d->life) <= now))
        device_look(d);
}
