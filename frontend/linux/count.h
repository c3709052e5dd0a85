/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* count.h: what a device has counted since it was found; stats.c shows it. */
#ifndef XV_COUNT_H
#define XV_COUNT_H

#include <linux/atomic.h>

enum xv_stat {
	XV_TX_PACKETS,
	XV_TX_BYTES,
	XV_RX_PACKETS,
	XV_RX_BYTES,
	XV_NOTIFICATIONS,		/* sent */
	XV_INTERRUPTS,
	XV_QUEUED,			/* packets that waited for room */
	XV_ASKED,			/* CREDIT_REQUESTs of our own */
	XV_CREDIT_UPDATES,		/* that were packets of their own */
	XV_MERGED,			/* and that were not */
	XV_STALE,			/* packets of dead sockets, dropped */
	XV_STRAYS,			/* RSTs dropped for want of room */
	XV_DROPPED,			/* packets that a user's programs did not take */
	XV_CONNECTS,			/* of the device itself */
	XV_STATS
};

struct xv_counts {
	atomic64_t of[XV_STATS];
};

#endif
