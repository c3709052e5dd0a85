/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * device.h: a device whole, and who may call whom.
 *
 *	main		the module
 *	transport	what AF_VSOCK calls		knows message, say, sock, tx
 *	message		of SOCK_SEQPACKET		knows say, sock, tx
 *	say		what Linux would not send	knows sock, tx
 *	life		from probe to remove		knows all below
 *	rx, tx		packets				know sock, bad
 *	sock		one socket's own state
 *	nodes, share, ring, bad, stats	know nobody
 *
 * Locks, outermost first:
 *	life_lock	the machine, and what is shared
 *	a socket's own lock (lock_sock)
 *	tx.lock		the tx ring, its pool, what waits for room
 *	socks_lock	the list of all sockets (sock.c)
 * What is received has one work item and no lock.
 */
#ifndef XV_DEVICE_H
#define XV_DEVICE_H

#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "bad.h"
#include "life.h"
#include "rx.h"
#include "share.h"
#include "stats.h"
#include "tx.h"

struct xv_device {
	struct xenbus_device *xdev;
	u32 cid;
	bool seqpacket;			/* the backend has it, too */
	struct xv_share share;
	struct xv_tx tx;
	struct xv_rx rx;
	struct xv_bad bad;
	struct xv_stats stats;

	struct mutex life_lock;		/* the rest */
	struct life_front life;
	struct delayed_work life_work;
	struct notifier_block reboot;
	bool looked;			/* life has been begun */
	bool carries;			/* AF_VSOCK goes by this device */
};

static inline void xv_count_add(struct xv_device *dev, enum xv_stat stat,
				u64 more)
{
	atomic64_add(more, &dev->stats.count[stat]);
}

static inline void xv_count(struct xv_device *dev, enum xv_stat stat)
{
	xv_count_add(dev, stat, 1);
}

/* Everything of every device runs here. */
extern struct workqueue_struct *xv_wq;

/*
 * The device that AF_VSOCK goes by, or NULL; between these two calls it does
 * not go away.
 */
struct xv_device *xv_carrier_get(int *key);
void xv_carrier_put(int key);
/* By the life of a device: @dev, or NULL.  Returns when nobody is in the old. */
void xv_carrier_set(struct xv_device *dev);

/* The life of the device looks at how things are, in @delay jiffies. */
void xv_life_look(struct xv_device *dev, unsigned long delay);

int xv_life_init(void);
void xv_life_exit(void);

#endif
