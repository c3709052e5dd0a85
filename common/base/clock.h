/* SPDX-License-Identifier: MIT */
/* clock.h: CLOCK_MONOTONIC, read in such a way that no time limit ends early.
 *
 * What says whether a limit is over may be behind, and never ahead: the library looks at the coarse clock, because it looks
 * with every packet (a tick behind, 4 or 10 ms, and more while a hypervisor runs somebody else), the daemon at the begin of
 * its round.  So a limit may not be counted from there, or it is short by so much.  It begins with
 *
 *     clock_deadline_ms(limit)      the first whole ms that is not before now + limit
 *
 * and is over when the cheap clock, or a timer that was set to it, has reached that. */
#ifndef XVS_CLOCK_H
#define XVS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_of(clockid_t which)
{
    struct timespec ts;

    clock_gettime(which, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_now_ns(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

/* Whole ms that have passed; for intervals between two of these, not for limits. */
static inline uint64_t clock_now_ms(void)
{
    return clock_now_ns() / 1000000;
}

/* Behind; for questions of whether a deadline is over.  A few instructions, whatever the clock's source is. */
static inline uint64_t clock_coarse_ms(void)
{
    return clock_of(CLOCK_MONOTONIC_COARSE) / 1000000;
}

/* limit is in ms; so is the result. */
static inline uint64_t clock_deadline_ms(uint64_t limit)
{
    return (clock_now_ns() + 999999) / 1000000 + limit;
}

/* Whole ms to sleep until 'end' (ns), for poll() and its like: 0 when it is over. */
static inline int clock_left_ms(uint64_t end)
{
    uint64_t now = clock_now_ns();

    return now < end ? (int)((end - now + 999999) / 1000000) : 0;
}

#endif
