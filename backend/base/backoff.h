/* SPDX-License-Identifier: MIT */
/* backoff.h: when to try again what has failed: after 1 s, then 2, 4 … up to 64.
 *
 * All zero: nothing has failed.  Whoever sees that something has changed makes it zero again. */
#ifndef XVSD_BACKOFF_H
#define XVSD_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_DOUBLES  6u

struct backoff {
    uint64_t at;                /* ms: not before */
    unsigned strikes;           /* failures in a row */
};

static inline void backoff_failed(struct backoff *b)
{
    b->at = clock_deadline_ms((uint64_t)BACKOFF_FIRST_MS << (b->strikes < BACKOFF_DOUBLES ? b->strikes : BACKOFF_DOUBLES));
    b->strikes++;
}

static inline bool backoff_may_try(const struct backoff *b, uint64_t now)
{
    return !b->strikes || b->at <= now;
}

#endif
