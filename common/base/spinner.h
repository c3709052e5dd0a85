/* SPDX-License-Identifier: MIT */
/* spinner.h: whether it pays to look again for a while before going to sleep, and for how long.
 *
 * A sleep costs a notification by the peer and a wake-up here; on real Xen together as much as copying 64 KiB or more.  Looking at
 * the ring for a while saves both when the peer is about to answer, and wastes it when it
 * is not: when it is idle, or cannot run because we have its processor.  So the outcome is measured, and not guessed from a
 * number of processors (a guest does not know the host's): every hit earns a few tries more, a miss costs most of
 * them, and without credit only one sleep in SPINNER_PROBE tries.
 *
 * How long: about as long as what it saves would take, so that a miss at most doubles the price of a sleep.  That
 * price differs by a factor of a hundred between platforms, so it is measured as well: a notification of our own is the part of
 * it that can be timed from here, and the whole is SPINNER_TIMES that.  The least time ever seen counts: a longer one was
 * somebody else's work.
 *
 * Where spinning does not pay because the peer waits for this very processor, giving way to it does: sched_yield(), with a
 * spinner of its own.  The peer then fills the ring until it has to wait, and needs no notification for that.  But
 * somebody else who has nothing to do with us may take the processor for a whole slice, so after a yield that took long there
 * is none for twenty times as long (spinner_next_yield()).  Pure; one thread. */
#ifndef XVS_SPINNER_H
#define XVS_SPINNER_H

#include <stdbool.h>
#include <stdint.h>

#define SPINNER_CREDIT 16u
#define SPINNER_PROBE  64u
#define SPINNER_AUTO   UINT32_MAX   /* a setting: as long as a sleep costs */
#define SPINNER_TIMES  16u
#define SPINNER_LEAST  20u          /* microseconds */
#define SPINNER_MOST   1000u

#define SPINNER_YIELD_LONG  UINT64_C(500000)        /* ns: the peer has not that much to do before it waits for us */
#define SPINNER_YIELD_SHARE 20                      /* such yields take at most one part in so many of the time */

struct spinner {
    uint8_t credit;             /* tries that earlier hits have paid for */
    uint8_t skipped;            /* sleeps since the last try */
    uint32_t notifications;     /* asked about, see spinner_times() */
    uint32_t notify_ns;         /* the least that one has cost, 0 before the first */
    uint64_t hits, misses;
};

/* True if it should spin before this sleep. */
static inline bool spinner_wants(struct spinner *s)
{
    if (s->credit)
        return true;
    if (++s->skipped < SPINNER_PROBE)
        return false;
    s->skipped = 0;
    return true;
}

static inline void spinner_note(struct spinner *s, bool hit)
{
    if (hit) {
        s->hits++;
        s->credit = (uint8_t)(s->credit + 2u < SPINNER_CREDIT ? s->credit + 2u : SPINNER_CREDIT);
    } else {
        s->misses++;
        s->credit = s->credit > 4 ? (uint8_t)(s->credit - 4) : 0;
    }
}

/* True if the notification that is sent now should be timed: each of the first ones, and some of the others. */
static inline bool spinner_times(struct spinner *s)
{
    return s->notifications++ < SPINNER_PROBE || s->notifications % SPINNER_PROBE == 0;
}

/* It took so long. */
static inline void spinner_price(struct spinner *s, uint64_t ns)
{
    if (!s->notify_ns || ns < s->notify_ns)
        s->notify_ns = ns < 1 ? 1 : ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

/* How long to look, in microseconds: the setting, or what SPINNER_AUTO comes to. */
static inline uint32_t spinner_time(const struct spinner *s, uint32_t setting)
{
    uint64_t us = (uint64_t)s->notify_ns * SPINNER_TIMES / 1000;

    if (setting != SPINNER_AUTO)
        return setting;
    return us < SPINNER_LEAST ? SPINNER_LEAST : us < SPINNER_MOST ? (uint32_t)us : SPINNER_MOST;
}

/* When to yield again at the earliest, after a yield from began to now; all in ns. */
static inline uint64_t spinner_next_yield(uint64_t began, uint64_t now)
{
    return now - began > SPINNER_YIELD_LONG ? now + SPINNER_YIELD_SHARE * (now - began) : now;
}

#endif
