/* SPDX-License-Identifier: MIT */
/* registry.c: see registry.h. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"

#define BACKEND_TREE "/local/domain/%u/backend/vsock"
#define RESCAN_MS   300u        /* after a change below backend/vsock, most of which are our own */
#define EVENT_BATCH 64

static const struct watch_key introduce = { .kind = WATCH_INTRODUCE }, release = { .kind = WATCH_RELEASE },
                              tree = { .kind = WATCH_OTHER };

/* ---- look-ups ---- */

#define each_device(x, l) for (struct list *l = (x)->devices.next; l != &(x)->devices; l = l->next)

static struct device *device_at(struct list *l)
{
    return container_of(l, struct device, link);
}

struct device *registry_by_cid(const struct xvsd *x, uint64_t cid)
{
    each_device(x, l)
        if (device_at(l)->cid == cid)
            return device_at(l);
    return NULL;
}

struct device *registry_find(const struct xvsd *x, uint32_t domid, uint32_t number)
{
    each_device(x, l)
        if (device_at(l)->id.front == domid && device_at(l)->id.number == number)
            return device_at(l);
    return NULL;
}

void registry_link_cid(struct device *d)
{
    struct device *owner = registry_by_cid(d->x, d->cid);
    int err = 0;

    if (owner == d)
        err = guest_dir_link(&d->dir, &d->x->rundir, d->cid);
    else
        journal_guest(&d->journal, JOURNAL_ERROR, "CID %llu belongs to %s; this device will be refused",
                      (unsigned long long)d->cid, owner ? owner->journal.who : "nobody");
    if (err)
        journal_guest(&d->journal, JOURNAL_WARNING, "cannot make the link cid/%llu: %s", (unsigned long long)d->cid,
                      strerror(-err));
}

/* ---- taking in ---- */

static struct watch_key front_key(const struct device_id *id)
{
    return (struct watch_key){ .kind = WATCH_FRONT, .domid = id->front, .number = id->number };
}

static int take_in(struct xvsd *x, const struct attach_device *a, struct device **out, char *why)
{
    char path[PATHS_MAX], what[RUNDIR_WHY] = "";
    struct watch_key key = front_key(&a->id);
    int err = device_new(x, &a->id, a->cid, out, what);

    if (err) {
        snprintf(why, REGISTRY_WHY, "domain %u, device %u: %s", a->id.front, a->id.number, what);
        return err;
    }
    err = store_watch(x->store, paths_join(path, (*out)->paths.front, "state"), &key);
    if (err && err != -EEXIST) {
        snprintf(why, REGISTRY_WHY, "%s: cannot watch %s: %s", (*out)->journal.who, path, strerror(-err));
        device_free(*out);
        *out = NULL;
        return err;
    }
    journal_guest(&(*out)->journal, JOURNAL_INFO, "taken in, CID %llu, socket %s/vsock", (unsigned long long)a->cid,
                  (*out)->dir.path);
    device_look(*out);
    return 0;
}

/* What is left of a domain that is gone is removed; of one that lives, attach_create() replaces it. */
static bool is_whole(struct xvsd *x, const struct attach_device *a)
{
    if (!a->orphan)
        return true;
    if (!domains_exists(x->store, a->id.front) && !store_check(x->store))
        attach_remove(x->store, &a->id);
    return false;
}

/* The devices of one domain that are not known yet. */
static void take_in_domain(struct xvsd *x, const char *backend, const char *domain)
{
    char path[PATHS_MAX], names[32][STORE_NAME], why[REGISTRY_WHY];
    struct attach_device a = { .id.back = x->self };
    struct device *d;
    int n;

    if (parse_u32("domid", domain, 0, PATHS_DOMID - 1, &a.id.front, NULL))
        return;
    n = store_list(x->store, paths_join(path, backend, domain), names, 32, NULL);
    for (int i = 0; i < n; i++)
        if (!parse_u32("device", names[i], 0, PATHS_DEVICES - 1, &a.id.number, NULL) &&
            !registry_find(x, a.id.front, a.id.number) && !attach_find(x->store, &a.id, &a) && is_whole(x, &a) &&
            take_in(x, &a, &d, why))
            journal(JOURNAL_ERROR, "%s", why);
}

/* A device that is not listed any more is looked at, and its life ends with that. */
static void look_at_lost(struct xvsd *x, char (*names)[STORE_NAME], int count)
{
    each_device(x, l) {
        char domid[16];
        int i = 0;

        snprintf(domid, sizeof domid, "%u", device_at(l)->id.front);
        while (i < count && strcmp(names[i], domid))
            i++;
        if (i == count)
            device_look(device_at(l));
    }
}

static bool is_known(const struct xvsd *x, const char *domain)
{
    each_device(x, l) {
        char domid[16];

        snprintf(domid, sizeof domid, "%u", device_at(l)->id.front);
        if (!strcmp(domid, domain))
            return true;
    }
    return false;
}

/* One request, and a few for each domain that is new.  This is called often, because every change of a state fires the
 * watch; so domains that are known are looked into only if 'all' is asked for. */
static void take_in_all(struct xvsd *x, bool all)
{
    static char names[REGISTRY_MAX][STORE_NAME];
    char path[PATHS_MAX];
    bool more = false;
    int n;

    snprintf(path, sizeof path, BACKEND_TREE, x->self);
    n = store_list(x->store, path, names, REGISTRY_MAX, &more);
    for (int i = 0; i < n; i++)
        if (all || !is_known(x, names[i]))
            take_in_domain(x, path, names[i]);
    if (more)
        journal(JOURNAL_ERROR, "there are more than %u domains with devices; the rest is not served", REGISTRY_MAX);
    if (n >= 0 || n == -ENOENT)
        look_at_lost(x, names, n < 0 ? 0 : n);
}

static uint64_t usual_cid(const struct xvsd *x, uint32_t domid, uint32_t number)
{
    char name[DOMAINS_NAME];
    const struct settings_guest *g = NULL;

    if (!number && !domains_name(x->store, domid, name))
        g = settings_guest(x->settings, name);
    return g && g->cid ? g->cid : REGISTRY_CID_BASE + domid + (uint64_t)number * REGISTRY_CID_STEP;
}

/* A domain whose device was detached by a command stays without one until it is gone, or attached by a command. */
static bool is_declined(const struct xvsd *x, uint32_t domid)
{
    return x->declined[domid / 64] >> domid % 64 & 1;
}

static void decline(struct xvsd *x, uint32_t domid, bool yes)
{
    uint64_t bit = UINT64_C(1) << domid % 64;

    x->declined[domid / 64] = yes ? x->declined[domid / 64] | bit : x->declined[domid / 64] & ~bit;
}

/* True if any was attached. */
static bool attach_domains(struct xvsd *x)
{
    static uint32_t domids[REGISTRY_MAX];
    bool more, any = false;
    int n = domains_list(x->store, domids, REGISTRY_MAX, &more);

    for (int i = 0; i < n; i++) {
        struct attach_device a = { .id = { .front = domids[i], .back = x->self, .number = 0 } };
        int err;

        if (domids[i] == x->self || registry_find(x, domids[i], 0) || is_declined(x, domids[i]))
            continue;
        a.cid = usual_cid(x, domids[i], 0);
        err = attach_create(x->store, &a);
        any |= !err;
        if (err && err != -EEXIST && err != -ENOENT)
            journal(JOURNAL_ERROR, "cannot attach a device to domain %u: %s", domids[i], strerror(-err));
    }
    return any;
}

static void scan(struct xvsd *x, bool all)
{
    x->rescan_at = UINT64_MAX;
    if (x->stop_at)
        return;
    take_in_all(x, all);
    if (x->settings->attach_auto && attach_domains(x))
        take_in_all(x, false);
}

void registry_scan(struct xvsd *x)
{
    scan(x, true);
}

void registry_rescan(struct xvsd *x)
{
    scan(x, false);
}

int registry_start(struct xvsd *x, char *why)
{
    char path[PATHS_MAX];
    int err;

    snprintf(path, sizeof path, BACKEND_TREE, x->self);
    if ((err = store_watch(x->store, "@introduceDomain", &introduce)) ||
        (err = store_watch(x->store, "@releaseDomain", &release)) || (err = store_watch(x->store, path, &tree))) {
        snprintf(why, REGISTRY_WHY, "cannot watch xenstore: %s", strerror(-err));
        return err;
    }
    registry_scan(x);
    return 0;
}

/* ---- events ---- */

static void check_deaths(struct xvsd *x)
{
    each_device(x, l) {
        struct device *d = device_at(l);

        if (!d->life.dead)
            device_look(d);
    }
    for (uint32_t domid = 0; domid < PATHS_DOMID; domid++)
        if (is_declined(x, domid) && !domains_exists(x->store, domid) && !store_check(x->store))
            decline(x, domid, false);
}

static void on_event(struct xvsd *x, const struct watch_key *key)
{
    struct device *d;

    switch (key->kind) {
    case WATCH_INTRODUCE:
        registry_rescan(x);
        break;
    case WATCH_RELEASE:
        check_deaths(x);
        break;
    case WATCH_FRONT:
        if ((d = registry_find(x, key->domid, key->number)))
            device_look(d);
        break;
    default:
        if (x->rescan_at == UINT64_MAX) {
            x->rescan_at = clock_deadline_ms(RESCAN_MS);
            xvsd_wake_at(x, x->rescan_at);
        }
        break;
    }
}

void registry_on_store(struct xvsd *x)
{
    struct watch_key keys[EVENT_BATCH];
    int n;

    do {
        n = store_drain(x->store, keys, EVENT_BATCH);
        for (int i = 0; i < n; i++)
            on_event(x, &keys[i]);
    } while (n == EVENT_BATCH);
}

/* ---- letting go ---- */

static void forget(struct device *d, bool remove_nodes)
{
    struct xvsd *x = d->x;
    struct watch_key key = front_key(&d->id);
    struct device_id id = d->id;
    uint64_t cid = d->cid;
    struct device *heir;

    store_unwatch(x->store, &key);
    journal_guest(&d->journal, JOURNAL_INFO, d->life.dead ? "the domain is gone" : "let go");
    device_free(d);
    if (remove_nodes)
        attach_remove(x->store, &id);
    if ((heir = registry_by_cid(x, cid)))
        registry_link_cid(heir);
}

void registry_sweep(struct xvsd *x)
{
    for (struct list *l = x->devices.next, *next; l != &x->devices; l = next) {
        struct device *d = device_at(l);

        next = l->next;
        if (life_back_is_over(&d->life) && d->seen)
            forget(d, d->life.dead || d->detach);
    }
}

void registry_stop(struct xvsd *x)
{
    while (!list_is_empty(&x->devices))
        device_free(device_at(x->devices.next));
}

void registry_reloaded(struct xvsd *x)
{
    each_device(x, l) {
        struct device *d = device_at(l);
        const struct settings_guest *g = settings_guest(x->settings, d->name);
        struct settings_sockets sockets = settings_sockets_of(x->settings, d->name);
        int err = guest_dir_permit(&d->dir, &sockets);

        if (err)
            journal_guest(&d->journal, JOURNAL_WARNING, "cannot set mode and owner of %s: %s", d->dir.path,
                          strerror(-err));
        if (g && g->cid && g->cid != d->cid && !d->id.number)
            journal_guest(&d->journal, JOURNAL_NOTICE, "CID %llu takes effect when the guest connects again; now %llu",
                          (unsigned long long)g->cid, (unsigned long long)d->cid);
    }
    registry_scan(x);
}

/* ---- commands ---- */

int registry_attach(struct xvsd *x, const char *domain, int number, uint64_t cid, struct device **out, char *why)
{
    struct attach_device a = { .id = { .back = x->self } };
    const struct device *owner;
    int err = domains_resolve(x->store, domain, &a.id.front);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    if (number < 0 && (number = attach_free_number(x->store, a.id.front, x->self)) < 0) {
        snprintf(why, REGISTRY_WHY, "no device number is free: %s", strerror(-number));
        return number;
    }
    a.id.number = (uint32_t)number;
    a.cid = cid ? cid : usual_cid(x, a.id.front, a.id.number);
    if ((owner = registry_by_cid(x, a.cid))) {
        snprintf(why, REGISTRY_WHY, "CID %llu belongs to %s", (unsigned long long)a.cid, owner->journal.who);
        return -EADDRINUSE;
    }
    if ((err = attach_create(x->store, &a))) {
        snprintf(why, REGISTRY_WHY, "cannot attach device %u to domain %u: %s", a.id.number, a.id.front,
                 strerror(-err));
        return err;
    }
    decline(x, a.id.front, false);
    return take_in(x, &a, out, why);
}

static int by_number(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* The numbers of the domain's devices that are not on their way already, ascending. */
static int numbers_of(const struct xvsd *x, uint32_t domid, uint8_t *numbers)
{
    int n = 0;

    each_device(x, l) {
        const struct device *d = device_at(l);

        if (d->id.front == domid && !d->detach && !d->life.dead && n < (int)PATHS_DEVICES)
            numbers[n++] = (uint8_t)d->id.number;
    }
    qsort(numbers, (size_t)n, sizeof *numbers, by_number);
    return n;
}

static void say_which(char *why, const char *domain, const uint8_t *numbers, int n)
{
    size_t at = (size_t)snprintf(why, REGISTRY_WHY, "%.100s has %d devices,", domain, n);

    for (int i = 0; i < n && at < REGISTRY_WHY - 100; i++)
        at += (size_t)snprintf(why + at, REGISTRY_WHY - at, " %u", numbers[i]);
    snprintf(why + at, REGISTRY_WHY - at, ": name one of them (--device), or say that all are meant (--all)");
}

static void detach(struct device *d)
{
    if (d->id.number == 0)
        decline(d->x, d->id.front, true);
    d->detach = true;
    life_back_close(&d->life);
    device_look(d);
}

int registry_detach(struct xvsd *x, const char *domain, int number, uint8_t *gone, char *why)
{
    uint32_t domid;
    int n, err = domains_resolve(x->store, domain, &domid);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    n = numbers_of(x, domid, gone);
    if (number == REGISTRY_ONLY && n > 1) {
        say_which(why, domain, gone, n);
        return -ENOTUNIQ;
    }
    if (number >= 0) {
        n = memchr(gone, number, (size_t)n) != NULL;
        gone[0] = (uint8_t)number;
    }
    if (!n) {
        if (number >= 0)
            snprintf(why, REGISTRY_WHY, "%.100s has no device %d", domain, number);
        else
            snprintf(why, REGISTRY_WHY, "%.100s has no device", domain);
        return -ENODEV;
    }
    for (int i = 0; i < n; i++)
        detach(registry_find(x, domid, gone[i]));
    return n;
}
