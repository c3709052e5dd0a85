/* SPDX-License-Identifier: MIT */
/* cids.c: see cids.h. */
#include "cids.h"

uint64_t cid_usual(const struct device_id *id)
{
    return CIDS_BASE + id->front + (uint64_t)id->number * CIDS_STEP;
}

/* What the settings give it, 0 for nothing. */
static uint64_t own_cid(const struct device *d)
{
    return d->id.number ? 0 : d->domain->own.cid;
}

uint64_t cid_wanted(const struct device *d)
{
    if (own_cid(d))
        return own_cid(d);
    if (settings_by_cid(d->r->settings, d->cid))
        return cid_usual(&d->id);       /* it was ours while we had the name */
    return d->cid;
}

bool cid_is_right(const struct device *d)
{
    return own_cid(d) == d->cid;
}

/* ---- the table ---- */

static uint32_t key_of(const struct registry *r, uint64_t cid)
{
    return hash_words(&r->seed, cid, 0, 0);
}

void cid_set(struct device *d, uint64_t cid)
{
    if (d->cid)
        hash_remove(&d->r->devices_by_cid, &d->by_cid);
    d->cid = d->journal.cid = cid;
    if (cid)
        hash_insert(&d->r->devices_by_cid, &d->by_cid, key_of(d->r, cid));
}

struct device *cid_in_use(const struct registry *r, uint64_t cid)
{
    for (struct hash_link *l = hash_first(&r->devices_by_cid, key_of(r, cid)); l; l = l->next) {
        struct device *d = container_of(l, struct device, by_cid);

        if (d->cid == cid && d->up)
            return d;
    }
    return NULL;
}

static int standing(const struct device *d)
{
    return cid_is_right(d) ? 2 : d->up;
}

static bool goes_before(const struct device *a, const struct device *b)
{
    return standing(a) > standing(b) || (standing(a) == standing(b) && a->born < b->born);
}

struct device *cid_owner(const struct registry *r, uint64_t cid)
{
    struct device *best = NULL;

    for (struct hash_link *l = hash_first(&r->devices_by_cid, key_of(r, cid)); l; l = l->next) {
        struct device *d = container_of(l, struct device, by_cid);

        if (d->cid == cid && !d->domain->is_dead && (!best || goes_before(d, best)))
            best = d;
    }
    return best;
}
