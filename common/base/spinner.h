/* SPDX-License-Identifier: MIT */
/* spinner.h: whether it pays to look again for a while before going to sleep.
 *
 * A sleep costs a notification by the peer and a wake-up here; on real Xen together as much as copying 64 KiB or more.  Looking at
 * the ring for some microseconds saves both when the peer is about to answer, and wastes them when it
 * is not: when it is idle, or cannot run because we have its processor.  So the outcome is measured, and not guessed from a
 * number of processors (a guest does not know the host's): every hit earns a few tries more, a miss costs most of
 * them, and without credit only one sleep in SPINNER_PROBE tries.  Pure; one thread. */
#ifndef XVS_SPINNER_H
#define XVS_SPINNER_H

#include <stdbool.h>
#include <stdint.h>

#define SPINNER_CREDIT 16u
#define SPINNER_PROBE  64u

struct spinner {
    uint8_t credit;             /* tries that earlier hits have paid for */
    uint8_t skipped;            /* sleeps since the last try */
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

#endif
