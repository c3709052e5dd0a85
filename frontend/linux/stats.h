/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * stats.h: what a device has counted since it was found; in sysfs, in the
 * folder "vsock" of the device, a file for each.
 */
#ifndef XV_STATS_H
#define XV_STATS_H

#include <linux/atomic.h>
#include <linux/sysfs.h>

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
	XV_CONNECTS,			/* of the device itself */
	XV_STATS
};

struct xv_stats {
	atomic64_t count[XV_STATS];
};

extern const struct attribute_group *xv_stats_groups[];

/* Once, before there is a device. */
void xv_stats_init(void);

#endif
