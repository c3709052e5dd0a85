/* SPDX-License-Identifier: MIT */
/* lane.c: see lane.h. */
#include "lane.h"

#include <xengnttab.h>

int lanes_init(struct lanes *all, struct loop *loop, const struct end_kind *const *ends)
{
    *all = (struct lanes){ .loop = loop, .ends = ends };
    hash_seed(&all->seed);
    return hash_init(&all->by_cid);
}

void lanes_free(struct lanes *all)
{
    hash_free(&all->by_cid);
    if (all->gnt)
        xengnttab_close(all->gnt);
}

/* CIDs are the administrator's, but he may take them from anywhere. */
static uint32_t key_of(const struct lanes *all, uint64_t cid)
{
    return hash_words(&all->seed, cid, 0, 0);
}

struct lane *lanes_find(const struct lanes *all, uint64_t cid)
{
    for (struct hash_link *l = hash_first(&all->by_cid, key_of(all, cid)); l; l = l->next)
        if (container_of(l, struct lane, by_cid)->cid == cid)
            return container_of(l, struct lane, by_cid);
    return NULL;
}

struct lane *lanes_find_any(struct lanes *all, uint64_t cid)
{
    struct lane *lane = lanes_find(all, cid);

    return lane || !all->find_down ? lane : all->find_down(all, cid);
}

void lane_set_cid(struct lane *lane, uint64_t cid)
{
    if (lane->cid)
        hash_remove(&lane->all->by_cid, &lane->by_cid);
    lane->cid = cid;
    if (cid)
        hash_insert(&lane->all->by_cid, &lane->by_cid, key_of(lane->all, cid));
}

void lane_wake(struct lane *lane)
{
    if (lane->mux)
        turn_wait(lane->all->loop, &lane->turn);
}
