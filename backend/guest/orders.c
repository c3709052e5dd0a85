/* SPDX-License-Identifier: MIT */
/* orders.c: see orders.h. */
#include "orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "cids.h"
#include "device.h"
#include "domain.h"
#include "find.h"
#include "scan.h"
#include "settle.h"
#include "sweep.h"

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
        err = scan_take_in(r, a, out, why);
    }
    settle(r);
    if (err || (*out)->home)
        return err;
    snprintf(why, REGISTRY_WHY, "%s", (*out)->home_error);
    sweep_forget(*out);
    return -EADDRNOTAVAIL;
}

/* A device of the domain's is on its way out: the one of this number, or any for -1. */
static bool is_going(const struct registry *r, uint32_t domid, int number)
{
    each_device(r, l) {
        const struct device *d = device_at(l);

        if (d->id.front == domid && d->detach && !d->life.dead && (number < 0 || d->id.number == (uint32_t)number))
            return true;
    }
    return false;
}

int order_attach(struct registry *r, const char *domain, int number, uint64_t cid, struct device **out, char *why)
{
    struct attach_device a = { .id = { .back = r->self } };
    struct device *known;
    int err = domain_resolve(r, domain, &a.id.front);

    if (err) {
        snprintf(why, REGISTRY_WHY, "there is no domain %.100s", domain);
        return err;
    }
    if (is_going(r, a.id.front, number)) {
        snprintf(why, REGISTRY_WHY, "a device of %.100s that was detached is not gone yet; try again", domain);
        return -EAGAIN;
    }
    if (number < 0 && (number = attach_free_number(r->store, a.id.front, r->self)) < 0) {
        snprintf(why, REGISTRY_WHY, "no device number is free: %s", strerror(-number));
        return number;
    }
    a.id.number = (uint32_t)number;
    a.cid = cid ? cid : cid_usual(&a.id);
    if (cid && (err = judge_cid(r, &a, why)))
        return err;
    if ((known = device_find(r, a.id.front, a.id.number))) {
        device_look(known);
        if (sweep_is_over(known)) {   /* an earlier domain's */
            if (!sweep_is_removed(known)) {
                snprintf(why, REGISTRY_WHY, "what is left of an earlier device %u cannot be removed yet; try again",
                         a.id.number);
                return -EAGAIN;
            }
            sweep_forget(known);
            known = NULL;
        }
    }
    if ((err = attach_create(r->store, &a))) {
        snprintf(why, REGISTRY_WHY, "cannot attach device %u to domain %u: %s", a.id.number, a.id.front,
                 err == -EEXIST ? "it has that already" : strerror(-err));
        return err;
    }
    domids_set(&r->declined, a.id.front, false);
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
        domids_set(&d->r->declined, d->id.front, true);
    d->detach = true;
    device_close(d);
}

int order_detach(struct registry *r, const char *domain, int number, uint8_t *gone, char *why)
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
        detach(device_find(r, domid, gone[i]));
    return n;
}
