/* SPDX-License-Identifier: MIT */
/* registry.c: see registry.h. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "find.h"
#include "scan.h"
#include "settle.h"
#include "troubles.h"

#define EVENT_BATCH 64          /* events of xenstore in a round of the loop */
#define LOOK_BATCH  32          /* devices looked at in a round, after a domain has died */

static const struct watch_key introduce = { .kind = WATCH_INTRODUCE }, release = { .kind = WATCH_RELEASE },
                              tree = { .kind = WATCH_OTHER };

/* ---- the beginning ---- */

static void on_rescan(struct alarm *alarm, uint64_t now)
{
    (void)now;
    scan_again(container_of(alarm, struct registry, rescan));
}

static void on_settle(struct alarm *alarm, uint64_t now)
{
    (void)now;
    settle_soon(container_of(alarm, struct registry, settle));
}

int registry_init(struct registry *r, struct loop *loop, struct wall *wall, struct wall *dialer,
                  const struct rundir *rundir)
{
    int err;

    *r = (struct registry){ .loop = loop, .wall = wall, .dialer = dialer, .rundir = rundir };
    list_init(&r->devices);
    list_init(&r->domains);
    list_init(&r->troubles);
    alarm_init(&r->rescan, on_rescan);
    alarm_init(&r->settle, on_settle);
    journal_nobody_init(&r->journal);
    hash_seed(&r->seed);
    if ((err = hash_init(&r->domains_by_domid)) || (err = hash_init(&r->devices_by_cid)) || (err = hash_init(&r->homes)))
        return err;
    return 0;
}

void registry_free(struct registry *r)
{
    hash_free(&r->domains_by_domid);
    hash_free(&r->devices_by_cid);
    hash_free(&r->homes);
}

int registry_start(struct registry *r, char *why)
{
    char path[PATHS_MAX];
    int err;

    snprintf(path, sizeof path, SCAN_TREE, r->self);
    if ((err = store_watch(r->store, "@introduceDomain", &introduce)) ||
        (err = store_watch(r->store, "@releaseDomain", &release)) || (err = store_watch(r->store, path, &tree))) {
        snprintf(why, REGISTRY_WHY, "cannot watch xenstore: %s", strerror(-err));
        return err;
    }
    scan_all(r);
    settle(r);
    return 0;
}

/* ---- events ---- */

/* Which domain it was that died, nobody says. */
static void look_for_dead(struct registry *r)
{
    each_device(r, l)
        device_at(l)->to_look = true;
    for (uint32_t domid = 0; (domid = domids_next(&r->declined, domid)) < PATHS_DOMID; domid++)
        if (domains_exists(r->store, domid) == 0)
            domids_set(&r->declined, domid, false);
}

/* True if there are more. */
static bool look_at_some(struct registry *r)
{
    int n = 0;

    each_device(r, l) {
        struct device *d = device_at(l);

        if (!d->to_look)
            continue;
        if (n++ == LOOK_BATCH)
            return true;
        d->to_look = false;
        if (!d->life.dead)
            device_look(d);
    }
    return false;
}

static void on_event(struct registry *r, const struct watch_key *key)
{
    struct device *d;

    switch (key->kind) {
    case WATCH_INTRODUCE:
        scan_again(r);
        break;
    case WATCH_RELEASE:
        look_for_dead(r);
        break;
    case WATCH_FRONT:
        if ((d = device_find(r, key->domid, key->number)))
            device_look(d);
        break;
    case WATCH_NAME:
        scan_look_at(r, key->domid);
        break;
    default:
        rescan_soon(r);
        break;
    }
}

/* A guest may write its nodes as fast as we read them: so one batch, and others have their turn. */
void registry_on_store(struct registry *r)
{
    struct watch_key keys[EVENT_BATCH];
    int n = store_drain(r->store, keys, EVENT_BATCH);

    for (int i = 0; i < n; i++)
        on_event(r, &keys[i]);
    r->store_more = look_at_some(r) || n == EVENT_BATCH;
}

/* ---- the end ---- */

void registry_close(struct registry *r)
{
    r->stopping = true;
    each_device(r, l)
        device_close(device_at(l));
}

void registry_stop(struct registry *r)
{
    alarm_stop(&r->rescan);
    alarm_stop(&r->settle);
    while (!list_is_empty(&r->devices))
        device_free(device_at(r->devices.next));
    trouble_forget_all(r);
}

void registry_reloaded(struct registry *r)
{
    trouble_forget_all(r);
    settle_settings(r);
    scan_all(r);
    settle(r);
}
