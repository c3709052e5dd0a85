/* SPDX-License-Identifier: MIT */
/* pool.c: first fit over a bitmap, a word at a time. */
#include "pool.h"

#include <string.h>

void pool_init(struct pool *p, uint32_t bytes)
{
    memset(p, 0, sizeof *p);
    p->units = p->free_units = bytes / POOL_UNIT;
    for (uint32_t u = p->units; u < POOL_WORDS * 64; u++)
        p->used[u / 64] |= UINT64_C(1) << u % 64;
}

/* The first unit at or after 'from', and before 'end', whose bit is 'value'; else end. */
static uint32_t find(const struct pool *p, uint32_t from, uint32_t end, bool value)
{
    while (from < end) {
        uint64_t word = value ? p->used[from / 64] : ~p->used[from / 64];

        word &= UINT64_MAX << from % 64;
        if (word) {
            uint32_t at = from / 64 * 64 + (uint32_t)__builtin_ctzll(word);

            return at < end ? at : end;
        }
        from = (from / 64 + 1) * 64;
    }
    return end;
}

static void mark(struct pool *p, uint32_t unit, uint32_t count, bool value)
{
    while (count) {
        uint32_t bit = unit % 64, n = count < 64 - bit ? count : 64 - bit;
        uint64_t bits = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << bit;

        if (value)
            p->used[unit / 64] |= bits;
        else
            p->used[unit / 64] &= ~bits;
        unit += n;
        count -= n;
    }
}

/* Looks for 'want' free units in a row; the first such run, or the longest one there is, goes to *best, *best_count. */
static void search(const struct pool *p, uint32_t want, uint32_t *best, uint32_t *best_count)
{
    uint32_t from = p->first, end = p->units;

    while ((from = find(p, from, end, false)) < end) {
        uint32_t last = from + want < end ? from + want : end;
        uint32_t stop = find(p, from, last, true);

        if (stop - from > *best_count) {
            *best = from;
            *best_count = stop - from;
            if (*best_count == want)
                return;
        }
        from = stop;
    }
}

uint32_t pool_take(struct pool *p, uint32_t bytes, uint32_t *offset)
{
    uint32_t want = (bytes + POOL_UNIT - 1) / POOL_UNIT, best = 0, count = 0;

    if (!p->free_units || !want)
        return 0;
    search(p, want, &best, &count);
    if (find(p, p->first, best, false) == best)
        p->first = best + count;
    mark(p, best, count, true);
    p->free_units -= count;
    *offset = best * POOL_UNIT;
    return count * POOL_UNIT;
}

void pool_give(struct pool *p, uint32_t offset, uint32_t bytes)
{
    uint32_t unit = offset / POOL_UNIT, count = (bytes + POOL_UNIT - 1) / POOL_UNIT;

    if (unit < p->first)
        p->first = unit;
    mark(p, unit, count, false);
    p->free_units += count;
}
