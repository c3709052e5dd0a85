/* SPDX-License-Identifier: MIT */
/* settle.c: see settle.h.
 *
 * In this order: whose each name is; sections of the settings; CIDs; directories, of which one may be taken from a device that
 * then needs another; links, those that go before those that come, as one may be another's. */
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "door.h"
#include "registry.h"

#define each_device(x, l) for (struct list *l = (x)->devices.next; l != &(x)->devices; l = l->next)
#define each_domain(x, l) for (struct list *l = (x)->domains.next; l != &(x)->domains; l = l->next)

static struct device *device_at(struct list *l)
{
    return container_of(l, struct device, link);
}

static struct domain *domain_at(struct list *l)
{
    return container_of(l, struct domain, link);
}

/* ---- whose each name is ---- */

static int judge(struct xvsd *x)
{
    struct title **titles;
    size_t count = 0;
    int err;

    each_domain(x, l)
        count++;
    if (!(titles = malloc((count + 1) * sizeof *titles)))
        return -ENOMEM;
    count = 0;
    each_domain(x, l) {
        struct domain *dom = domain_at(l);

        if (dom->is_dead)
            dom->title.has_name = dom->title.has_uuid = false;
        else
            titles[count++] = &dom->title;
    }
    err = titles_judge(titles, count);
    free(titles);
    return err;
}

/* ---- sockets ---- */

static void permit(struct device *d)
{
    struct settings_sockets sockets = settings_sockets_of(d->x->settings, d->domain->section);
    int err = doors_permit(d, &sockets);

    if (err)
        journal_guest(&d->journal, JOURNAL_WARNING, "cannot set mode and owner of %s: %s", device_dir(d), strerror(-err));
}

static void find_section(struct domain *dom)
{
    const struct settings_guest *section = settings_section(dom->x->settings, &dom->title);

    if (section == dom->section)
        return;
    dom->section = section;
    for (struct list *l = dom->devices.next; l != &dom->devices; l = l->next)
        permit(container_of(l, struct device, of_domain));
}

/* ---- directories ---- */

static void wanted_name(const struct device *d, char out[RUNDIR_NAME])
{
    const struct domain *dom = d->domain;
    char domid[NAMES_DOMID];

    names_of_domid(domid, dom->domid);
    if (d->id.number)
        snprintf(out, RUNDIR_NAME, "%.64s:%u", dom->title.has_name ? dom->name : domid, d->id.number);
    else
        snprintf(out, RUNDIR_NAME, "%.64s", dom->title.has_name ? dom->name : domid);
}

static void try_at(struct xvsd *x, uint64_t at)
{
    if (at < x->settle_at)
        x->settle_at = at;
    xvsd_wake_at(x, x->settle_at);
}

static void move(struct device *d)
{
    struct settings_sockets sockets = settings_sockets_of(d->x->settings, d->domain->section);
    char name[RUNDIR_NAME], why[RUNDIR_WHY];

    wanted_name(d, name);
    if (d->door && !strcmp(d->door->dir.name, name)) {
        doors_tidy(d);
        return;
    }
    if (strcmp(name, d->door_wanted)) {
        strcpy(d->door_wanted, name);
        d->door_again = (struct backoff){ 0 };
    }
    if (!backoff_may_try(&d->door_again, xvsd_now(d->x))) {
        try_at(d->x, d->door_again.at);
        return;
    }
    if (door_move(d, name, &sockets, why)) {
        backoff_failed(&d->door_again);
        try_at(d->x, d->door_again.at);
        if (journal_shows(JOURNAL_DEBUG))
            journal_guest(&d->journal, JOURNAL_DEBUG, "its directory is tried again in %llu ms",
                          (unsigned long long)(d->door_again.at - xvsd_now(d->x)));
        if (strcmp(why, d->door_error))
            journal_guest(&d->journal, JOURNAL_ERROR, "%s", why);
        snprintf(d->door_error, sizeof d->door_error, "%s", why);
        return;
    }
    d->door_again = (struct backoff){ 0 };
    *d->door_error = '\0';
    if (d->announced)
        journal_guest(&d->journal, JOURNAL_INFO, "its socket is %s/vsock from now on", device_dir(d));
    else
        journal_guest(&d->journal, JOURNAL_INFO, "taken in, CID %llu, socket %s/vsock", (unsigned long long)d->cid,
                      device_dir(d));
    d->announced = true;
    permit(d);
    device_look(d);             /* it may have waited for this */
}

/* ---- CIDs ---- */

static uint64_t own_cid(const struct device *d)
{
    const struct settings_guest *section = d->domain->section;

    return section && !d->id.number ? section->cid : 0;
}

uint64_t settle_cid(const struct device *d)
{
    if (own_cid(d))
        return own_cid(d);
    if (settings_by_cid(d->x->settings, d->cid))
        return registry_usual_cid(&d->id);      /* it was ours while we had the name */
    return d->cid;
}

static bool has_right(const struct device *d)
{
    return own_cid(d) == d->cid;
}

int settle_take_cid(struct device *d, struct device **owner)
{
    struct device *other;

    while ((other = registry_mapped_cid(d->x, d->cid)) && other != d) {
        *owner = other;
        if (!other->domain->is_dead && (!has_right(d) || has_right(other)))
            return -EADDRINUSE;
        device_refuse(other, "its CID %llu belongs to %s", (unsigned long long)d->cid, d->journal.who);
        if (other->mux)
            return -EADDRINUSE;
    }
    return 0;
}

static void choose_cid(struct device *d)
{
    uint64_t cid = settle_cid(d);

    if (cid == d->cid)
        return;
    if (d->life.mapped) {
        if (cid == d->cid_said)
            return;
        journal_guest(&d->journal, JOURNAL_NOTICE, "CID %llu takes effect when the guest connects again; now %llu",
                      (unsigned long long)cid, (unsigned long long)d->cid);
        d->cid_said = cid;
        return;
    }
    if (d->announced)
        journal_guest(&d->journal, JOURNAL_NOTICE, "its CID is now %llu, it was %llu", (unsigned long long)cid,
                      (unsigned long long)d->cid);
    registry_set_cid(d, cid);
    life_back_offer_again(&d->life);
    if (d->seen)
        device_look(d);
}

/* ---- links ---- */

/* Whose directory the link is to: whoever has a right to the CID, or uses it, or had it first. */
static uint64_t wanted_link(const struct door *door)
{
    const struct device *d = door->device;

    return d->door == door && registry_owner_of_cid(d->x, d->cid) == d ? d->cid : 0;
}

static void drop_link(struct device *d)
{
    for (struct list *l = d->doors.next; l != &d->doors; l = l->next) {
        struct door *door = container_of(l, struct door, link);

        if (door->dir.cid && door->dir.cid != wanted_link(door))
            guest_dir_link(&door->dir, &d->x->rundir, 0);
    }
}

static void make_link(struct device *d)
{
    int err = d->door ? guest_dir_link(&d->door->dir, &d->x->rundir, wanted_link(d->door)) : 0;

    if (err)
        journal_guest(&d->journal, JOURNAL_WARNING, "cannot make the link cid/%llu: %s", (unsigned long long)d->cid,
                      strerror(-err));
}

/* ---- all of it ---- */

void settle_soon(struct xvsd *x)
{
    x->unsettled = true;
}

static bool lives(const struct device *d)
{
    return !d->domain->is_dead && !(d->seen && life_back_is_over(&d->life));
}

void settle(struct xvsd *x)
{
    if (!x->unsettled || x->stop_at)
        return;
    if (judge(x))
        return;                 /* no memory: again at the next occasion */
    x->unsettled = false;
    x->settle_at = UINT64_MAX;
    each_domain(x, l)
        find_section(domain_at(l));
    each_device(x, l)
        if (lives(device_at(l)))
            choose_cid(device_at(l));
    each_device(x, l)
        if (lives(device_at(l)))
            move(device_at(l));
    each_device(x, l)
        drop_link(device_at(l));
    each_device(x, l)
        make_link(device_at(l));
}

void settle_settings(struct xvsd *x)
{
    each_domain(x, l)
        domain_at(l)->section = NULL;       /* of settings that are gone */
    each_device(x, l) {
        device_at(l)->door_again = (struct backoff){ 0 };
        device_at(l)->cid_said = 0;
    }
    settle_soon(x);
    settle(x);
    each_device(x, l)
        permit(device_at(l));
}
