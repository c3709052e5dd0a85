/* SPDX-License-Identifier: MIT */
/* registry.c: see registry.h. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "cids.h"
#include "device.h"
#include "domain.h"
#include "settle.h"

#define BACKEND_TREE "/local/domain/%u/backend/vsock"
#define EVENT_BATCH 64          /* events of xenstore in a round of the loop */
#define LOOK_BATCH  32          /* devices looked at in a round, after a domain has died */

static const struct watch_key introduce = { .kind = WATCH_INTRODUCE }, release = { .kind = WATCH_RELEASE },
                              tree = { .kind = WATCH_OTHER };

/* ---- tables ---- */

static void on_rescan(struct alarm *alarm, uint64_t now)
{
    (void)now;
    registry_rescan(container_of(alarm, struct registry, rescan));
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

struct device *registry_numbered(const struct registry *r, uint32_t number)
{
    each_device(r, l)
        if (device_at(l)->born == number)
            return device_at(l);
    return NULL;
}

struct device *registry_find(const struct registry *r, uint32_t domid, uint32_t number)
{
    struct domain *dom = domain_find(r, domid);

    if (!dom)
        return NULL;
    each_device_of(dom, l)
        if (device_of_domain(l)->id.number == number)
            return device_of_domain(l);
    return NULL;
}

/* ---- what cannot be taken in ---- */

/* A domain with which something has failed, for as long as it does. */
struct trouble {
    struct list link;           /* in registry.troubles */
    uint32_t domid;
    struct backoff again;
    struct journal_guest journal;
};

static struct trouble *trouble_find(const struct registry *r, uint32_t domid)
{
    for (struct list *l = r->troubles.next; l != &r->troubles; l = l->next)
        if (container_of(l, struct trouble, link)->domid == domid)
            return container_of(l, struct trouble, link);
    return NULL;
}

static bool may_try(const struct registry *r, uint32_t domid)
{
    const struct trouble *t = trouble_find(r, domid);

    return !t || backoff_may_try(&t->again, loop_now(r->loop));
}

static void forget_trouble(struct trouble *t)
{
    journal_guest_end(&t->journal);
    list_remove(&t->link);
    free(t);
}

static void rescan_at(struct registry *r, uint64_t at)
{
    alarm_at(r->loop, &r->rescan, at);
}

/* xenstored did not say what there is: again in a while, in everything if that was asked for. */
static void look_again(struct registry *r, bool all)
{
    r->rescan_all |= all;
    rescan_at(r, clock_deadline_ms(BACKOFF_FIRST_MS));
}

/* Says so and sees to it that it is tried again. */
static void has_failed(struct registry *r, uint32_t domid, const char *why)
{
    struct trouble *t = trouble_find(r, domid);
    char name[NAMES_DOMID];

    if (!t && (t = calloc(1, sizeof *t))) {
        t->domid = domid;
        list_init(&t->link);
        list_append(&r->troubles, &t->link);
        names_of_domid(name, domid);
        journal_guest_init(&t->journal, name, domid, 0);
    }
    if (!t) {
        rescan_at(r, clock_deadline_ms(BACKOFF_FIRST_MS));
        return;
    }
    backoff_failed(&t->again);
    journal_guest(&t->journal, JOURNAL_ERROR, "%s; next try in %llu s", why,
                  (unsigned long long)(t->again.at - loop_now(r->loop)) / 1000);
    rescan_at(r, t->again.at);
}

/* After a scan: those that did not fail again are over; and when the others are due. */
static void tidy_troubles(struct registry *r)
{
    for (struct list *l = r->troubles.next, *next; l != &r->troubles; l = next) {
        struct trouble *t = container_of(l, struct trouble, link);

        next = l->next;
        if (domain_find(r, t->domid) || backoff_may_try(&t->again, loop_now(r->loop)))
            forget_trouble(t);
        else
            rescan_at(r, t->again.at);
    }
}

/* ---- taking in ---- */

static struct watch_key front_key(const struct device_id *id)
{
    return (struct watch_key){ .kind = WATCH_FRONT, .domid = id->front, .number = id->number };
}

/* The device is known from here on; it is offered to its guest when it has a directory (settle.h). */
static int take_in(struct registry *r, const struct attach_device *a, struct device **out, char *why)
{
    char path[PATHS_MAX];
    struct watch_key key = front_key(&a->id);
    int err = device_new(r, &a->id, a->cid, out);

    if (err) {
        snprintf(why, REGISTRY_WHY, "cannot take in its device %u: %s", a->id.number, strerror(-err));
        return err;
    }
    err = store_watch(r->store, paths_join(path, (*out)->paths.front, "state"), &key);
    if (err && err != -EEXIST) {
        snprintf(why, REGISTRY_WHY, "cannot watch %s: %s", path, strerror(-err));
        device_free(*out);
        *out = NULL;
        return err;
    }
    if ((*out)->domain->is_doubtful)
        look_again(r, false);
    settle_soon(r);
    return 0;
}

/* What is left of a domain that is gone is removed; of one that lives, attach_create() replaces it. */
static bool is_whole(struct registry *r, const struct attach_device *a)
{
    if (!a->orphan)
        return true;
    if (domains_exists(r->store, a->id.front) == 0)
        attach_remove(r->store, &a->id);
    return false;
}

/* The devices of one domain that are not known yet. */
static void take_in_domain(struct registry *r, const char *backend, uint32_t domid, bool all)
{
    char path[PATHS_MAX], domain[12], names[32][STORE_NAME], why[REGISTRY_WHY];
    struct attach_device a = { .id = { .front = domid, .back = r->self } };
    struct device *d;
    int n;

    snprintf(domain, sizeof domain, "%u", domid);
    n = store_list(r->store, paths_join(path, backend, domain), names, 32, NULL);
    if (n < 0 && n != -ENOENT)
        look_again(r, all);
    for (int i = 0; i < n; i++) {
        int err;

        if (parse_u32("device", names[i], 0, PATHS_DEVICES - 1, &a.id.number, NULL) ||
            registry_find(r, domid, a.id.number))
            continue;
        err = attach_find(r->store, &a.id, &a);
        if (err && err != -ENOENT)
            look_again(r, all);
        else if (!err && is_whole(r, &a) && take_in(r, &a, &d, why))
            has_failed(r, domid, why);
    }
}

/* A set of domids. */
struct domids { uint64_t bits[(PATHS_DOMID + 63) / 64]; };

static bool has(const struct domids *set, uint32_t domid)
{
    return set->bits[domid / 64] >> domid % 64 & 1;
}

static void set_bit(uint64_t *bits, uint32_t domid, bool yes)
{
    uint64_t bit = UINT64_C(1) << domid % 64;

    bits[domid / 64] = yes ? bits[domid / 64] | bit : bits[domid / 64] & ~bit;
}

/* A device that is not listed any more is looked at, and its life ends with that. */
static void look_at_lost(struct registry *r, const struct domids *listed)
{
    each_device(r, l)
        if (!has(listed, device_at(l)->id.front))
            device_look(device_at(l));
}

/* One request, and a few for each domain that is new.  This is called often, because every change of a state fires the
 * watch; so domains that are known are looked into only if 'all' is asked for. */
static void take_in_all(struct registry *r, bool all)
{
    static char names[REGISTRY_MAX][STORE_NAME];
    struct domids listed = { { 0 } };
    char path[PATHS_MAX];
    bool more = false;
    uint32_t domid;
    int n;

    snprintf(path, sizeof path, BACKEND_TREE, r->self);
    n = store_list(r->store, path, names, REGISTRY_MAX, &more);
    for (int i = 0; i < n; i++) {
        if (parse_u32("domid", names[i], 0, PATHS_DOMID - 1, &domid, NULL))
            continue;
        set_bit(listed.bits, domid, true);
        if ((all || !domain_find(r, domid)) && may_try(r, domid))
            take_in_domain(r, path, domid, all);
    }
    if (more)
        journal_guest(&r->journal, JOURNAL_ERROR, "there are more than %u domains with devices; the rest is not served",
                      REGISTRY_MAX);
    if (n >= 0 || n == -ENOENT)
        look_at_lost(r, &listed);
    else
        look_again(r, all);
}

/* A domain whose device was detached by a command stays without one until it is gone, or attached by a command. */
static bool is_declined(const struct registry *r, uint32_t domid)
{
    return r->declined[domid / 64] >> domid % 64 & 1;
}

static void decline(struct registry *r, uint32_t domid, bool yes)
{
    set_bit(r->declined, domid, yes);
}

/* The directories of device 0 are made, if it has none that are whole.  A device that is known already may have lost them: its
 * domid has gone to another domain, or the guest has removed its own. */
static int attach_domain(struct registry *r, uint32_t domid, struct device *d)
{
    struct attach_device a = { .id = { .front = domid, .back = r->self, .number = 0 } };
    int err;

    if (d && (d->life.peer || !d->seen))
        return -EEXIST;
    if (d && !backoff_may_try(&d->remade, loop_now(r->loop))) {
        rescan_at(r, d->remade.at);
        return -EEXIST;
    }
    a.cid = d ? d->cid : cid_usual(&a.id);
    if ((err = attach_create(r->store, &a)) || !d)
        return err;
    backoff_failed(&d->remade);
    device_look(d);
    return 0;
}

/* True if any was attached. */
static bool attach_domains(struct registry *r)
{
    static uint32_t domids[REGISTRY_MAX];
    char why[REGISTRY_WHY];
    bool more, any = false;
    int n = domains_list(r->store, domids, REGISTRY_MAX, &more);

    if (n < 0)
        look_again(r, false);
    for (int i = 0; i < n; i++) {
        int err;

        if (domids[i] == r->self || is_declined(r, domids[i]) || !may_try(r, domids[i]))
            continue;
        err = attach_domain(r, domids[i], registry_find(r, domids[i], 0));
        any |= !err;
        if (err && err != -EEXIST && err != -ENOENT) {
            snprintf(why, sizeof why, "cannot attach a device: %s", strerror(-err));
            has_failed(r, domids[i], why);
        }
    }
    return any;
}

static void look_at_domain(struct registry *r, uint32_t domid)
{
    struct domain *dom = domain_find(r, domid);

    if (!dom)
        return;
    if (!domain_look(dom)) {
        if (dom->is_doubtful)
            look_again(r, false);
        return;
    }
    settle_soon(r);
    each_device_of(dom, l) {
        struct device *d = device_of_domain(l);

        if (dom->is_dead)
            device_look(d);
        else
            device_called(d);
    }
}

/* Domains whose names could not be read. */
static void look_at_doubtful(struct registry *r)
{
    for (struct list *l = r->domains.next, *next; l != &r->domains; l = next) {
        const struct domain *dom = container_of(l, struct domain, link);

        next = l->next;
        if (dom->is_doubtful)
            look_at_domain(r, dom->domid);
    }
}

static void scan(struct registry *r, bool all)
{
    alarm_stop(&r->rescan);
    r->rescan_all = false;
    if (r->stopping)
        return;
    look_at_doubtful(r);
    take_in_all(r, all);
    if (r->settings->attach_auto && attach_domains(r))
        take_in_all(r, false);
    tidy_troubles(r);
}

void registry_scan(struct registry *r)
{
    scan(r, true);
}

void registry_rescan(struct registry *r)
{
    scan(r, r->rescan_all);
}

int registry_start(struct registry *r, char *why)
{
    char path[PATHS_MAX];
    int err;

    snprintf(path, sizeof path, BACKEND_TREE, r->self);
    if ((err = store_watch(r->store, "@introduceDomain", &introduce)) ||
        (err = store_watch(r->store, "@releaseDomain", &release)) || (err = store_watch(r->store, path, &tree))) {
        snprintf(why, REGISTRY_WHY, "cannot watch xenstore: %s", strerror(-err));
        return err;
    }
    registry_scan(r);
    settle(r);
    return 0;
}

/* ---- events ---- */

/* Which domain it was that died, nobody says. */
static void look_for_dead(struct registry *r)
{
    each_device(r, l)
        device_at(l)->to_look = true;
    for (uint32_t word = 0; word < sizeof r->declined / sizeof *r->declined; word++)
        for (uint64_t bits = r->declined[word]; bits; bits &= bits - 1) {
            uint32_t domid = word * 64 + (uint32_t)__builtin_ctzll(bits);

            if (domains_exists(r->store, domid) == 0)
                decline(r, domid, false);
        }
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
        registry_rescan(r);
        break;
    case WATCH_RELEASE:
        look_for_dead(r);
        break;
    case WATCH_FRONT:
        if ((d = registry_find(r, key->domid, key->number)))
            device_look(d);
        break;
    case WATCH_NAME:
        look_at_domain(r, key->domid);
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

/* ---- letting go ---- */

static void forget(struct device *d)
{
    struct registry *r = d->r;
    struct watch_key key = front_key(&d->id);

    store_unwatch(r->store, &key);
    journal_guest(&d->journal, JOURNAL_INFO, d->life.dead ? "the domain is gone" : "let go");
    device_free(d);
    settle_soon(r);
}

static bool is_over(const struct device *d)
{
    return d->seen && !d->asked && life_back_is_over(&d->life);
}

/* What is for us to remove.  Of a device whose directory somebody else has removed, that is what we have said of it beside that. */
static int remove_nodes(struct device *d)
{
    struct registry *r = d->r;

    if (d->life.dead || d->detach)
        return attach_remove(r->store, &d->id);
    return r->stopping || !*d->error ? 0 : attach_remove_error(r->store, &d->id);
}

/* Its nodes go first: a device that was forgotten and is still there would be found again. */
static bool is_removed(struct device *d)
{
    struct registry *r = d->r;

    if (d->remove_at != UINT64_MAX && d->remove_at > loop_now(r->loop))
        return false;
    if (!remove_nodes(d))
        return true;
    d->remove_at = clock_deadline_ms(BACKOFF_FIRST_MS);
    alarm_at(r->loop, &d->alarm, d->remove_at);
    return false;
}

void registry_sweep(struct registry *r)
{
    for (struct list *l = r->devices.next, *next; l != &r->devices; l = next) {
        struct device *d = device_at(l);

        next = l->next;
        if (is_over(d) && is_removed(d))
            forget(d);
    }
}

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
    while (!list_is_empty(&r->troubles))
        forget_trouble(container_of(r->troubles.next, struct trouble, link));
}

void registry_reloaded(struct registry *r)
{
    while (!list_is_empty(&r->troubles))
        forget_trouble(container_of(r->troubles.next, struct trouble, link));
    settle_settings(r);
    registry_scan(r);
    settle(r);
}

/* ---- commands ---- */

/* Whether this CID may be given to the device: why not, or 0. */
static int judge_cid(struct registry *r, const struct attach_device *a, char *why)
{
    const struct settings_guest *section = settings_by_cid(r->settings, a->cid);
    const struct device *owner = cid_owner(r, a->cid);

    if (owner) {
        snprintf(why, REGISTRY_WHY, "CID %llu belongs to %s", (unsigned long long)a->cid, owner->journal.who);
        return -EADDRINUSE;
    }
    if (section) {
        snprintf(why, REGISTRY_WHY, "CID %llu is kept for the guest %s by %.200s", (unsigned long long)a->cid, section->name,
                 r->settings_path);
        return -EADDRINUSE;
    }
    return 0;
}

/* The directories are made.  A device that is known under this id has lost its own, and takes these. */
static int take_in_attached(struct registry *r, const struct attach_device *a, struct device *known, struct device **out,
                            char *why)
{
    int err = 0;

    *out = known;
    if (known) {
        cid_set(known, a->cid);
        device_look(known);
        settle_soon(r);
    } else {
        err = take_in(r, a, out, why);
    }
    settle(r);
    if (err || (*out)->home)
        return err;
    snprintf(why, REGISTRY_WHY, "%s", (*out)->home_error);
    forget(*out);
    return -EADDRNOTAVAIL;
}

int registry_attach(struct registry *r, const char *domain, int number, uint64_t cid, struct device **out, char *why)
{
    struct attach_device a = { .id = { .back = r->self } };
    struct device *known;
    int err = domain_resolve(r, domain, &a.id.front);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    if (number < 0 && (number = attach_free_number(r->store, a.id.front, r->self)) < 0) {
        snprintf(why, REGISTRY_WHY, "no device number is free: %s", strerror(-number));
        return number;
    }
    a.id.number = (uint32_t)number;
    a.cid = cid ? cid : cid_usual(&a.id);
    if (cid && (err = judge_cid(r, &a, why)))
        return err;
    if ((known = registry_find(r, a.id.front, a.id.number))) {
        device_look(known);
        if (is_over(known)) {   /* an earlier domain's */
            if (!is_removed(known)) {
                snprintf(why, REGISTRY_WHY, "what is left of an earlier device %u cannot be removed yet; try again",
                         a.id.number);
                return -EAGAIN;
            }
            forget(known);
            known = NULL;
        }
    }
    if ((err = attach_create(r->store, &a))) {
        snprintf(why, REGISTRY_WHY, "cannot attach device %u to domain %u: %s", a.id.number, a.id.front,
                 err == -EEXIST ? "it has that already" : strerror(-err));
        return err;
    }
    decline(r, a.id.front, false);
    if ((err = take_in_attached(r, &a, known, out, why)))
        attach_remove(r->store, &a.id);
    return err;
}

static int by_number(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* The numbers of the domain's devices that are not on their way already, ascending. */
static int numbers_of(const struct registry *r, uint32_t domid, uint8_t *numbers)
{
    int n = 0;

    each_device(r, l) {
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
        decline(d->r, d->id.front, true);
    d->detach = true;
    device_close(d);
}

int registry_detach(struct registry *r, const char *domain, int number, uint8_t *gone, char *why)
{
    uint32_t domid;
    int n, err = domain_resolve(r, domain, &domid);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    n = numbers_of(r, domid, gone);
    if (number == WALL_ONLY && n > 1) {
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
        detach(registry_find(r, domid, gone[i]));
    return n;
}
