/* SPDX-License-Identifier: MIT */
/* lane.c: see lane.h. */
#include "lane.h"

#include <stdio.h>
#include <xengnttab.h>

int lanes_init(struct lanes *all, struct loop *loop, const struct end_kind *const *ends)
{
    *all = (struct lanes){ .loop = loop, .ends = ends };
    hash_seed(&all->seed);
    list_init(&all->listeners);
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

/* The policy's refusals are told with the line that decides (gate.h), a rate with what it is (stream.c), and what is not there is the
 * guest's own affair. */
static bool is_to_be_told(struct reason why)
{
    return why.code == VSOCKIF_REASON_BACKLOG || why.code == VSOCKIF_REASON_LIMIT || why.code == VSOCKIF_REASON_SHORT;
}

void lane_tell_refused(struct lane *lane, struct reason why, uint32_t port)
{
    /* None of those that gate.c numbers. */
    uint64_t pair = UINT64_C(7) << 60 | why.code;
    char text[REASON_LINE + 32];

    if (!is_to_be_told(why) || refusals_again(&lane->refusals, pair))
        return;
    snprintf(text, sizeof text, "port %u: %s", port, reason_text(why.code));
    refusals_add(&lane->refusals, (struct refusals_what){ EVENT_REFUSED, reason_word(why.code) }, lane->journal, pair,
                 "a connection is refused", text);
}

void lane_wake(struct lane *lane)
{
    if (lane->mux)
        turn_wait(lane->all->loop, &lane->turn);
}
