/* SPDX-License-Identifier: MIT */
/* pool.c: next fit over a bitmap, a word at a time. */
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

/* Looks through [from, end) for 'want' free units in a row; remembers the longest run in *best, *best_count. */
static bool search(const struct pool *p, uint32_t from, uint32_t end, uint32_t want, uint32_t *best,
                   uint32_t *best_count)
{
    while ((from = find(p, from, end, false)) < end) {
        uint32_t last = from + want < end ? from + want : end;
        uint32_t stop = find(p, from, last, true);

        if (stop - from > *best_count) {
            *best = from;
            *best_count = stop - from;
            if (*best_count == want)
                return true;
        }
        from = stop;
    }
    return false;
}

uint32_t pool_take(struct pool *p, uint32_t bytes, uint32_t *offset)
{
    uint32_t want = (bytes + POOL_UNIT - 1) / POOL_UNIT, best = 0, count = 0;

    if (!p->free_units || !want)
        return 0;
    if (!search(p, p->next, p->units, want, &best, &count))
        search(p, 0, p->units, want, &best, &count);
    mark(p, best, count, true);
    p->free_units -= count;
    p->next = best + count < p->units ? best + count : 0;
    *offset = best * POOL_UNIT;
    return count * POOL_UNIT;
}

void pool_give(struct pool *p, uint32_t offset, uint32_t bytes)
{
    uint32_t count = (bytes + POOL_UNIT - 1) / POOL_UNIT;

    mark(p, offset / POOL_UNIT, count, false);
    p->free_units += count;
}
