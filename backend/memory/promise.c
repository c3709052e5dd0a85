/* SPDX-License-Identifier: MIT */
/* promise.c: see promise.h. */
#include "promise.h"

#include "vsockif.h"

#define LEAST_FOR_WIDE (8 * VSOCKIF_MAX_PACKET)     /* of a pool: the packet that others may always send is an eighth of it at most */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void promises_init(struct promises *all, uint64_t budget, uint32_t pool)
{
    *all = (struct promises){ .budget = budget, .most = least(pool / 2, PROMISE_MOST) };
    all->wide = pool < LEAST_FOR_WIDE ? all->most : least(pool - VSOCKIF_MAX_PACKET, PROMISE_WIDEST);
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

/* What it takes from now on counts. */
static void look_anew(const struct promises *all, struct promise *p)
{
    p->proof = 0;
    p->taken = all->taken;
}

static bool change(struct promises *all, struct promise *p, uint32_t bytes)
{
    uint32_t before = cost_of(p->bytes), after = cost_of(bytes);

    if (bytes == p->bytes)
        return false;
    all->given += after - (uint64_t)before;
    all->raised += raised(after) - (uint64_t)raised(before);
    p->bytes = bytes;
    look_anew(all, p);
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

static bool give_more(struct promises *all, struct promise *p)
{
    uint32_t twice = p->bytes < all->most / 2 ? 2 * p->bytes : all->most;

    if (all->raised + raised(cost_of(twice)) - raised(cost_of(p->bytes)) > PROMISE_OVERDRAFT * all->budget)
        return false;
    return change(all, p, twice);
}

static bool narrow(struct promises *all, struct promise *p)
{
    p->rest = PROMISE_REST;
    return change(all, p, all->most);
}

/* It has half of the pool: is it nearly alone? */
static bool widen(struct promises *all, struct promise *p, bool has_others)
{
    if (has_others || all->given - cost_of(p->bytes) + cost_of(all->wide) > all->budget)
        return false;
    if (p->rest) {
        p->rest--;
        return false;
    }
    return change(all, p, all->wide);
}

bool promise_proven(struct promises *all, struct promise *p, uint16_t waits, bool lowers)
{
    uint32_t by_others = all->taken - p->taken - p->proof;
    bool waited = p->waits != waits, has_others = waited || by_others > p->proof / 8;

    p->waits = waits;
    if (p->bytes < all->most)
        return give_more(all, p);
    look_anew(all, p);
    if (promise_is_wide(all, p))
        return waited && narrow(all, p);
    return lowers && widen(all, p, has_others);
}

bool promise_stuck(struct promises *all, struct promise *p)
{
    bool changed = promise_is_wide(all, p) && narrow(all, p);

    look_anew(all, p);
    if (all->given <= all->budget || p->bytes <= PROMISE_LEAST)
        return changed;
    return change(all, p, PROMISE_LEAST);
}
