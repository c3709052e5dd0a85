/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * rx.h: packets from the backend.
 *
 * One work item takes them out of the ring, judges them, copies them, and has
 * them handed to Linux (hand.h): it waits for nobody, and a buffer goes back into
 * the ring at once.  The interrupt does no more than start the work: the event
 * channel is open again when the work has found the ring empty (XSA-332).
 */
#ifndef XV_RX_H
#define XV_RX_H

#include <linux/interrupt.h>
#include <linux/workqueue.h>

#include "ring.h"

struct xv_device;

struct xv_rx {
	struct xv_device *dev;
	struct xv_ring ring;
	const u8 *pool;
	u32 buffers;			/* of a page each; an id is its number */
	DECLARE_BITMAP(posted, 32u << VSOCKIF_MAX_RING_PAGE_ORDER);
	u32 posted_at[32u << VSOCKIF_MAX_RING_PAGE_ORDER]; /* ring.out, then */
	unsigned long flags;		/* XV_RX_* */
	struct work_struct work;
	struct delayed_work again;	/* memory was short */
};

/* It becomes the device's. */
void xv_rx_init(struct xv_rx *rx, struct xv_device *dev);

/* The rings are shared: posts every buffer.  Nothing comes before xv_rx_start(). */
void xv_rx_open(struct xv_device *dev);

/* Connected: packets are handed over from here on. */
void xv_rx_start(struct xv_device *dev);

/* Returns when no packet is being taken; the ring is touched no more. */
void xv_rx_stop(struct xv_device *dev);

/* The event channel's handler. */
irqreturn_t xv_rx_interrupt(int irq, void *arg);

#endif
