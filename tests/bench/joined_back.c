/* SPDX-License-Identifier: MIT */
/* joined_back.c: the daemon without main.c and map.c: its loop is called, its guests are in the same process.
 * See joined.h. */
#include "joined.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "door.h"
#include "registry.h"
#include "serve.h"
#include "stream.h"

static struct xvsd daemon_;
static int host_end = -1;
void (*joined_on_notify)(struct xvs *x);

/* ---- main.c's and loop.c's ---- */

void xvsd_wake_at(struct xvsd *x, uint64_t at)
{
    (void)x;
    (void)at;
}

int xvsd_reload(struct xvsd *x, char *why)
{
    (void)x;
    (void)why;
    return -EINVAL;
}

void xvsd_out_of_files(struct xvsd *x)
{
    (void)x;
    joined_fail("out of files");
}

/* ---- map.c's ---- */

int map_open(struct guest_map *m, uint32_t domid, uint32_t control_ref, uint32_t event_channel,
             const struct map_limits *limits, char *why)
{
    (void)m;
    (void)domid;
    (void)control_ref;
    (void)event_channel;
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

/* ---- a host program on every port: linked with --wrap ---- */

int __wrap_doors_connect(const struct device *d, uint32_t port, const char *own, const char **dir, unsigned *wishes, char *why);

int __wrap_doors_connect(const struct device *d, uint32_t port, const char *own, const char **dir, unsigned *wishes, char *why)
{
    int size = 1 << 20, sv[2];

    (void)d;
    (void)port;
    (void)own;
    *dir = "";
    *wishes = 0;
    *why = '\0';
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
        return -errno;
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    host_end = sv[1];
    return sv[0];
}

int joined_host(void)
{
    return host_end;
}

struct device *joined_device(uint64_t cid)
{
    return registry_mapped_cid(&daemon_, cid);
}

/* ---- the daemon ---- */

static void start(struct xvsd *x)
{
    if (x->settings)
        return;
    if (uv_loop_init(&x->uv) || poller_init(&x->poller, &x->uv) || registry_init(x) || !(x->settings = settings_default()))
        joined_fail("cannot make a loop");
    x->settings->services = true;
    x->settings->guest_to_guest = true;
    x->settings->max_connections = 65536;
    x->settings->spin_us = 0;
    x->timer_at = x->rescan_at = x->settle_at = x->farewell_at = UINT64_MAX;
    list_init(&x->turns);
    list_init(&x->round);
    list_init(&x->farewells);
    accounts_init(&x->accounts);
}

void back_open(uint64_t cid, struct xenevtchn_handle *channel, const struct link_memory *mem)
{
    struct xvsd *x = &daemon_;
    struct device *d;

    start(x);
    if (!(d = calloc(1, sizeof *d)) || !(d->domain = calloc(1, sizeof *d->domain)) || !(d->door = calloc(1, sizeof *d->door)) ||
        fates_init(&d->fates))
        joined_fail("out of memory");
    d->x = x;
    d->id.front = (uint32_t)cid;
    d->look_at = d->listen_again_at = d->unmask_at = d->feed_at = UINT64_MAX;
    d->channel.fd = -1;
    list_init(&d->turn);
    list_init(&d->of_domain);
    list_init(&d->domain->devices);
    list_init(&d->doors);
    list_init(&d->clients);
    snprintf(d->domain->name, sizeof d->domain->name, "dom%llu", (unsigned long long)cid);
    d->domain->title = (struct title){ .name = d->domain->name, .uuid = d->domain->uuid, .has_name = true };
    if (!(d->account = account_open(&x->accounts, d->domain->name, 0)))
        joined_fail("out of memory");
    journal_guest_init(&d->journal, d->domain->name, d->id.front, 0);
    registry_set_cid(d, cid);
    life_back_init(&d->life, VSOCKIF_CONNECTED, 0);
    d->life.own = d->life.peer = VSOCKIF_CONNECTED;
    d->life.mapped = true;
    d->life.drop = false;
    d->map.evt = channel;
    d->map.mem = *mem;
    d->map.mem.rx_buffer = 0;   /* the frontend's choice alone */
    channel->device = d;
    list_append(&x->devices, &d->link);
    if (serve_start(d))
        joined_fail("the daemon does not serve guest %llu", (unsigned long long)cid);
}

static bool look_at_channels(struct xvsd *x)
{
    bool any = false;

    for (struct list *l = x->devices.next; l != &x->devices; l = l->next) {
        struct device *d = container_of(l, struct device, link);

        if (!d->map.evt->to_daemon)
            continue;
        d->channel.ready(&d->channel, EPOLLIN);
        any = true;
    }
    return any;
}

/* As loop_run(). */
void joined_daemon(void)
{
    struct xvsd *x = &daemon_;
    struct list *link;

    do {
        poller_wait(&x->poller, 0);
        look_at_channels(x);
        while ((link = list_take(&x->turns)))
            list_append(&x->round, link);
        while ((link = list_take(&x->round))) {
            struct device *d = container_of(link, struct device, turn);

            device_serve(d);
            if (!device_is_connected(d))
                joined_fail("the daemon refuses guest %s: %s", d->domain->name, d->error);
        }
    } while (!list_is_empty(&x->turns) || look_at_channels(x));
}

static bool guests_look(struct xvsd *x)
{
    bool any = false;

    for (struct list *l = x->devices.next; l != &x->devices; l = l->next) {
        struct xenevtchn_handle *channel = container_of(l, struct device, link)->map.evt;

        if (!channel->to_guest)
            continue;
        joined_guest(channel->guest);
        any = true;
    }
    return any;
}

void joined_settle(void)
{
    for (struct list *l = daemon_.devices.next; l != &daemon_.devices; l = l->next)
        joined_guest(container_of(l, struct device, link)->map.evt->guest);
    do
        joined_daemon();
    while (guests_look(&daemon_));
}

struct xvs *joined_open(uint64_t cid)
{
    struct xvs *x = front_open(cid);

    front_channel(x)->guest = x;
    back_open(cid, front_channel(x), front_memory(x));
    joined_daemon();
    return x;
}
