/* SPDX-License-Identifier: MIT */
/* bus.c: see bus.h.
 *
 * Two watches, whatever happens: our own "backend" node (the device appears, disappears, or the domain was
 * restored under another domid) and the backend's state. */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "packets.h"
#include "parse.h"
#include "table.h"

#define CHECK_MS  10000u        /* how often an idle device asks whether xenstored still answers */
#define RETRY_MS  1000u
#define VERSIONS  (1u << VSOCKIF_VERSION | 1u << VSOCKIF_VERSION_FEATURES)
#define FEATURES  ((uint32_t)VSOCKIF_FEATURE_SEQPACKET)
#define BYTE_MS   100u          /* life.h: an event of the channel may come before back_live is cleared */
#define SUSPENDED_NS 1000000    /* more than the two clocks are rounded by */

static const struct watch_key *own_key(const struct bus *b, struct watch_key *key)
{
    *key = (struct watch_key){ .kind = WATCH_OWN, .number = b->opt->device };
    return key;
}

static const struct watch_key *back_key(const struct bus *b, struct watch_key *key)
{
    *key = (struct watch_key){ .kind = WATCH_BACK, .number = b->opt->device };
    return key;
}

/* libxenstore makes its descriptor when it is first asked for, and that may fail. */
static int follow_store_fd(struct bus *b)
{
    int fd;

    errno = EMFILE;
    fd = store_fd(b->store);
    return fd < 0 ? -errno : wake_watch(b->wake, &b->store_fd, fd, WAKE_STORE);
}

void bus_init(struct bus *b, const struct xvs_options *opt, struct trunk *trunk, struct report *report, struct wake *wake,
              struct owner_lock *lock)
{
    *b = (struct bus){
        .opt = opt, .trunk = trunk, .report = report, .wake = wake, .lock = lock,
        .store_fd = -1, .evtchn_fd = -1, .byte_check = LIFE_NEVER,
    };
    source_init(&b->source, SOURCE_DEVICE);
}

int bus_open(struct bus *b, enum attempt *what)
{
    struct watch_key key;
    char path[PATHS_MAX], leaf[PATHS_MAX];
    int err;

    *what = TRY_XENSTORE;
    if ((err = store_open(&b->store)))
        return err;
    *what = TRY_WATCH;
    paths_front_own(path, b->opt->device);
    if ((err = store_watch(b->store, paths_join(leaf, path, "backend"), own_key(b, &key))))
        return err;
    b->store_check = clock_deadline_ms(CHECK_MS);
    return follow_store_fd(b);
}

/* ---- looking ---- */

/* What passes by itself, or has its own words already, is not told. */
static void note_failure(struct bus *b, enum attempt what, int err)
{
    if (err && !b->trunk->up && err != -EAGAIN && err != -ENOENT && err != -EPROTO && err != -ECONNRESET)
        report_failed(b->report, what, "", err);
}

/* Where the device is now: paths and the watch on the backend follow it. */
static int seek_device(struct bus *b)
{
    struct watch_key key;
    struct device_id id;
    struct paths paths;
    char why[PARSE_WHY] = "", leaf[PATHS_MAX];
    int err = nodes_find(b->store, b->opt->device, &paths, &id, why);

    if (err) {
        if (err == -EPROTO)
            report_reason(b->report, "device/vsock/%u is not a device: %s", b->opt->device, why);
        note_failure(b, TRY_LOOK, err);
        b->found = false;
        return err;
    }
    if (b->found && strcmp(paths.back, b->paths.back) == 0)
        return 0;
    if (b->back_watched)
        store_unwatch(b->store, back_key(b, &key));
    b->back_watched = false;
    b->paths = paths;
    b->back_domid = id.back;
    err = store_watch(b->store, paths_join(leaf, paths.back, "state"), back_key(b, &key));
    note_failure(b, TRY_WATCH, err);
    if (err)
        return err;
    b->back_watched = b->found = true;
    return 0;
}

/* 0, -ENOENT if there is none, or what kept us from finding out. */
static int find_device(struct bus *b)
{
    int err;

    if (b->sought)
        return b->found ? 0 : -ENOENT;
    err = seek_device(b);
    b->sought = err == 0 || err == -ENOENT;
    return err;
}

/* -EBUSY if the device is the kernel's: from then on nothing is written.  The driver is bound before it reads the nodes, and goes if a
 * program has the device by then (is_taken(), frontend/linux/bus.c).  So who asks after he has read them does not take what the driver
 * wrote for a predecessor's, and who asks after he has written 3 hears of a driver that came too early to read it. */
static int leave_to_kernel(struct bus *b)
{
    if (!owner_is_kernel(b->opt->device))
        return 0;
    report_reason(b->report, "this guest's kernel has taken device/vsock/%u (xen_vsock); waiting until it lets go", b->opt->device);
    return -EBUSY;
}

static int look(struct bus *b, uint64_t now)
{
    struct life_look seen = { .own = 0 };
    char why[PARSE_WHY] = "";
    int err = find_device(b);

    if (err == 0)
        note_failure(b, TRY_LOOK, err = nodes_look(b->store, b->paths.front, b->paths.back, &seen.own, &seen.peer, why));
    else if (err == -ENOENT)
        err = 0;
    if (err)
        return err;
    if (b->found && (err = leave_to_kernel(b)))
        seen.own = seen.peer = VSOCKIF_UNKNOWN;     /* to us there is no device */
    if (!b->looked)
        life_front_init(&b->life, seen.own, now);
    b->looked = true;
    if (!b->found && !b->trunk->up)
        report_reason(b->report, "there is no device/vsock/%u: nothing in dom0 has attached one (is xvsd running?)",
                      b->opt->device);
    /* After the states, never before (life.h): an old "not mapped yet" beside a new Connected would look like a
     * backend that has died, and we would take back pages that it maps. */
    seen.live = share_is_live(&b->share);
    life_front_look(&b->life, &seen, now);
    return err;
}

/* ---- acting ---- */

/* 0 if it cannot be found out. */
static uint32_t own_domid(const struct bus *b)
{
    char text[16];
    uint32_t domid;

    return store_read(b->store, "domid", text, sizeof text) > 0 && parse_u32("", text, 0, PATHS_DOMID - 1, &domid, NULL) == 0
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
static bool is_restored(const struct bus *b)
{
    uint32_t domid = b->share.own_domid && b->store ? own_domid(b) : 0;
    uint64_t least, most;

    suspended_ns(&least, &most);
    return (domid && domid != b->share.own_domid) || least > b->share.suspended_ns + SUSPENDED_NS;
}

void bus_judge_share(struct bus *b)
{
    if (!b->share.evtchn || b->share.restored || b->wake->orphan || !is_restored(b))
        return;
    b->share.restored = true;
    /* The end of the process stumbles over the old event channel, and Linux closes descriptors from the highest down: the
     * lock must be above it, or no other process ever gets the device. */
    forks_enter();
    owner_raise(b->lock, xenevtchn_fd(b->share.evtchn));
    forks_leave();
}

static void take_back(struct bus *b)
{
    bus_judge_share(b);
    forks_enter();
    share_close(&b->share);
    forks_leave();
}

static int act_unshare(struct bus *b)
{
    wake_watch(b->wake, &b->evtchn_fd, -1, WAKE_EVTCHN);
    take_back(b);
    b->byte_check = LIFE_NEVER;
    return 0;
}

/* Once, however often it connects. */
static void say_small(struct bus *b)
{
    if (b->share.is_small && !b->said_small)
        report_log(b->report, "its pools have %u and %u KiB, not %u and %u: raise the parameter 'limit' of the module xen-gntalloc, or ask for less",
                   b->share.mem.tx_bytes / 1024, b->share.mem.rx_bytes / 1024, b->opt->tx_pool / 1024, b->opt->rx_pool / 1024);
    b->said_small = b->share.is_small;
}

static int act_share(struct bus *b)
{
    struct back_nodes offer;
    struct front_nodes nodes = { .queues = 1 };
    enum attempt what;
    char why[PARSE_WHY] = "", with[24];
    int err = nodes_read_back(b->store, &b->paths, &offer, why);

    if (err) {
        if (err != -EAGAIN)
            report_reason(b->report, "cannot read what the backend offers: %s", why);
        return err;
    }
    if (!(nodes.version = parse_common_version(VERSIONS, offer.versions))) {
        report_reason(b->report, "the backend does not speak version %u or %u of the protocol", VSOCKIF_VERSION,
                      VSOCKIF_VERSION_FEATURES);
        return -EPROTO;
    }
    nodes.features = offer.features & FEATURES;
    forks_enter();
    err = share_open(&b->share, b->opt, &offer, b->back_domid, &what);
    forks_leave();
    if (err) {
        snprintf(with, sizeof with, "domain %u", b->back_domid);
        report_failed(b->report, what, what == TRY_CHANNEL || what == TRY_PAGES ? with : "", err);
        return err;
    }
    say_small(b);
    b->share.own_domid = own_domid(b);
    suspended_ns(&(uint64_t){ 0 }, &b->share.suspended_ns);
    packets_begin(b->trunk, &b->share.mem, b->share.evtchn, b->share.port);
    vmux_allow_seqpacket(b->trunk->mux, nodes.features & VSOCKIF_FEATURE_SEQPACKET);
    nodes.cid = offer.cid;
    nodes.control_ref = b->share.control_ref;
    nodes.event_channel = b->share.port;
    fcntl(xenevtchn_fd(b->share.evtchn), F_SETFL, O_NONBLOCK);
    if ((err = wake_watch(b->wake, &b->evtchn_fd, xenevtchn_fd(b->share.evtchn), WAKE_EVTCHN)))
        report_failed(b->report, TRY_DESCRIPTOR, "", err);
    else
        note_failure(b, TRY_WRITE, err = nodes_share(b->store, &b->paths, &nodes));
    if (err || (err = leave_to_kernel(b))) {
        act_unshare(b);
        return err;
    }
    b->trunk->cid = offer.cid;
    return 0;
}

static int act_connect(struct bus *b)
{
    int err = nodes_set_state(b->store, b->paths.front, VSOCKIF_CONNECTED);

    if (err)
        return err;
    b->trunk->up = true;
    b->ups++;
    report_reason(b->report, "connected, CID %llu", (unsigned long long)b->trunk->cid);
    source_raise(&b->trunk->events, &b->source, XVS_EVENT_UP);
    return 0;
}

static int act_reset(struct bus *b)
{
    bool told = b->life.fault;

    table_reset(b->trunk);
    if (!told)
        report_reason(b->report, "the backend went away; waiting for it to come back");
    source_raise(&b->trunk->events, &b->source, XVS_EVENT_DOWN);
    return 0;
}

static int perform(struct bus *b, enum life_act act)
{
    switch (act) {
    case LIFE_SHARE:   return act_share(b);
    case LIFE_CONNECT: return act_connect(b);
    case LIFE_RESET:   return act_reset(b);
    case LIFE_UNSHARE: return act_unshare(b);
    case LIFE_CLOSING: return nodes_set_state(b->store, b->paths.front, VSOCKIF_CLOSING);
    case LIFE_CLOSED:  return nodes_set_state(b->store, b->paths.front, VSOCKIF_CLOSED);
    case LIFE_RESTART: return nodes_set_state(b->store, b->paths.front, VSOCKIF_INITIALISING);
    default:           return -EINVAL;
    }
}

/* The connection to xenstored is dead: try a new one now and then.  The old descriptor leaves first, for the new one may
 * have its number. */
static void reopen(struct bus *b)
{
    wake_watch(b->wake, &b->store_fd, -1, WAKE_STORE);
    if (store_reopen(b->store) == 0 && follow_store_fd(b) == 0)
        report_log(b->report, "xenstore: connected again");
    else
        b->store_check = clock_deadline_ms(RETRY_MS);
    b->stale = true;
    b->sought = false;
}

/* RESET and UNSHARE take no xenstore: streams end at once, whether that answers or not. */
static bool may_do(enum life_act act, int err)
{
    return act != LIFE_WAIT && (!err || act == LIFE_RESET || act == LIFE_UNSHARE);
}

/* What has fired is looked at anyway; where the device is, only when our own node may have changed. */
static void drain(struct bus *b)
{
    struct watch_key keys[4];
    int n;

    do {
        n = store_drain(b->store, keys, 4);
        for (int i = 0; i < n; i++)
            if (keys[i].kind == WATCH_OWN)
                b->sought = false;
    } while (n == 4);
}

void bus_run(struct bus *b, bool fired, uint64_t now)
{
    enum life_act act;
    int err = 0;

    if (fired)
        drain(b);
    if (now >= b->store_check) {
        b->store_check = clock_deadline_ms(CHECK_MS);
        fired = fired || b->stale;
        err = store_check(b->store);
        if (!err && b->store_fd < 0 && follow_store_fd(b)) {
            fired = true;               /* deaf: ask instead */
            b->sought = false;
            b->store_check = clock_deadline_ms(RETRY_MS);
        }
    }
    if (now >= b->byte_check)
        b->byte_check = LIFE_NEVER;
    if (!err && (fired || !b->looked || !share_is_live(&b->share) || now >= life_front_deadline(&b->life))) {
        err = look(b, now);
        if ((b->stale = err != 0))
            b->store_check = clock_deadline_ms(RETRY_MS);
    }
    while (b->looked && may_do(act = life_front_next(&b->life, now), err)) {
        int result = perform(b, act);

        if (act != LIFE_SHARE)
            note_failure(b, TRY_WRITE, result);
        life_front_done(&b->life, act, result, now);
        if (result == -ECONNRESET)
            err = result;
    }
    if (err == -ECONNRESET)
        reopen(b);
}

uint64_t bus_deadline(const struct bus *b)
{
    uint64_t life = life_front_deadline(&b->life), check = b->store_check < b->byte_check ? b->store_check : b->byte_check;

    return life < check ? life : check;
}

void bus_idle_notification(struct bus *b)
{
    if (b->byte_check == LIFE_NEVER)
        b->byte_check = clock_deadline_ms(BYTE_MS);
}

void bus_fault(struct bus *b, const char *why)
{
    report_reason(b->report, "the backend broke the protocol: %s; closing the device and trying again", why);
    life_front_fault(&b->life, "the backend broke the protocol", clock_coarse_ms());
}

/* ---- the end ---- */

void bus_orphan(struct bus *b)
{
    share_orphan(&b->share, b->wake->epoll);
}

void bus_close(struct bus *b)
{
    /* What is not mapped yet the backend would look for in vain, and say that this guest is to blame.  What is, it sees by front_live. */
    if (b->store && !b->wake->orphan && b->life.shares && b->life.own == VSOCKIF_INITIALISED)
        nodes_set_state(b->store, b->paths.front, VSOCKIF_CLOSING);
    take_back(b);
    if (!b->store)
        return;
    if (b->wake->orphan) {
        store_forget(b->store);
    } else {
        wake_watch(b->wake, &b->store_fd, -1, WAKE_STORE);
        store_close(b->store);
    }
    b->store = NULL;
}
