/* SPDX-License-Identifier: MIT */
/* bus.c: the device's life in xenstore: looks when a watch has fired, and performs what life.h asks for.
 *
 * Two watches, whatever happens: our own "backend" node (the device appears, disappears, or the domain was
 * restored under another domid) and the backend's state. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHECK_MS  10000u        /* how often an idle device asks whether xenstored still answers */
#define RETRY_MS  1000u
#define SUSPENDED_NS 1000000    /* more than the two clocks are rounded by */

static const struct watch_key *own_key(const struct xvs *x, struct watch_key *key)
{
    *key = (struct watch_key){ .kind = WATCH_OWN, .number = x->opt.device };
    return key;
}

static const struct watch_key *back_key(const struct xvs *x, struct watch_key *key)
{
    *key = (struct watch_key){ .kind = WATCH_BACK, .number = x->opt.device };
    return key;
}

/* libxenstore makes its descriptor when it is first asked for, and that may fail. */
static int follow_store_fd(struct xvs *x)
{
    int fd;

    errno = EMFILE;
    fd = store_fd(x->store);
    return fd < 0 ? -errno : wake_watch(&x->wake, &x->store_fd, fd, WAKE_STORE);
}

int bus_open(struct xvs *x, enum attempt *what)
{
    struct watch_key key;
    char path[PATHS_MAX], leaf[PATHS_MAX];
    int err;

    *what = TRY_XENSTORE;
    if ((err = store_open(&x->store)))
        return err;
    *what = TRY_WATCH;
    paths_front_own(path, x->opt.device);
    if ((err = store_watch(x->store, paths_join(leaf, path, "backend"), own_key(x, &key))))
        return err;
    x->store_check = clock_deadline_ms(CHECK_MS);
    return follow_store_fd(x);
}

void bus_close(struct xvs *x)
{
    if (x->wake.orphan) {
        store_forget(x->store);
    } else {
        wake_watch(&x->wake, &x->store_fd, -1, WAKE_STORE);
        store_close(x->store);
    }
    x->store = NULL;
}

/* ---- looking ---- */

/* What passes by itself, or has its own words already, is not told. */
static void note_failure(struct xvs *x, enum attempt what, int err)
{
    if (err && !x->up && err != -EAGAIN && err != -ENOENT && err != -EPROTO && err != -ECONNRESET)
        report_failed(&x->report, what, "", err);
}

/* Where the device is now: paths and the watch on the backend follow it. */
static int seek_device(struct xvs *x)
{
    struct watch_key key;
    struct device_id id;
    struct paths paths;
    char why[PARSE_WHY] = "", leaf[PATHS_MAX];
    int err = nodes_find(x->store, x->opt.device, &paths, &id, why);

    if (err) {
        if (err == -EPROTO)
            report_reason(&x->report, "device/vsock/%u is not a device: %s", x->opt.device, why);
        note_failure(x, TRY_LOOK, err);
        x->found = false;
        return err;
    }
    if (x->found && strcmp(paths.back, x->paths.back) == 0)
        return 0;
    if (x->back_watched)
        store_unwatch(x->store, back_key(x, &key));
    x->back_watched = false;
    x->paths = paths;
    x->back_domid = id.back;
    err = store_watch(x->store, paths_join(leaf, paths.back, "state"), back_key(x, &key));
    note_failure(x, TRY_WATCH, err);
    if (err)
        return err;
    x->back_watched = x->found = true;
    return 0;
}

/* 0, -ENOENT if there is none, or what kept us from finding out. */
static int find_device(struct xvs *x)
{
    int err;

    if (x->sought)
        return x->found ? 0 : -ENOENT;
    err = seek_device(x);
    x->sought = err == 0 || err == -ENOENT;
    return err;
}

static int look(struct xvs *x, uint64_t now)
{
    struct life_look seen = { .own = 0 };
    char why[PARSE_WHY] = "";
    int err = find_device(x);

    if (err == 0)
        note_failure(x, TRY_LOOK, err = nodes_look(x->store, x->paths.front, x->paths.back, &seen.own, &seen.peer, why));
    else if (err == -ENOENT)
        err = 0;
    if (err)
        return err;
    if (!x->looked)
        life_front_init(&x->life, seen.own, now);
    x->looked = true;
    if (!x->found && !x->up)
        report_reason(&x->report, "there is no device/vsock/%u: nothing in dom0 has attached one (is xvsd running?)",
                      x->opt.device);
    /* After the states, never before (life.h): an old "not mapped yet" beside a new Connected would look like a
     * backend that has died, and we would take back pages that it maps. */
    seen.live = share_is_live(&x->share);
    life_front_look(&x->life, &seen, now);
    return 0;
}

/* ---- acting ---- */

/* 0 if it cannot be found out. */
static uint32_t own_domid(const struct xvs *x)
{
    char text[16];
    uint32_t domid;

    return store_read(x->store, "domid", text, sizeof text) > 0 && parse_u32("", text, 0, PATHS_DOMID - 1, &domid, NULL) == 0
               ? domid : 0;
}

/* For how long, in ns, this guest has been suspended since it booted: Linux adds the time from a save to the restore, seconds
 * even for a small guest and a fast disk.  Between the looks at two clocks others may have the processor for long: so this is
 * between least and most. */
static void suspended_ns(uint64_t *least, uint64_t *most)
{
    uint64_t before = clock_now_ns(), all = clock_of(CLOCK_BOOTTIME), after = clock_now_ns();

    *least = all > after ? all - after : 0;
    *most = all - before;
}

/* A restored guest has another domid, unless a migration happened to give it the same one, and has been suspended. */
static bool is_restored(const struct xvs *x)
{
    uint32_t domid = x->share.own_domid && x->store ? own_domid(x) : 0;
    uint64_t least, most;

    suspended_ns(&least, &most);
    return (domid && domid != x->share.own_domid) || least > x->share.suspended_ns + SUSPENDED_NS;
}

void bus_judge_share(struct xvs *x)
{
    if (!x->share.evtchn || x->share.restored || x->wake.orphan || !is_restored(x))
        return;
    x->share.restored = true;
    /* The end of the process stumbles over the old event channel, and Linux closes descriptors from the highest down: the
     * lock must be above it, or no other process ever gets the device. */
    forks_enter();
    owner_raise(&x->lock, xenevtchn_fd(x->share.evtchn));
    forks_leave();
}

static int act_unshare(struct xvs *x)
{
    wake_watch(&x->wake, &x->evtchn_fd, -1, WAKE_EVTCHN);
    bus_judge_share(x);
    forks_enter();
    share_close(&x->share);
    forks_leave();
    x->byte_check = LIFE_NEVER;
    return 0;
}

static int act_share(struct xvs *x)
{
    struct back_nodes offer;
    struct front_nodes nodes = { .version = VSOCKIF_VERSION, .queues = 1 };
    enum attempt what;
    char why[PARSE_WHY] = "", with[24];
    int err = nodes_read_back(x->store, &x->paths, &offer, why);

    if (err) {
        if (err != -EAGAIN)
            report_reason(&x->report, "cannot read what the backend offers: %s", why);
        return err;
    }
    if (!(offer.versions & 1u << VSOCKIF_VERSION)) {
        report_reason(&x->report, "the backend does not speak version %u of the protocol", VSOCKIF_VERSION);
        return -EPROTO;
    }
    forks_enter();
    err = share_open(&x->share, &x->opt, &offer, x->back_domid, &what);
    forks_leave();
    if (err) {
        snprintf(with, sizeof with, "domain %u", x->back_domid);
        report_failed(&x->report, what, what == TRY_CHANNEL || what == TRY_PAGES ? with : "", err);
        return err;
    }
    x->share.own_domid = own_domid(x);
    suspended_ns(&(uint64_t){ 0 }, &x->share.suspended_ns);
    link_front_init(&x->link, &x->share.mem);
    link_front_publish(&x->link);
    nodes.cid = offer.cid;
    nodes.control_ref = x->share.control_ref;
    nodes.event_channel = x->share.port;
    fcntl(xenevtchn_fd(x->share.evtchn), F_SETFL, O_NONBLOCK);
    if ((err = wake_watch(&x->wake, &x->evtchn_fd, xenevtchn_fd(x->share.evtchn), WAKE_EVTCHN)))
        report_failed(&x->report, TRY_DESCRIPTOR, "", err);
    else
        note_failure(x, TRY_WRITE, err = nodes_share(x->store, &x->paths, &nodes));
    if (err) {
        act_unshare(x);
        return err;
    }
    x->cid = offer.cid;
    return 0;
}

static int act_connect(struct xvs *x)
{
    int err = nodes_set_state(x->store, x->paths.front, VSOCKIF_CONNECTED);

    if (err)
        return err;
    x->up = true;
    x->ups++;
    report_reason(&x->report, "connected, CID %llu", (unsigned long long)x->cid);
    source_raise(&x->events, &x->source, XVS_EVENT_UP);
    return 0;
}

static int act_reset(struct xvs *x)
{
    bool told = x->life.fault;

    pump_reset(x);
    if (!told)
        report_reason(&x->report, "the backend went away; waiting for it to come back");
    source_raise(&x->events, &x->source, XVS_EVENT_DOWN);
    return 0;
}

static int perform(struct xvs *x, enum life_act act)
{
    switch (act) {
    case LIFE_SHARE:   return act_share(x);
    case LIFE_CONNECT: return act_connect(x);
    case LIFE_RESET:   return act_reset(x);
    case LIFE_UNSHARE: return act_unshare(x);
    case LIFE_CLOSING: return nodes_set_state(x->store, x->paths.front, VSOCKIF_CLOSING);
    case LIFE_CLOSED:  return nodes_set_state(x->store, x->paths.front, VSOCKIF_CLOSED);
    case LIFE_RESTART: return nodes_set_state(x->store, x->paths.front, VSOCKIF_INITIALISING);
    default:           return -EINVAL;
    }
}

/* The connection to xenstored is dead: try a new one now and then.  The old descriptor leaves first, for the new one may
 * have its number. */
static void reopen(struct xvs *x)
{
    wake_watch(&x->wake, &x->store_fd, -1, WAKE_STORE);
    if (store_reopen(x->store) == 0 && follow_store_fd(x) == 0)
        report_log(&x->report, "xenstore: connected again");
    else
        x->store_check = clock_deadline_ms(RETRY_MS);
    x->stale = true;
    x->sought = false;
}

/* RESET and UNSHARE take no xenstore: streams end at once, whether that answers or not. */
static bool may_do(enum life_act act, int err)
{
    return act != LIFE_WAIT && (!err || act == LIFE_RESET || act == LIFE_UNSHARE);
}

/* What has fired is looked at anyway; where the device is, only when our own node may have changed. */
static void drain(struct xvs *x)
{
    struct watch_key keys[4];
    int n;

    do {
        n = store_drain(x->store, keys, 4);
        for (int i = 0; i < n; i++)
            if (keys[i].kind == WATCH_OWN)
                x->sought = false;
    } while (n == 4);
}

void bus_run(struct xvs *x, bool fired, uint64_t now)
{
    enum life_act act;
    int err = 0;

    if (fired)
        drain(x);
    if (now >= x->store_check) {
        x->store_check = clock_deadline_ms(CHECK_MS);
        fired = fired || x->stale;
        err = store_check(x->store);
        if (!err && x->store_fd < 0 && follow_store_fd(x)) {
            fired = true;               /* deaf: ask instead */
            x->sought = false;
            x->store_check = clock_deadline_ms(RETRY_MS);
        }
    }
    if (now >= x->byte_check)
        x->byte_check = LIFE_NEVER;
    if (!err && (fired || !x->looked || !share_is_live(&x->share) || now >= life_front_deadline(&x->life))) {
        err = look(x, now);
        if ((x->stale = err != 0))
            x->store_check = clock_deadline_ms(RETRY_MS);
    }
    while (x->looked && may_do(act = life_front_next(&x->life, now), err)) {
        int result = perform(x, act);

        if (act != LIFE_SHARE)
            note_failure(x, TRY_WRITE, result);
        life_front_done(&x->life, act, result, now);
        if (result == -ECONNRESET)
            err = result;
    }
    if (err == -ECONNRESET)
        reopen(x);
}

uint64_t bus_deadline(const struct xvs *x)
{
    uint64_t life = life_front_deadline(&x->life), check = x->store_check < x->byte_check ? x->store_check : x->byte_check;

    return life < check ? life : check;
}
