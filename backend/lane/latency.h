/* SPDX-License-Identifier: MIT */
/* latency.h: how long something took, counted in steps that are for ever the same, so that counts of many hosts and years can be added.
 *
 * A zeroed struct has counted nothing.  Times are differences of two uint32_t in microseconds that may have wrapped in between: up to
 * 71 minutes. */
#ifndef XVSD_LATENCY_H
#define XVSD_LATENCY_H

#include <stdint.h>

/* Microseconds: a time falls into the first step that it is not above; the last step has no end. */
#define LATENCY_BOUNDS { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000 }
#define LATENCY_STEPS 16u

struct latency {
    uint64_t count[LATENCY_STEPS];
    uint64_t sum;               /* microseconds */
};

static inline void latency_add(struct latency *l, uint32_t us)
{
    static const uint32_t bounds[LATENCY_STEPS - 1] = LATENCY_BOUNDS;
    unsigned step = 0;

    while (step < LATENCY_STEPS - 1 && us > bounds[step])
        step++;
    l->count[step]++;
    l->sum += us;
}

#endif
