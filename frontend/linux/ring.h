/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ring.h: the frontend's end of a ring in hostile shared memory (vsockif.h,
 * section 5).
 *
 * All indices live privately; the backend's is read once, judged, then used.
 * A slot is copied out whole before a field of it is judged.  The struct does
 * not own the memory.  One caller at a time.
 */
#ifndef XV_RING_H
#define XV_RING_H

#include <linux/types.h>

#include "vsockif.h"

struct xv_ring {
	struct vsockif_ring *shared;
	struct vsockif_slot *slots;	/* shared, too */
	u32 mask;
	u32 out;			/* the next request that we fill */
	u32 published;			/* what the backend has been shown of them */
	u32 in;				/* the next response that we read */
	u32 seen;			/* rsp_prod as last read and found good */
};

/* Attaches to @pages zeroed pages at @at that nobody else has seen yet. */
void xv_ring_init(struct xv_ring *ring, void *at, u32 pages);

/* Fills the next slot; the caller knows that there is one. */
void xv_ring_put(struct xv_ring *ring, const struct vsockif_slot *slot);

/*
 * Shows the backend the slots filled since the last call.  True: it sleeps,
 * and is owed a notification.  (edges DATA, WAKE)
 */
bool xv_ring_publish(struct xv_ring *ring);

/*
 * How many responses wait to be read, or -EPROTO with the index that cannot be
 * in @claim.  (edge DATA)
 */
int xv_ring_pending(struct xv_ring *ring, u32 *claim);

/* Copies out the response that is @ahead places after the next. */
void xv_ring_get(const struct xv_ring *ring, u32 ahead,
		 struct vsockif_slot *slot);

static inline void xv_ring_take(struct xv_ring *ring, u32 count)
{
	ring->in += count;
}

/*
 * Asks for a notification at the next response.  False: there is one already,
 * do not sleep.  (edge WAKE)
 */
bool xv_ring_arm(struct xv_ring *ring);

static inline u32 xv_ring_slots(const struct xv_ring *ring)
{
	return ring->mask + 1;
}

#endif
