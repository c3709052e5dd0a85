/* SPDX-License-Identifier: MIT */
/* pool.h: which bytes of a data pool are in use, by units of POOL_UNIT bytes.
 *
 * The frontend owns its tx pool and carves packets out of it: from one unit for a small message to
 * 64 KiB in one piece.  Completions come in any order, so this is a bitmap and not a ring: a packet that a slow
 * reader keeps blocks nobody else's.  First fit, so that a stream whose reader keeps up stays within few pages, which the
 * caches hold.  Pure; private memory only. */
#ifndef XVS_POOL_H
#define XVS_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "vsockif.h"

#define POOL_UNIT       1024u
#define POOL_MAX_UNITS  (VSOCKIF_MAX_POOL_PAGES * (VSOCKIF_PAGE_SIZE / POOL_UNIT))
#define POOL_WORDS      ((POOL_MAX_UNITS + 63) / 64)

struct pool {
    uint64_t used[POOL_WORDS];  /* a bit a unit; bits past 'units' are set for ever */
    uint32_t units;
    uint32_t first;             /* no unit before this one is free */
    uint32_t free_units;
};

/* bytes is a multiple of POOL_UNIT, at most VSOCKIF_MAX_POOL_PAGES pages. */
void pool_init(struct pool *p, uint32_t bytes);

/* Takes up to 'bytes' contiguous bytes, rounded up to units, and returns how many bytes that is; 0 when the
 * pool is full.  Fewer than asked for are given only when no piece is large enough: then the largest. */
uint32_t pool_take(struct pool *p, uint32_t bytes, uint32_t *offset);

/* Gives back what pool_take() gave, or a part of it in whole units. */
void pool_give(struct pool *p, uint32_t offset, uint32_t bytes);

static inline uint32_t pool_round(uint32_t bytes)
{
    return (bytes + POOL_UNIT - 1) / POOL_UNIT * POOL_UNIT;
}

static inline uint32_t pool_free_bytes(const struct pool *p)
{
    return p->free_units * POOL_UNIT;
}

#endif
