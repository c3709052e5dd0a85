/* SPDX-License-Identifier: MIT */
/* device.c: the hands of life_back (life.h): what each of its acts means here.  See device.h. */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "afvsock.h"
#include "cids.h"
#include "cuts.h"
#include "domain.h"
#include "evtchn.h"
#include "home.h"
#include "nodes.h"

#define VERSIONS (1u << VSOCKIF_VERSION | 1u << VSOCKIF_VERSION_FEATURES)
#define FEATURES ((uint32_t)VSOCKIF_FEATURE_SEQPACKET)

/* A dead domain's own nodes are removed by xenstored, without a watch that fires, and its directory by the toolstack,
 * perhaps after @releaseDomain: so a frontend without a state is looked at again until one or the other is back or gone. */
#define GONE_AGAIN_MS 500u

static void on_alarm(struct alarm *alarm, uint64_t now);

/* ---- what the worker hears ---- */

static void tell(const struct device *d, struct wall_msg *m, int fd)
{
    m->device = d->born;
    wall_send(d->r->wall, m, fd);
}

static void tell_present(struct device *d)
{
    const struct domain *dom = d->domain;
    struct wall_msg m;

    memset(&m, 0, sizeof m);    /* it is compared, whatever stands between its members */
    m.kind = WALL_GUEST;
    m.guest.domid = d->id.front;
    m.guest.number = d->id.number;
    m.guest.cid = d->cid;
    m.guest.state = d->life.own;
    m.guest.has_name = dom->title.has_name;
    m.guest.has_uuid = dom->title.has_uuid;
    m.guest.is_taken_in = d->announced;
    m.guest.refusals = d->refusals;
    snprintf(m.guest.name, sizeof m.guest.name, "%s", dom->name);
    snprintf(m.guest.uuid, sizeof m.guest.uuid, "%s", dom->uuid);
    snprintf(m.guest.error, sizeof m.guest.error, "%s", *d->error ? d->error : d->home_error);
    d->told = true;
    if (!memcmp(&m.guest, &d->known, sizeof m.guest))
        return;
    d->known = m.guest;
    tell(d, &m, -1);
}

void devices_tell(struct registry *r)
{
    each_device(r, l)
        if (!device_at(l)->told)
            tell_present(device_at(l));
}

static uint32_t why_down(const struct device *d)
{
    if (d->life.refuse)
        return CUT_REFUSED;
    if (d->r->stopping)
        return CUT_STOPPED;
    if (d->detach)
        return CUT_DETACHED;
    return d->life.dead ? CUT_GONE : CUT_DOWN;
}

/* ---- coming and going ---- */

int device_new(struct registry *r, const struct device_id *id, uint64_t cid, struct device **out)
{
    struct device *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->r = r;
    d->id = *id;
    d->look_at = d->remove_at = UINT64_MAX;
    d->vhost_fd = -1;
    list_init(&d->link);
    list_init(&d->of_domain);
    list_init(&d->homes);
    alarm_init(&d->alarm, on_alarm);
    if ((err = domain_get(r, id->front, &d->domain))) {
        free(d);
        return err;
    }
    d->born = ++r->born;
    list_append(&d->domain->devices, &d->of_domain);
    list_append(&r->devices, &d->link);
    cid_set(d, cid);
    paths_of(&d->paths, id);
    journal_guest_init(&d->journal, d->domain->name, id->front, id->number);
    d->journal.cid = cid;
    life_back_init(&d->life, VSOCKIF_UNKNOWN, loop_now(r->loop));
    tell_present(d);
    *out = d;
    return 0;
}

void device_free(struct device *d)
{
    homes_close(d);
    tell(d, &(struct wall_msg){ .kind = WALL_GONE, .cut = why_down(d) }, -1);
    channel_close(d->channel);
    afvsock_close(d);
    cid_set(d, 0);
    list_remove(&d->link);
    list_remove(&d->of_domain);
    alarm_stop(&d->alarm);
    journal_guest_end(&d->journal);
    domain_put(d->domain);
    free(d);
}

void device_called(struct device *d)
{
    char was[JOURNAL_WHO];

    snprintf(was, sizeof was, "%s", d->journal.who);
    journal_guest_name(&d->journal, d->domain->name, d->id.front, d->id.number);
    if (strcmp(was, d->journal.who))
        journal_event(&d->journal, EVENT_CHANGED, NULL, "this was %s", was);
}

/* ---- acts ---- */

/* A CID that has become another takes effect here, while the guest is not connected. */
static int offer(struct device *d)
{
    uint64_t cid = cid_wanted(d);
    const struct back_nodes nodes = {
        .cid = cid,
        .versions = VERSIONS,
        .features = FEATURES,
        .max_ring_page_order = d->r->settings->max_ring_page_order,
        .max_pool_pages = d->r->settings->max_pool_pages,
        .max_queues = 1
    };
    int err = nodes_offer(d->r->store, &d->paths, &nodes);

    d->failed_before = false;   /* whoever takes it is another program */
    if (!err && cid != d->cid) {
        cid_set(d, cid);
        settle_soon(d->r);
    }
    return err;
}

static int judge_nodes(const struct front_nodes *n, char *why)
{
    if (!(VERSIONS >> n->version & 1))
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
    journal_event(&d->journal, EVENT_DELAYED, NULL, "it is connected later, this is tried again every second: %s", d->error);
}

/* Its CID must not be in use: another one that has no right to it is made to let go, which takes a moment.  0, -EAGAIN, or
 * -EADDRINUSE. */
static int take_cid(struct device *d)
{
    struct device *other = cid_in_use(d->r, d->cid);

    if (!other || other == d)
        return 0;
    if (other->domain->is_dead || (cid_is_right(d) && !cid_is_right(other))) {
        device_refuse(other, "its CID %llu belongs to %s", (unsigned long long)d->cid, d->journal.who);
        return -EAGAIN;
    }
    device_refuse(d, "CID %llu belongs to %s; give one of them another in the settings or in the node \"cid\"",
                  (unsigned long long)d->cid, other->journal.who);
    return -EADDRINUSE;
}

/* Asks the worker to map the guest's pages: 1, or a negative errno with why. */
static int ask_up(struct device *d, const struct front_nodes *nodes, char *why)
{
    struct wall_msg m = { .kind = WALL_UP, .up = { .cid = d->cid, .control_ref = nodes->control_ref,
                                                   .features = nodes->features & FEATURES } };
    int fd, err = !wall_is_open(d->r->wall) ? -EAGAIN :     /* there is no worker at this moment */
                  channel_open(d->id.front, nodes->event_channel, &d->channel, &m.up.port, why);

    if (err)
        return err;
    if ((fd = channel_fd(d->channel)) < 0) {
        snprintf(why, CHANNEL_WHY, "cannot hand over the event channel: %s", strerror(-fd));
        channel_close(d->channel);
        d->channel = NULL;
        return fd;
    }
    d->up = true;
    d->asked = ASKED_UP;
    tell(d, &m, fd);
    return 1;
}

/* It is not in the state any more in which its pages may be mapped. */
static bool has_gone_on(const struct device *d)
{
    char why[PARSE_WHY];
    uint8_t own, peer;

    return nodes_look(d->r->store, d->paths.back, d->paths.front, &own, &peer, why) >= 0 && peer != VSOCKIF_INITIALISED;
}

/* 0, or the error that it ended with, and says so.  A program that left meanwhile has taken its pages and its channel with it, and broken no
 * rule; nor can one be blamed for them that has come since, with the same numbers: so nobody is refused for one try alone. */
static int judge_up(struct device *d, int err, const char *why)
{
    bool is_wrong = err && !life_back_passes(err), first = !d->failed_before;

    d->failed_before = is_wrong && !has_gone_on(d);
    if (is_wrong && (first || !d->failed_before))
        return -EAGAIN;
    if (is_wrong)
        device_refuse(d, "%s", *why ? why : strerror(-err));
    else if (err && err != -EAGAIN && err != -ECONNRESET)
        note_delay(d, *why ? why : strerror(-err));
    return err;
}

/* 1: the worker has been asked. */
static int map(struct device *d)
{
    char why[PARSE_WHY + CHANNEL_WHY] = "";
    struct front_nodes nodes;
    int err = take_cid(d);

    if (err)
        return err;
    if (!(err = nodes_read_front(d->r->store, &d->paths, &nodes, why)) && !(err = judge_nodes(&nodes, why)))
        err = ask_up(d, &nodes, why);
    return err > 0 ? err : judge_up(d, err, why);
}

/* AF_VSOCK and the worker know before the guest does: who hears of it in the guest may have told somebody who calls at once.  And
 * whoever hears of it from the worker may call by AF_VSOCK. */
static int connected(struct device *d)
{
    int err;

    afvsock_connected(d);
    tell(d, &(struct wall_msg){ .kind = WALL_CONNECTED }, -1);
    if ((err = nodes_set_state(d->r->store, d->paths.back, VSOCKIF_CONNECTED)))
        return err;
    nodes_clear_error(d->r->store, &d->paths);
    *d->error = '\0';
    d->remade = (struct backoff){ 0 };
    return 0;
}

/* 1, or 0 if there is nothing to be unmapped. */
static int unmap(struct device *d)
{
    if (!d->up)
        return 0;
    d->asked = ASKED_DOWN;
    tell(d, &(struct wall_msg){ .kind = WALL_DOWN, .cut = why_down(d) }, -1);
    return 1;
}

static void is_down(struct device *d)
{
    d->up = false;
    settle_soon(d->r);          /* now it can have another CID */
}

/* 0, a negative errno, or 1: the worker will say. */
static int perform(struct device *d, enum life_act act)
{
    struct store *s = d->r->store;

    switch (act) {
    case LIFE_OFFER:   return offer(d);
    case LIFE_MAP:     return map(d);
    case LIFE_CONNECT: return connected(d);
    case LIFE_UNMAP:   return unmap(d);
    case LIFE_REFUSE:  return nodes_refuse(s, &d->paths, d->error);
    case LIFE_CLOSING: return nodes_set_state(s, d->paths.back, VSOCKIF_CLOSING);
    case LIFE_CLOSED:  return nodes_set_state(s, d->paths.back, VSOCKIF_CLOSED);
    default:           return -EINVAL;
    }
}

/* Without a directory it is not offered, and nothing that it was found with is answered. */
static bool is_held_back(const struct device *d)
{
    return !d->home && !d->life.mapped && !d->life.leaving;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When on_alarm() has something to do. */
static uint64_t deadline(const struct device *d)
{
    if (d->asked)
        return UINT64_MAX;
    return is_held_back(d) ? d->look_at : earlier(life_back_deadline(&d->life), d->look_at);
}

static void is_done(struct device *d, enum life_act act, int err)
{
    /* A guest can have them done again and again: what fails, and each the first time. */
    if (journal_shows(JOURNAL_DEBUG) && (err || !(d->acts_told >> act & 1))) {
        d->acts_told |= 1u << act;
        journal_guest(&d->journal, JOURNAL_DEBUG, "%s: %s", life_act_name(act), err ? strerror(-err) : "done");
    }
    life_back_done(&d->life, act, err, loop_now(d->r->loop));
}

/* As far as it comes without the worker, whose answer goes on with it. */
static void do_acts(struct device *d)
{
    enum life_act act;

    d->told = false;
    while (!d->asked && !is_held_back(d) && (act = life_back_next(&d->life, loop_now(d->r->loop))) != LIFE_WAIT) {
        int err = perform(d, act);

        if (err <= 0)
            is_done(d, act, err);
    }
    alarm_at(d->r->loop, &d->alarm, deadline(d));
    if (!d->asked && d->look_again)
        device_look(d);
}

/* Remembers why, and says it once. */
static void note_refusal(struct device *d, const char *why)
{
    snprintf(d->error, sizeof d->error, "%s", why);
    d->refusals++;
    journal_event(&d->journal, EVENT_REJECTED, NULL, "the device is closed: %s", d->error);
}

/* Its directory is gone, and xenstored is there to say so. */
static bool is_dead(const struct device *d)
{
    return domains_exists(d->r->store, d->id.front) == 0;
}

/* The states have been read, and after them, if pages are mapped, the byte that says whether the guest's process lives. */
static void look_on(struct device *d, bool live)
{
    struct life_look look = d->look;
    const char *why = d->look_why;
    bool refused = d->life.refuse, had_peer = d->life.peer != VSOCKIF_UNKNOWN;

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
    look.live = live;
    if (*why && d->life.own == look.own)
        life_back_refuse(&d->life, "a state that is none", loop_now(d->r->loop));
    life_back_look(&d->life, &look, loop_now(d->r->loop));
    if (d->life.refuse && !refused)
        note_refusal(d, *why ? why : d->life.why);
    do_acts(d);
}

void device_look(struct device *d)
{
    if (d->asked) {
        d->look_again = true;
        return;
    }
    d->look_again = false;
    d->look_at = UINT64_MAX;
    d->look = (struct life_look){ 0 };
    *d->look_why = '\0';
    if (nodes_look(d->r->store, d->paths.back, d->paths.front, &d->look.own, &d->look.peer, d->look_why) < 0) {
        d->look_at = clock_deadline_ms(LIFE_RETRY_MS);
        alarm_at(d->r->loop, &d->alarm, d->look_at);
        return;
    }
    d->seen = true;
    if (!d->up) {
        look_on(d, true);
        return;
    }
    d->asked = ASKED_LIVE;
    tell(d, &(struct wall_msg){ .kind = WALL_LIVE }, -1);
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

/* ---- what the worker says ---- */

static void on_upped(struct device *d, int err, const char *why)
{
    if (d->asked != ASKED_UP)
        return;
    d->asked = ASKED_NOTHING;
    channel_close(d->channel);
    d->channel = NULL;
    if (err)
        is_down(d);
    is_done(d, LIFE_MAP, judge_up(d, err, why));
    do_acts(d);
}

static void on_downed(struct device *d)
{
    if (d->asked != ASKED_DOWN)
        return;
    d->asked = ASKED_NOTHING;
    is_down(d);
    is_done(d, LIFE_UNMAP, 0);
    do_acts(d);
}

static void on_live(struct device *d, bool live)
{
    if (d->asked != ASKED_LIVE)
        return;
    d->asked = ASKED_NOTHING;
    look_on(d, live);
}

void device_hear(struct device *d, const struct wall_msg *m)
{
    switch (m->kind) {
    case WALL_UPPED:
        on_upped(d, m->result.err < 0 ? m->result.err : 0, m->result.why);
        break;
    case WALL_DOWNED:
        on_downed(d);
        break;
    case WALL_IS_LIVE:
        on_live(d, m->number != 0);
        break;
    case WALL_BROKE:
        if (d->up)
            device_refuse(d, "%s", m->result.why);
        break;
    case WALL_LOOK:
        device_look(d);
        break;
    case WALL_VHOST_OVER:
        afvsock_over(d, m->number != 0);
        break;
    case WALL_OLD:
        d->old_used = m->number != 0;
        if (!d->old_used)
            settle_soon(d->r);
        break;
    case WALL_DOOR_FAILED:
        home_failed(d, m->number);
        settle_soon(d->r);
        break;
    default:
        break;
    }
}

void device_lost_worker(struct device *d)
{
    afvsock_close(d);
    channel_close(d->channel);
    d->channel = NULL;
    d->up = d->old_used = d->look_again = d->seen = false;
    d->asked = ASKED_NOTHING;
    life_back_init(&d->life, VSOCKIF_UNKNOWN, loop_now(d->r->loop));
    if (d->detach || d->r->stopping)
        life_back_close(&d->life);
}

void device_new_worker(struct device *d)
{
    memset(&d->known, 0, sizeof d->known);
    tell_present(d);
    homes_tell(d);
    device_look(d);
}
