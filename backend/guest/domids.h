/* SPDX-License-Identifier: MIT */
/* domids.h: a set of domids. */
#ifndef XVSD_DOMIDS_H
#define XVSD_DOMIDS_H

#include <stdbool.h>
#include <stdint.h>

#include "paths.h"

struct domids {
    uint64_t bits[(PATHS_DOMID + 63) / 64];
};

static inline bool domids_has(const struct domids *set, uint32_t domid)
{
    return set->bits[domid / 64] >> domid % 64 & 1;
}

static inline void domids_set(struct domids *set, uint32_t domid, bool in)
{
    uint64_t bit = UINT64_C(1) << domid % 64;

    set->bits[domid / 64] = in ? set->bits[domid / 64] | bit : set->bits[domid / 64] & ~bit;
}

/* The first that is at least 'from', or PATHS_DOMID. */
static inline uint32_t domids_next(const struct domids *set, uint32_t from)
{
    while (from < PATHS_DOMID && !domids_has(set, from))
        from = set->bits[from / 64] >> from % 64 ? from + 1 : (from / 64 + 1) * 64;
    return from < PATHS_DOMID ? from : PATHS_DOMID;
}

#endif
