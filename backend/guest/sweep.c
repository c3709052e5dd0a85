/* SPDX-License-Identifier: MIT */
/* sweep.c: see sweep.h. */
#include "sweep.h"

#include "attach.h"
#include "reason.h"
#include "device.h"

static const char *why(const struct device *d)
{
    return reason_word(d->life.dead ? VSOCKIF_REASON_GONE : d->r->stopping ? VSOCKIF_REASON_STOPPED : VSOCKIF_REASON_DETACHED);
}

void sweep_forget(struct device *d)
{
    struct registry *r = d->r;
    struct watch_key key = device_front_key(&d->id);

    store_unwatch(r->store, &key);
    journal_event(&d->journal, EVENT_DETACHED, why(d), d->life.dead ? "the domain is gone" : "let go");
    device_free(d);
    settle_soon(r);
}

bool sweep_is_over(const struct device *d)
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

bool sweep_is_removed(struct device *d)
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

void sweep(struct registry *r)
{
    for (struct list *l = r->devices.next, *next; l != &r->devices; l = next) {
        struct device *d = device_at(l);

        next = l->next;
        if (sweep_is_over(d) && sweep_is_removed(d))
            sweep_forget(d);
    }
}
