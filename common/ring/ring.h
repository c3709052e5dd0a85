/* SPDX-License-Identifier: MIT */
/* ring.h: one end of a ring of requests and responses in hostile shared memory (vsockif.h, section 5).
 *
 * The two ends are alike: each has slots that it fills ("out") and slots that it reads ("in").  The
 * frontend's out are requests, the backend's out are responses.
 *
 *     ring_room(), ring_put(), ring_publish()      fill slots, then publish them; true: notify the peer
 *     ring_pending(), ring_get(), ring_take()      how many slots wait; copy one out; consume them
 *     ring_arm()                                   before sleeping: true if the peer will notify
 *
 * All indices live privately in struct ring; the peer's index is read once, checked, and then used.  The struct
 * does not own the memory.  One ring end, one thread. */
#ifndef XVS_RING_H
#define XVS_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "shm.h"

enum ring_side { RING_FRONT, RING_BACK };

struct ring {
    uint32_t *out_prod;         /* shared, ours */
    const uint32_t *out_event;  /* shared, the peer's: where it wants to be woken */
    const uint32_t *in_prod;    /* shared, the peer's */
    uint32_t *in_event;         /* shared, ours */
    struct vsockif_slot *slots; /* shared */
    uint32_t mask;
    uint32_t ahead;             /* slots for the frontend, 0 for the backend: how far out may run ahead of in */
    uint32_t out;               /* the next slot that we fill */
    uint32_t published;         /* what the peer has been shown of out */
    uint32_t in;                /* the next slot that we read */
    uint32_t in_seen;           /* the peer's index as last read and found good */
    uint32_t bad_index;         /* after -EPROTO: what the peer claimed */
};

/* Attaches to 2^order pages at shared.  The frontend also writes the header of the ring, in zeroed
 * memory, before anyone else has seen it.  The backend does not touch it. */
void ring_init(struct ring *r, enum ring_side side, void *shared, uint32_t order);

static inline uint32_t ring_slots(const struct ring *r)
{
    return r->mask + 1;
}

/* Slots that may be filled now. */
static inline uint32_t ring_room(const struct ring *r)
{
    return r->ahead + r->in - r->out;
}

/* Fills the next slot with a copy.  There must be room. */
static inline void ring_put(struct ring *r, const struct vsockif_slot *slot)
{
    memcpy(&r->slots[r->out++ & r->mask], slot, sizeof *slot);
}

/* Shows the peer the slots filled since the last call.  True if it armed its event among them: the caller owes
 * it one notification.  (edges DATA, WAKE) */
bool ring_publish(struct ring *r);

/* Slots that wait to be read: a count, or -EPROTO if the peer's index is impossible (bad_index).  (edge DATA) */
int ring_pending(struct ring *r);

/* Copies out the slot 'ahead' places after the next one; ahead is below what ring_pending() returned. */
static inline void ring_get(const struct ring *r, uint32_t ahead, struct vsockif_slot *slot)
{
    shm_copy_slot(slot, &r->slots[(r->in + ahead) & r->mask]);
}

/* Consumes count slots.  The frontend's may be filled again; the backend's may be answered. */
static inline void ring_take(struct ring *r, uint32_t count)
{
    r->in += count;
}

/* Asks to be notified when 'slots' more (at least 1) are published than were consumed.  False if something is there
 * already (or the index is bad): do not sleep, look again.  (edge WAKE) */
bool ring_arm(struct ring *r, uint32_t slots);

#endif
