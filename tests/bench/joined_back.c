/* SPDX-License-Identifier: MIT */
/* joined_back.c: the daemon from its lanes down, without map.c: its loop is called, its guests are in the same process.
 * See joined.h. */
#include "joined.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "bridge.h"
#include "ends.h"
#include "farewell.h"
#include "greet.h"
#include "policy_dir.h"
#include "serve.h"
#include "updown.h"

static struct {
    struct loop loop;
    struct lanes lanes;
    struct farewells farewells;
    struct hostsides hostsides;
    struct accounts accounts;
    struct settings *settings;
} daemon_;

struct joined_device {
    struct lane lane;           /* first */
    struct hostside host;
    struct journal_guest journal;
    struct title title;
    char name[32];
};
static struct joined_device *all[256];
static size_t count;
static int host_end = -1;
bool joined_nobody_listens;

#define MOST 64
static struct {
    struct hostside *host;
    uint32_t request[MOST];
    unsigned count;
} nobody;                       /* to be told of it: never while it asks */
void (*joined_on_notify)(struct xvs *x);

/* ---- map.c's ---- */

int map_open(struct guest_map *m, struct xengntdev_handle *gnt, uint32_t domid, uint32_t control_ref, int channel, uint32_t port,
             const struct map_limits *limits, char *why)
{
    (void)m;
    (void)gnt;
    (void)domid;
    (void)control_ref;
    (void)channel;
    (void)port;
    (void)limits;
    (void)why;
    return -EINVAL;
}

void map_close(struct guest_map *m)
{
    (void)m;
}

bool map_is_live(const struct guest_map *m)
{
    (void)m;
    return true;
}

int map_fd(const struct guest_map *m)
{
    (void)m;
    return eventfd(0, EFD_CLOEXEC);     /* never readable: joined_daemon() looks at to_daemon */
}

bool map_take_event(struct guest_map *m)
{
    m->evt->to_daemon = false;
    return true;
}

void map_unmask(struct guest_map *m)
{
    (void)m;
}

void map_notify(struct guest_map *m)
{
    joined_kicks++;
    m->evt->to_guest = true;
    if (joined_on_notify)
        joined_on_notify(m->evt->guest);
}

/* ---- the keeper's: a host program on every port ---- */

static void dial(struct hostside *host, uint32_t request, uint32_t port, unsigned type, const char *own)
{
    struct bridge_dialed dialed = { .request = request, .dir = "", .why = "" };
    int size = 1 << 20, sv[2];

    (void)port;
    (void)type;
    (void)own;
    if (joined_nobody_listens) {
        nobody.host = host;
        nobody.request[nobody.count++ % MOST] = request;
        return;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
        joined_fail("no socketpair");
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    host_end = sv[1];
    dialed.fd = sv[0];
    bridge_dialed(host, &dialed);
}

static void old_used(struct hostside *host, bool used)
{
    (void)host;
    (void)used;
}

int joined_host(void)
{
    return host_end;
}

struct lane *joined_lane(uint64_t cid)
{
    return lanes_find(&daemon_.lanes, cid);
}

void back_allow_messages(uint64_t cid, bool allow)
{
    vmux_allow_seqpacket(joined_lane(cid)->mux, allow);
}

size_t joined_guest_record(void)
{
    return sizeof(struct lane) + sizeof(struct hostside);
}

struct settings *joined_settings(void)
{
    return daemon_.settings;
}

/* ---- the daemon ---- */

static void on_broke(struct lane *lane, const char *why)
{
    joined_fail("the daemon refuses guest %s: %s", lane->journal->who, why);
}

static void on_look(struct lane *lane)
{
    (void)lane;
}

/* As an administrator may write it, and the default behind it. */
static const struct policy *policy(void)
{
    static const char own[] = "22,8000-8099 web1 db1 allow\n* @any @any allow\n* @vsock @any allow\n* @any @vsock allow\n";
    const struct policy_file files[] = {
        { "own", own, sizeof own - 1 }, { "default", policy_default, (size_t)(policy_default_end - policy_default) }
    };
    struct policy *p;
    struct complaints why = { 0 };

    if (policy_read(files, 2, daemon_.settings, NULL, &p, &why))
        joined_fail("%s", why.first);
    return p;
}

static void start(void)
{
    if (daemon_.settings)
        return;
    if (loop_init(&daemon_.loop) || lanes_init(&daemon_.lanes, &daemon_.loop, ends) ||
        !(daemon_.settings = settings_default()))
        joined_fail("cannot make a loop");
    daemon_.settings->services = true;
    daemon_.settings->limits.max_connections = 65536;
    daemon_.settings->spin_us = 0;
    daemon_.lanes.settings = daemon_.settings;
    daemon_.lanes.policy = policy();
    daemon_.lanes.farewells = &daemon_.farewells;
    farewells_init(&daemon_.farewells, &daemon_.lanes);
    daemon_.hostsides.loop = &daemon_.loop;
    daemon_.hostsides.old_used = old_used;
    daemon_.hostsides.dial = dial;
    accounts_init(&daemon_.accounts);
}

void back_open(uint64_t cid, struct xenevtchn_handle *channel, const struct link_memory *mem)
{
    static const struct lane_owner owner = { .broke = on_broke, .look = on_look };
    struct joined_device *d = calloc(1, sizeof *d);

    start();
    if (!d || count == sizeof all / sizeof *all)
        joined_fail("out of memory");
    lane_init(&d->lane, &daemon_.lanes, &owner);
    if (greet_begin(&d->host, &daemon_.hostsides, &d->lane))
        joined_fail("out of memory");
    snprintf(d->name, sizeof d->name, "dom%llu", (unsigned long long)cid);
    d->title = (struct title){ .name = d->name, .uuid = "", .has_name = true };
    journal_guest_init(&d->journal, d->name, (uint32_t)cid, 0);
    d->lane.journal = &d->journal;
    d->lane.title = &d->title;
    if (!(d->lane.account = account_open(&daemon_.accounts, d->name, 0)))
        joined_fail("out of memory");
    d->lane.map.evt = channel;
    d->lane.map.mem = *mem;
    d->lane.map.mem.rx_buffer = 0;      /* the frontend's choice alone */
    channel->device = d;
    all[count++] = d;
    if (lane_begin(&d->lane, cid))
        joined_fail("the daemon does not serve guest %llu", (unsigned long long)cid);
    lane_connected(&d->lane);
}

static bool look_at_channels(void)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &all[i]->lane;

        if (!lane->map.evt->to_daemon)
            continue;
        lane->channel.ready(&lane->channel, EPOLLIN);
        any = true;
    }
    return any;
}

static void say_nobody(void)
{
    while (nobody.count)
        bridge_dialed(nobody.host, &(struct bridge_dialed){ .request = nobody.request[--nobody.count], .fd = -ENOENT, .dir = "",
                                                            .why = "" });
}

/* As loop_run(). */
void joined_daemon(void)
{
    do {
        say_nobody();
        poller_wait(&daemon_.loop.poller, 0);
        look_at_channels();
        loop_take_turns(&daemon_.loop);
    } while (!list_is_empty(&daemon_.loop.turns) || nobody.count || look_at_channels());
}

static bool guests_look(void)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        struct xenevtchn_handle *channel = all[i]->lane.map.evt;

        if (!channel->to_guest)
            continue;
        joined_guest(channel->guest);
        any = true;
    }
    return any;
}

void joined_settle(void)
{
    for (size_t i = 0; i < count; i++)
        joined_guest(all[i]->lane.map.evt->guest);
    do
        joined_daemon();
    while (guests_look());
}

struct xvs *joined_open(uint64_t cid)
{
    struct xvs *x = front_open(cid);

    front_channel(x)->guest = x;
    back_open(cid, front_channel(x), front_memory(x));
    joined_daemon();
    return x;
}
