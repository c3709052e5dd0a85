// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * ring.c: the three places where a ring's memory order matters.  The barriers
 * are those of common/ring/ring.c, which a model checks; the names of the edges
 * are vsockif.h's.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "ring.h"

void xv_ring_init(struct xv_ring *ring, void *at, u32 pages)
{
	memset(ring, 0, sizeof(*ring));
	ring->shared = at;
	ring->slots = (struct vsockif_slot *)(ring->shared + 1);
	ring->mask = 32 * pages - 1;
	ring->shared->req_event = 1;
	ring->shared->rsp_event = 1;
}

void xv_ring_put(struct xv_ring *ring, const struct vsockif_slot *slot)
{
	memcpy(&ring->slots[ring->out++ & ring->mask], slot, sizeof(*slot));
}

bool xv_ring_publish(struct xv_ring *ring)
{
	u32 old = ring->published, event;

	if (ring->out == old)
		return false;
	ring->published = ring->out;
	virt_store_release(&ring->shared->req_prod, ring->out);	/* DATA */
	virt_mb();						/* WAKE */
	event = READ_ONCE(ring->shared->req_event);
	return ring->out - event < ring->out - old;
}

int xv_ring_pending(struct xv_ring *ring, u32 *claim)
{
	u32 prod = virt_load_acquire(&ring->shared->rsp_prod);	/* DATA */

	/* At or after what was seen before, and not past what was asked. */
	if (prod - ring->in > ring->published - ring->in ||
	    prod - ring->in < ring->seen - ring->in) {
		*claim = prod;
		return -EPROTO;
	}
	ring->seen = prod;
	return prod - ring->in;
}

void xv_ring_get(const struct xv_ring *ring, u32 ahead,
		 struct vsockif_slot *slot)
{
	memcpy(slot, &ring->slots[(ring->in + ahead) & ring->mask],
	       sizeof(*slot));
	/* Or the compiler may read the slot again in place of the copy. */
	barrier();
}

bool xv_ring_arm(struct xv_ring *ring)
{
	WRITE_ONCE(ring->shared->rsp_event, ring->in + 1);
	virt_mb();						/* WAKE */
	return READ_ONCE(ring->shared->rsp_prod) == ring->in;
}
