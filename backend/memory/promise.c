/* SPDX-License-Identifier: MIT */
/* promise.c: see promise.h. */
#include "promise.h"

void promises_init(struct promises *all, uint64_t budget, uint32_t most)
{
    *all = (struct promises){ .budget = budget, .most = most < PROMISE_MOST ? most : PROMISE_MOST };
}

static uint64_t raised(uint32_t bytes)
{
    return bytes > PROMISE_LEAST ? bytes - PROMISE_LEAST : 0;
}

static bool change(struct promises *all, struct promise *p, uint32_t bytes)
{
    bool changed = bytes != p->bytes;

    all->given += bytes - (uint64_t)p->bytes;
    all->raised += raised(bytes) - raised(p->bytes);
    p->bytes = bytes;
    return changed;
}

uint32_t promise_make(struct promises *all, struct promise *p)
{
    uint64_t share = all->given < all->budget ? (all->budget - all->given) / 8 : 0;

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
    if (p->proof < PROMISE_PROOF || all->raised + twice - p->bytes > PROMISE_OVERDRAFT * all->budget)
        return false;
    p->proof = 0;
    return change(all, p, twice);
}

bool promise_stuck(struct promises *all, struct promise *p)
{
    p->proof = 0;
    if (all->given <= all->budget || p->bytes <= PROMISE_LEAST)
        return false;
    return change(all, p, PROMISE_LEAST);
}
