/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * share.h: what the backend may touch: the pages of vsockif.h's section 4, and
 * an event channel.  Called by the life of the device alone.
 */
#ifndef XV_SHARE_H
#define XV_SHARE_H

#include <linux/interrupt.h>
#include <linux/types.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include "vsockif.h"

enum xv_group_name {
	XV_CONTROL, XV_TX_RING, XV_RX_RING, XV_TX_POOL, XV_RX_POOL, XV_GROUPS
};

/* Pages that are contiguous here and there. */
struct xv_group {
	struct page **page;
	grant_ref_t *ref;		/* 0: not granted */
	u32 pages;
	void *at;
};

struct xv_share {
	struct xv_group group[XV_GROUPS];
	struct vsockif_control *control; /* NULL: nothing is shared */
	u32 ring_pages, pool_pages;	/* of each of the two */
	evtchn_port_t port;
	int irq;
	void *arg;			/* the interrupt's */
};

/*
 * Grants rings of 2^@ring_order pages and pools of @pool_pages; no event
 * channel yet.  On error nothing is left.
 */
int xv_share_open(struct xv_share *share, struct xenbus_device *xdev,
		  u32 ring_order, u32 pool_pages);

/* Once the rings are ready: from here on @handler may run. */
int xv_share_listen(struct xv_share *share, struct xenbus_device *xdev,
		    irq_handler_t handler, void *arg);

/* No more interrupts; returns when none is running. */
void xv_share_deafen(struct xv_share *share);

/*
 * Takes everything back.  A page that the backend has mapped stays its own
 * until it lets go; Linux frees it then.
 */
void xv_share_close(struct xv_share *share);

/* False: the backend does not map the pages any more, or not yet. */
static inline bool xv_share_is_live(const struct xv_share *share)
{
	return !share->control || READ_ONCE(share->control->back_live);
}

/* How many pages are granted at this moment, all devices together. */
u32 xv_share_granted(void);

#endif
