/* SPDX-License-Identifier: MIT */
/* scan.c: see scan.h. */
#include "scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cids.h"
#include "device.h"
#include "domain.h"
#include "find.h"
#include "settle.h"
#include "troubles.h"

int scan_take_in(struct registry *r, const struct attach_device *a, struct device **out, char *why)
{
    char path[PATHS_MAX];
    struct watch_key key = device_front_key(&a->id);
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
        trouble_look_again(r, false);
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
        trouble_look_again(r, all);
    for (int i = 0; i < n; i++) {
        int err;

        if (parse_u32("device", names[i], 0, PATHS_DEVICES - 1, &a.id.number, NULL) ||
            device_find(r, domid, a.id.number))
            continue;
        err = attach_find(r->store, &a.id, &a);
        if (err && err != -ENOENT)
            trouble_look_again(r, all);
        else if (!err && is_whole(r, &a) && scan_take_in(r, &a, &d, why))
            trouble_has_failed(r, domid, why);
    }
}

/* A device that is not listed any more is looked at, and its life ends with that. */
static void look_at_lost(struct registry *r, const struct domids *listed)
{
    each_device(r, l)
        if (!domids_has(listed, device_at(l)->id.front))
            device_look(device_at(l));
}

/* One request, and a few for each domain that is new.  This is called often, because every change of a state fires the
 * watch; so domains that are known are looked into only if 'all' is asked for. */
static void take_in_all(struct registry *r, bool all)
{
    static char names[SCAN_DEVICES][STORE_NAME];
    struct domids listed = { { 0 } };
    char path[PATHS_MAX];
    bool more = false;
    uint32_t domid;
    int n;

    snprintf(path, sizeof path, SCAN_TREE, r->self);
    n = store_list(r->store, path, names, SCAN_DEVICES, &more);
    for (int i = 0; i < n; i++) {
        if (parse_u32("domid", names[i], 0, PATHS_DOMID - 1, &domid, NULL))
            continue;
        domids_set(&listed, domid, true);
        if ((all || !domain_find(r, domid)) && trouble_may_try(r, domid))
            take_in_domain(r, path, domid, all);
    }
    if (more)
        journal_guest(&r->journal, JOURNAL_ERROR, "there are more than %u domains with devices; the rest is not served",
                      SCAN_DEVICES);
    if (n >= 0 || n == -ENOENT)
        look_at_lost(r, &listed);
    else
        trouble_look_again(r, all);
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
        trouble_rescan_at(r, d->remade.at);
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
    static uint32_t domids[SCAN_DEVICES];
    char why[REGISTRY_WHY];
    bool more, any = false;
    int n = domains_list(r->store, domids, SCAN_DEVICES, &more);

    if (n < 0)
        trouble_look_again(r, false);
    for (int i = 0; i < n; i++) {
        int err;

        if (domids[i] == r->self || domids_has(&r->declined, domids[i]) || !trouble_may_try(r, domids[i]))
            continue;
        err = attach_domain(r, domids[i], device_find(r, domids[i], 0));
        any |= !err;
        if (err && err != -EEXIST && err != -ENOENT) {
            snprintf(why, sizeof why, "cannot attach a device: %s", strerror(-err));
            trouble_has_failed(r, domids[i], why);
        }
    }
    return any;
}

void scan_look_at(struct registry *r, uint32_t domid)
{
    struct domain *dom = domain_find(r, domid);

    if (!dom)
        return;
    if (!domain_look(dom)) {
        if (dom->is_doubtful)
            trouble_look_again(r, false);
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
            scan_look_at(r, dom->domid);
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
    trouble_tidy(r);
}

void scan_all(struct registry *r)
{
    scan(r, true);
}

void scan_again(struct registry *r)
{
    scan(r, r->rescan_all);
}
