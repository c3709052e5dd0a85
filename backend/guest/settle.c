/* SPDX-License-Identifier: MIT */
/* settle.c: see settle.h.
 *
 * In this order: whose each name is; what the settings say of it; CIDs; directories, of which one may be taken from a device that
 * then needs another; links, those that come before those that go, so that a CID which has gone to another directory always has one. */
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cids.h"
#include "device.h"
#include "home.h"

/* ---- whose each name is ---- */

static int judge(struct registry *r)
{
    struct title **titles;
    size_t count = 0;
    int err;

    each_domain(r, l)
        count++;
    if (!(titles = malloc((count + 1) * sizeof *titles)))
        return -ENOMEM;
    count = 0;
    each_domain(r, l) {
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
    int err = homes_permit(d, &d->domain->own.sockets);

    if (err)
        journal_guest(&d->journal, JOURNAL_WARNING, "cannot set mode and owner of %s: %s", home_path(d), strerror(-err));
}

static bool is_same(const struct settings_sockets *a, const struct settings_sockets *b)
{
    return a->mode == b->mode && a->user == b->user && a->group == b->group;
}

static void find_own(struct domain *dom)
{
    struct settings_sockets before = dom->own.sockets;

    settings_own(dom->r->settings, &dom->title, &dom->own);
    if (is_same(&before, &dom->own.sockets))
        return;
    each_device_of(dom, l)
        permit(device_of_domain(l));
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

static void try_at(struct registry *r, uint64_t at)
{
    alarm_at(r->loop, &r->settle, at);
}

static void move(struct device *d)
{
    char name[RUNDIR_NAME], why[RUNDIR_WHY];

    wanted_name(d, name);
    if (d->home && !strcmp(d->home->dir.name, name)) {
        homes_tidy(d);
        return;
    }
    if (strcmp(name, d->home_wanted)) {
        strcpy(d->home_wanted, name);
        d->home_again = (struct backoff){ 0 };
    }
    if (!backoff_may_try(&d->home_again, loop_now(d->r->loop))) {
        try_at(d->r, d->home_again.at);
        return;
    }
    if (home_move(d, name, &d->domain->own.sockets, why)) {
        backoff_failed(&d->home_again);
        try_at(d->r, d->home_again.at);
        if (journal_shows(JOURNAL_DEBUG))
            journal_guest(&d->journal, JOURNAL_DEBUG, "its directory is tried again in %llu ms",
                          (unsigned long long)(d->home_again.at - loop_now(d->r->loop)));
        if (strcmp(why, d->home_error))
            journal_guest(&d->journal, JOURNAL_ERROR, "%s", why);
        snprintf(d->home_error, sizeof d->home_error, "%s", why);
        d->told = false;
        return;
    }
    d->home_again = (struct backoff){ 0 };
    *d->home_error = '\0';
    d->told = false;
    if (d->announced)
        journal_guest(&d->journal, JOURNAL_INFO, "its socket is %s/vsock from now on", home_path(d));
    else
        journal_event(&d->journal, EVENT_ATTACHED, NULL, "taken in, CID %llu, socket %s/vsock", (unsigned long long)d->cid,
                      home_path(d));
    d->announced = true;
    permit(d);
    device_look(d);             /* it may have waited for this */
}

/* ---- channels ---- */

#define CHANNELS_MOST (4 * SETTINGS_CHANNELS)   /* of several sections */

/* They are the domain's, and lead to its first device, as its CID does. */
static void make_channels(struct device *d)
{
    struct settings_channel channels[CHANNELS_MOST];
    size_t count = d->id.number ? 0 : settings_channels(d->r->settings, &d->domain->title, channels, CHANNELS_MOST);

    homes_channels(d, channels, count, &d->domain->own.sockets);
}

/* ---- CIDs ---- */

static void choose_cid(struct device *d)
{
    uint64_t cid = cid_wanted(d);

    if (cid == d->cid)
        return;
    if (d->life.mapped) {
        if (cid == d->cid_said)
            return;
        journal_event(&d->journal, EVENT_CHANGED, NULL, "CID %llu takes effect when the guest connects again; now %llu",
                      (unsigned long long)cid, (unsigned long long)d->cid);
        d->cid_said = cid;
        return;
    }
    if (d->announced)
        journal_event(&d->journal, EVENT_CHANGED, NULL, "its CID is now %llu, it was %llu", (unsigned long long)cid,
                      (unsigned long long)d->cid);
    cid_set(d, cid);
    life_back_offer_again(&d->life);
    if (d->seen)
        device_look(d);
}

/* ---- links ---- */

/* Whose directory the link is to: whoever has a right to the CID, or uses it, or had it first. */
static uint64_t wanted_link(const struct home *home)
{
    const struct device *d = home->device;

    return d->home == home && cid_owner(d->r, d->cid) == d ? d->cid : 0;
}

static void make_link(struct device *d)
{
    uint64_t cid = d->home ? wanted_link(d->home) : 0;
    int err = cid ? guest_dir_link(&d->home->dir, d->r->rundir, cid) : 0;

    if (err)
        journal_guest(&d->journal, JOURNAL_WARNING, "cannot make the link cid/%llu: %s", (unsigned long long)d->cid,
                      strerror(-err));
}

static void drop_links(struct device *d)
{
    for (struct list *l = d->homes.next; l != &d->homes; l = l->next) {
        struct home *home = container_of(l, struct home, link);

        if (home->dir.cid && home->dir.cid != wanted_link(home))
            guest_dir_link(&home->dir, d->r->rundir, 0);
    }
}

/* ---- all of it ---- */

static bool lives(const struct device *d)
{
    return !d->domain->is_dead && !(d->seen && life_back_is_over(&d->life));
}

void settle(struct registry *r)
{
    if (!r->unsettled || r->stopping)
        return;
    if (judge(r))
        return;                 /* no memory: again at the next occasion */
    r->unsettled = false;
    alarm_stop(&r->settle);
    each_domain(r, l)
        find_own(domain_at(l));
    each_device(r, l)
        if (lives(device_at(l)))
            choose_cid(device_at(l));
    /* Names and CIDs may be others now, and who sees a directory of a name finds the worker knowing the name. */
    each_device(r, l)
        device_at(l)->told = false;
    devices_tell(r);
    each_device(r, l)
        if (lives(device_at(l)))
            move(device_at(l));
    each_device(r, l)
        if (lives(device_at(l)))
            make_channels(device_at(l));
    each_device(r, l)
        make_link(device_at(l));
    each_device(r, l)
        drop_links(device_at(l));
}

void settle_settings(struct registry *r)
{
    each_device(r, l) {
        device_at(l)->home_again = (struct backoff){ 0 };
        device_at(l)->cid_said = 0;
    }
    settle_soon(r);
    settle(r);
    each_device(r, l)
        permit(device_at(l));
}
