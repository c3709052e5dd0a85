/* SPDX-License-Identifier: MIT */
/* registry.c: see registry.h. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "domain.h"
#include "door.h"
#include "settle.h"

#define BACKEND_TREE "/local/domain/%u/backend/vsock"
#define RESCAN_MS   300u        /* after a change below backend/vsock, most of which are our own */
#define EVENT_BATCH 64          /* events of xenstore in a round of the loop */
#define LOOK_BATCH  32          /* devices looked at in a round, after a domain has died */

static const struct watch_key introduce = { .kind = WATCH_INTRODUCE }, release = { .kind = WATCH_RELEASE },
                              tree = { .kind = WATCH_OTHER };

/* ---- tables ---- */

#define each_device(x, l) for (struct list *l = (x)->devices.next; l != &(x)->devices; l = l->next)

static struct device *device_at(struct list *l)
{
    return container_of(l, struct device, link);
}

int registry_init(struct xvsd *x)
{
    int err;

    list_init(&x->devices);
    list_init(&x->domains);
    list_init(&x->troubles);
    hash_seed(&x->seed);
    if ((err = hash_init(&x->domains_by_domid)) || (err = hash_init(&x->devices_by_cid)) || (err = hash_init(&x->doors)))
        return err;
    return 0;
}

void registry_free(struct xvsd *x)
{
    hash_free(&x->domains_by_domid);
    hash_free(&x->devices_by_cid);
    hash_free(&x->doors);
}

struct device *registry_find(const struct xvsd *x, uint32_t domid, uint32_t number)
{
    struct domain *dom = domain_find(x, domid);

    if (!dom)
        return NULL;
    for (struct list *l = dom->devices.next; l != &dom->devices; l = l->next)
        if (container_of(l, struct device, of_domain)->id.number == number)
            return container_of(l, struct device, of_domain);
    return NULL;
}

/* ---- CIDs ---- */

static uint32_t key_of(const struct xvsd *x, uint64_t cid)
{
    return hash_words(&x->seed, cid, 0, 0);
}

/* The next device of this CID in a chain that begins with *l; NULL. */
static struct device *next_of_cid(struct hash_link **l, uint64_t cid)
{
    while (*l) {
        struct device *d = container_of(*l, struct device, by_cid);

        *l = (*l)->next;
        if (d->cid == cid)
            return d;
    }
    return NULL;
}

struct device *registry_mapped_cid(const struct xvsd *x, uint64_t cid)
{
    struct hash_link *l = hash_first(&x->devices_by_cid, key_of(x, cid));
    struct device *d;

    while ((d = next_of_cid(&l, cid)))
        if (d->mux)
            return d;
    return NULL;
}

static int standing(const struct device *d)
{
    const struct settings_guest *section = d->domain->section;

    return section && section->cid == d->cid && !d->id.number ? 2 : d->mux != NULL;
}

struct device *registry_owner_of_cid(const struct xvsd *x, uint64_t cid)
{
    struct hash_link *l = hash_first(&x->devices_by_cid, key_of(x, cid));
    struct device *d, *best = NULL;

    while ((d = next_of_cid(&l, cid)))
        if (!d->domain->is_dead && (!best || standing(d) > standing(best) ||
                                    (standing(d) == standing(best) && d->born < best->born)))
            best = d;
    return best;
}

void registry_set_cid(struct device *d, uint64_t cid)
{
    if (d->cid)
        hash_remove(&d->x->devices_by_cid, &d->by_cid);
    d->cid = cid;
    if (cid)
        hash_insert(&d->x->devices_by_cid, &d->by_cid, key_of(d->x, cid));
}

uint64_t registry_usual_cid(const struct device_id *id)
{
    return REGISTRY_CID_BASE + id->front + (uint64_t)id->number * REGISTRY_CID_STEP;
}

/* ---- what cannot be taken in ---- */

/* A domain with which something has failed, for as long as it does. */
struct trouble {
    struct list link;           /* in xvsd.troubles */
    uint32_t domid;
    struct backoff again;
    struct journal_guest journal;
};

static struct trouble *trouble_find(const struct xvsd *x, uint32_t domid)
{
    for (struct list *l = x->troubles.next; l != &x->troubles; l = l->next)
        if (container_of(l, struct trouble, link)->domid == domid)
            return container_of(l, struct trouble, link);
    return NULL;
}

static bool may_try(const struct xvsd *x, uint32_t domid)
{
    const struct trouble *t = trouble_find(x, domid);

    return !t || backoff_may_try(&t->again, xvsd_now(x));
}

static void forget_trouble(struct trouble *t)
{
    journal_guest_end(&t->journal);
    list_remove(&t->link);
    free(t);
}

static void rescan_at(struct xvsd *x, uint64_t at)
{
    if (at < x->rescan_at)
        x->rescan_at = at;
    xvsd_wake_at(x, x->rescan_at);
}

/* xenstored did not say what there is: again in a while, in everything if that was asked for. */
static void look_again(struct xvsd *x, bool all)
{
    x->rescan_all |= all;
    rescan_at(x, clock_deadline_ms(BACKOFF_FIRST_MS));
}

/* Says so and sees to it that it is tried again. */
static void has_failed(struct xvsd *x, uint32_t domid, const char *why)
{
    struct trouble *t = trouble_find(x, domid);
    char name[NAMES_DOMID];

    if (!t && (t = calloc(1, sizeof *t))) {
        t->domid = domid;
        list_init(&t->link);
        list_append(&x->troubles, &t->link);
        names_of_domid(name, domid);
        journal_guest_init(&t->journal, name, domid, 0);
    }
    if (!t) {
        rescan_at(x, clock_deadline_ms(BACKOFF_FIRST_MS));
        return;
    }
    backoff_failed(&t->again);
    journal_guest(&t->journal, JOURNAL_ERROR, "%s; next try in %llu s", why,
                  (unsigned long long)(t->again.at - xvsd_now(x)) / 1000);
    rescan_at(x, t->again.at);
}

/* After a scan: those that did not fail again are over; and when the others are due. */
static void tidy_troubles(struct xvsd *x)
{
    for (struct list *l = x->troubles.next, *next; l != &x->troubles; l = next) {
        struct trouble *t = container_of(l, struct trouble, link);

        next = l->next;
        if (domain_find(x, t->domid) || backoff_may_try(&t->again, xvsd_now(x)))
            forget_trouble(t);
        else
            rescan_at(x, t->again.at);
    }
}

/* ---- taking in ---- */

static struct watch_key front_key(const struct device_id *id)
{
    return (struct watch_key){ .kind = WATCH_FRONT, .domid = id->front, .number = id->number };
}

/* The device is known from here on; it is offered to its guest when it has a directory (settle.h). */
static int take_in(struct xvsd *x, const struct attach_device *a, struct device **out, char *why)
{
    char path[PATHS_MAX];
    struct watch_key key = front_key(&a->id);
    int err = device_new(x, &a->id, a->cid, out);

    if (err) {
        snprintf(why, REGISTRY_WHY, "cannot take in its device %u: %s", a->id.number, strerror(-err));
        return err;
    }
    err = store_watch(x->store, paths_join(path, (*out)->paths.front, "state"), &key);
    if (err && err != -EEXIST) {
        snprintf(why, REGISTRY_WHY, "cannot watch %s: %s", path, strerror(-err));
        device_free(*out);
        *out = NULL;
        return err;
    }
    if ((*out)->domain->is_doubtful)
        look_again(x, false);
    settle_soon(x);
    return 0;
}

/* What is left of a domain that is gone is removed; of one that lives, attach_create() replaces it. */
static bool is_whole(struct xvsd *x, const struct attach_device *a)
{
    if (!a->orphan)
        return true;
    if (domains_exists(x->store, a->id.front) == 0)
        attach_remove(x->store, &a->id);
    return false;
}

/* The devices of one domain that are not known yet. */
static void take_in_domain(struct xvsd *x, const char *backend, uint32_t domid, bool all)
{
    char path[PATHS_MAX], domain[12], names[32][STORE_NAME], why[REGISTRY_WHY];
    struct attach_device a = { .id = { .front = domid, .back = x->self } };
    struct device *d;
    int n;

    snprintf(domain, sizeof domain, "%u", domid);
    n = store_list(x->store, paths_join(path, backend, domain), names, 32, NULL);
    if (n < 0 && n != -ENOENT)
        look_again(x, all);
    for (int i = 0; i < n; i++) {
        int err;

        if (parse_u32("device", names[i], 0, PATHS_DEVICES - 1, &a.id.number, NULL) ||
            registry_find(x, domid, a.id.number))
            continue;
        err = attach_find(x->store, &a.id, &a);
        if (err && err != -ENOENT)
            look_again(x, all);
        else if (!err && is_whole(x, &a) && take_in(x, &a, &d, why))
            has_failed(x, domid, why);
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
static void look_at_lost(struct xvsd *x, const struct domids *listed)
{
    each_device(x, l)
        if (!has(listed, device_at(l)->id.front))
            device_look(device_at(l));
}

/* One request, and a few for each domain that is new.  This is called often, because every change of a state fires the
 * watch; so domains that are known are looked into only if 'all' is asked for. */
static void take_in_all(struct xvsd *x, bool all)
{
    static char names[REGISTRY_MAX][STORE_NAME];
    struct domids listed = { { 0 } };
    char path[PATHS_MAX];
    bool more = false;
    uint32_t domid;
    int n;

    snprintf(path, sizeof path, BACKEND_TREE, x->self);
    n = store_list(x->store, path, names, REGISTRY_MAX, &more);
    for (int i = 0; i < n; i++) {
        if (parse_u32("domid", names[i], 0, PATHS_DOMID - 1, &domid, NULL))
            continue;
        set_bit(listed.bits, domid, true);
        if ((all || !domain_find(x, domid)) && may_try(x, domid))
            take_in_domain(x, path, domid, all);
    }
    if (more)
        journal_guest(&x->journal, JOURNAL_ERROR, "there are more than %u domains with devices; the rest is not served",
                      REGISTRY_MAX);
    if (n >= 0 || n == -ENOENT)
        look_at_lost(x, &listed);
    else
        look_again(x, all);
}

/* A domain whose device was detached by a command stays without one until it is gone, or attached by a command. */
static bool is_declined(const struct xvsd *x, uint32_t domid)
{
    return x->declined[domid / 64] >> domid % 64 & 1;
}

static void decline(struct xvsd *x, uint32_t domid, bool yes)
{
    set_bit(x->declined, domid, yes);
}

/* The directories of device 0 are made, if it has none that are whole.  A device that is known already may have lost them: its
 * domid has gone to another domain, or the guest has removed its own. */
static int attach_domain(struct xvsd *x, uint32_t domid, struct device *d)
{
    struct attach_device a = { .id = { .front = domid, .back = x->self, .number = 0 } };
    int err;

    if (d && (d->life.peer || !d->seen))
        return -EEXIST;
    if (d && !backoff_may_try(&d->remade, xvsd_now(x))) {
        rescan_at(x, d->remade.at);
        return -EEXIST;
    }
    a.cid = d ? d->cid : registry_usual_cid(&a.id);
    if ((err = attach_create(x->store, &a)) || !d)
        return err;
    backoff_failed(&d->remade);
    device_look(d);
    return 0;
}

/* True if any was attached. */
static bool attach_domains(struct xvsd *x)
{
    static uint32_t domids[REGISTRY_MAX];
    char why[REGISTRY_WHY];
    bool more, any = false;
    int n = domains_list(x->store, domids, REGISTRY_MAX, &more);

    if (n < 0)
        look_again(x, false);
    for (int i = 0; i < n; i++) {
        int err;

        if (domids[i] == x->self || is_declined(x, domids[i]) || !may_try(x, domids[i]))
            continue;
        err = attach_domain(x, domids[i], registry_find(x, domids[i], 0));
        any |= !err;
        if (err && err != -EEXIST && err != -ENOENT) {
            snprintf(why, sizeof why, "cannot attach a device: %s", strerror(-err));
            has_failed(x, domids[i], why);
        }
    }
    return any;
}

static void look_at_domain(struct xvsd *x, uint32_t domid)
{
    struct domain *dom = domain_find(x, domid);

    if (!dom)
        return;
    if (!domain_look(dom)) {
        if (dom->is_doubtful)
            look_again(x, false);
        return;
    }
    settle_soon(x);
    for (struct list *l = dom->devices.next; l != &dom->devices; l = l->next) {
        struct device *d = container_of(l, struct device, of_domain);

        if (dom->is_dead)
            device_look(d);
        else
            device_called(d);
    }
}

/* Domains whose names could not be read. */
static void look_at_doubtful(struct xvsd *x)
{
    for (struct list *l = x->domains.next, *next; l != &x->domains; l = next) {
        const struct domain *dom = container_of(l, struct domain, link);

        next = l->next;
        if (dom->is_doubtful)
            look_at_domain(x, dom->domid);
    }
}

static void scan(struct xvsd *x, bool all)
{
    x->rescan_at = UINT64_MAX;
    x->rescan_all = false;
    if (x->stop_at)
        return;
    look_at_doubtful(x);
    take_in_all(x, all);
    if (x->settings->attach_auto && attach_domains(x))
        take_in_all(x, false);
    tidy_troubles(x);
}

void registry_scan(struct xvsd *x)
{
    scan(x, true);
}

void registry_rescan(struct xvsd *x)
{
    scan(x, x->rescan_all);
}

void registry_rescan_soon(struct xvsd *x)
{
    rescan_at(x, clock_deadline_ms(RESCAN_MS));
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
    settle(x);
    return 0;
}

/* ---- events ---- */

/* Which domain it was that died, nobody says. */
static void look_for_dead(struct xvsd *x)
{
    each_device(x, l)
        device_at(l)->to_look = true;
    for (uint32_t word = 0; word < sizeof x->declined / sizeof *x->declined; word++)
        for (uint64_t bits = x->declined[word]; bits; bits &= bits - 1) {
            uint32_t domid = word * 64 + (uint32_t)__builtin_ctzll(bits);

            if (domains_exists(x->store, domid) == 0)
                decline(x, domid, false);
        }
}

/* True if there are more. */
static bool look_at_some(struct xvsd *x)
{
    int n = 0;

    each_device(x, l) {
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

static void on_event(struct xvsd *x, const struct watch_key *key)
{
    struct device *d;

    switch (key->kind) {
    case WATCH_INTRODUCE:
        registry_rescan(x);
        break;
    case WATCH_RELEASE:
        look_for_dead(x);
        break;
    case WATCH_FRONT:
        if ((d = registry_find(x, key->domid, key->number)))
            device_look(d);
        break;
    case WATCH_NAME:
        look_at_domain(x, key->domid);
        break;
    default:
        registry_rescan_soon(x);
        break;
    }
}

/* A guest may write its nodes as fast as we read them: so one batch, and others have their turn. */
void registry_on_store(struct xvsd *x)
{
    struct watch_key keys[EVENT_BATCH];
    int n = store_drain(x->store, keys, EVENT_BATCH);

    for (int i = 0; i < n; i++)
        on_event(x, &keys[i]);
    x->store_more = look_at_some(x) || n == EVENT_BATCH;
}

/* ---- letting go ---- */

static void forget(struct device *d)
{
    struct xvsd *x = d->x;
    struct watch_key key = front_key(&d->id);

    store_unwatch(x->store, &key);
    journal_guest(&d->journal, JOURNAL_INFO, d->life.dead ? "the domain is gone" : "let go");
    device_free(d);
    settle_soon(x);
}

static bool is_over(const struct device *d)
{
    return d->seen && life_back_is_over(&d->life);
}

/* Its nodes go first, where that is for us to do: a device that was forgotten and is still there would be found again. */
static bool is_removed(struct device *d)
{
    struct xvsd *x = d->x;

    if (!d->life.dead && !d->detach)
        return true;
    if (d->remove_at != UINT64_MAX && d->remove_at > xvsd_now(x))
        return false;
    if (!attach_remove(x->store, &d->id))
        return true;
    d->remove_at = clock_deadline_ms(BACKOFF_FIRST_MS);
    xvsd_wake_at(x, d->remove_at);
    return false;
}

void registry_sweep(struct xvsd *x)
{
    for (struct list *l = x->devices.next, *next; l != &x->devices; l = next) {
        struct device *d = device_at(l);

        next = l->next;
        if (is_over(d) && is_removed(d))
            forget(d);
    }
}

void registry_stop(struct xvsd *x)
{
    while (!list_is_empty(&x->devices))
        device_free(device_at(x->devices.next));
    while (!list_is_empty(&x->troubles))
        forget_trouble(container_of(x->troubles.next, struct trouble, link));
}

void registry_reloaded(struct xvsd *x)
{
    while (!list_is_empty(&x->troubles))
        forget_trouble(container_of(x->troubles.next, struct trouble, link));
    settle_settings(x);
    registry_scan(x);
    settle(x);
}

/* ---- commands ---- */

/* Whether this CID may be given to the device: why not, or 0. */
static int judge_cid(struct xvsd *x, const struct attach_device *a, char *why)
{
    const struct settings_guest *section = settings_by_cid(x->settings, a->cid);
    const struct device *owner = registry_owner_of_cid(x, a->cid);

    if (owner) {
        snprintf(why, REGISTRY_WHY, "CID %llu belongs to %s", (unsigned long long)a->cid, owner->journal.who);
        return -EADDRINUSE;
    }
    if (section) {
        snprintf(why, REGISTRY_WHY, "CID %llu is kept for the guest %s by %.200s", (unsigned long long)a->cid, section->name,
                 x->settings_path);
        return -EADDRINUSE;
    }
    return 0;
}

/* The directories are made.  A device that is known under this id has lost its own, and takes these. */
static int take_in_attached(struct xvsd *x, const struct attach_device *a, struct device *known, struct device **out,
                            char *why)
{
    int err = 0;

    *out = known;
    if (known) {
        registry_set_cid(known, a->cid);
        device_look(known);
        settle_soon(x);
    } else {
        err = take_in(x, a, out, why);
    }
    settle(x);
    if (err || (*out)->door)
        return err;
    snprintf(why, REGISTRY_WHY, "%s", (*out)->door_error);
    forget(*out);
    return -EADDRNOTAVAIL;
}

int registry_attach(struct xvsd *x, const char *domain, int number, uint64_t cid, struct device **out, char *why)
{
    struct attach_device a = { .id = { .back = x->self } };
    struct device *known;
    int err = domain_resolve(x, domain, &a.id.front);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    if (number < 0 && (number = attach_free_number(x->store, a.id.front, x->self)) < 0) {
        snprintf(why, REGISTRY_WHY, "no device number is free: %s", strerror(-number));
        return number;
    }
    a.id.number = (uint32_t)number;
    a.cid = cid ? cid : registry_usual_cid(&a.id);
    if (cid && (err = judge_cid(x, &a, why)))
        return err;
    if ((known = registry_find(x, a.id.front, a.id.number))) {
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
    if ((err = attach_create(x->store, &a))) {
        snprintf(why, REGISTRY_WHY, "cannot attach device %u to domain %u: %s", a.id.number, a.id.front,
                 err == -EEXIST ? "it has that already" : strerror(-err));
        return err;
    }
    decline(x, a.id.front, false);
    if ((err = take_in_attached(x, &a, known, out, why)))
        attach_remove(x->store, &a.id);
    return err;
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
    int n, err = domain_resolve(x, domain, &domid);

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
