/* SPDX-License-Identifier: MIT */
/* promise.c: see promise.h. */
#include "promise.h"

void promises_init(struct promises *all, uint64_t budget, uint32_t most)
{
    *all = (struct promises){ .budget = budget, .most = most < PROMISE_MOST ? most : PROMISE_MOST };
}

#define LEAST_COST (PROMISE_LEAST + PROMISE_LEAST / 4 * 3)

/* Of a promise of so many bytes, with what the socket may hold. */
static uint32_t cost_of(uint32_t bytes)
{
    const struct promise p = { .bytes = bytes };

    return bytes ? bytes + promise_socket(&p) : 0;
}

static uint32_t raised(uint32_t cost)
{
    return cost > LEAST_COST ? cost - LEAST_COST : 0;
}

static bool change(struct promises *all, struct promise *p, uint32_t bytes)
{
    uint32_t before = cost_of(p->bytes), after = cost_of(bytes);

    if (bytes == p->bytes)
        return false;
    all->given += after - (uint64_t)before;
    all->raised += raised(after) - (uint64_t)raised(before);
    *p = (struct promise){ .bytes = bytes };
    return true;
}

uint32_t promise_make(struct promises *all, struct promise *p)
{
    uint64_t left = all->given < all->budget ? all->budget - all->given : 0, share = left / 14;

    if (share < PROMISE_LEAST)
        share = PROMISE_LEAST;
    change(all, p, share < all->most ? (uint32_t)share : all->most);
    return p->bytes;
}

void promise_end(struct promises *all, struct promise *p)
{
    change(all, p, 0);
}

bool promise_taken(struct promises *all, struct promise *p, uint32_t len)
{
    uint32_t twice = p->bytes < all->most / 2 ? 2 * p->bytes : all->most;

    if (p->bytes >= all->most)
        return false;
    p->proof += len;
    if (p->proof < PROMISE_PROOF ||
        all->raised + raised(cost_of(twice)) - raised(cost_of(p->bytes)) > PROMISE_OVERDRAFT * all->budget)
        return false;
    return change(all, p, twice);
}

bool promise_stuck(struct promises *all, struct promise *p)
{
    p->proof = 0;
    if (all->given <= all->budget || p->bytes <= PROMISE_LEAST)
        return false;
    return change(all, p, PROMISE_LEAST);
}
