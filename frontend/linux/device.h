/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * device.h: a device as its parts know it, and who may call whom.
 *
 *	main		the module
 *	bus		from probe to remove		knows nodes, stats, rx, tx, sock
 *	transport	what AF_VSOCK calls		knows message, say, tx, sock
 *	rx		packets from the backend	knows hand, tx
 *	hand		them to their sockets		knows message, say, sock, user
 *	message		of SOCK_SEQPACKET		knows say, tx, sock
 *	say		what Linux would not send	knows tx, sock
 *	tx		packets to the backend		knows sock, ring
 *	sock		one socket's own state		knows user
 *	user		one user's sockets and packets
 *	stats		in sysfs
 *	device		and that all of these know	knows bad, count, share
 *	nodes, share, ring, bad, count		know nobody
 *
 * Nothing goes round in a circle; tests/kernel/run.sh looks.
 *
 * Locks, outermost first:
 *	xv_life.lock	the machine, and what is shared
 *	a socket's own lock (lock_sock)
 *	xv_tx.lock	the tx ring, its pool, what waits for room
 *	socks_lock	the lists of sockets (sock.c)
 * What is received has one work item and no lock, and it takes no socket's: a
 * program may keep that for ever.  Neither does the life of a device.
 */
#ifndef XV_DEVICE_H
#define XV_DEVICE_H

#include <linux/virtio_vsock.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "bad.h"
#include "count.h"
#include "share.h"

struct xv_rx;
struct xv_tx;

struct xv_device {
	struct xenbus_device *xdev;
	u32 cid;
	bool seqpacket;			/* the backend has it, too */
	struct xv_share share;
	struct xv_tx *tx;
	struct xv_rx *rx;
	struct xv_bad bad;
	struct xv_counts counts;
	struct delayed_work look;	/* its life looks at how things are */
};

/* Everything of every device runs here; main.c makes it. */
extern struct workqueue_struct *xv_wq;

/* What AF_VSOCK calls, and so what tells our sockets; transport.c sets it. */
extern struct virtio_transport *xv_transport;

/*
 * The device that AF_VSOCK goes by, or NULL; between these two calls it does
 * not go away.
 */
struct xv_device *xv_carrier_get(int *key);
void xv_carrier_put(int key);
/* By the life of a device: @dev, or NULL.  Returns when nobody is in the old. */
void xv_carrier_set(struct xv_device *dev);

/* The life of the device looks at how things are, in @delay jiffies. */
static inline void xv_look(struct xv_device *dev, unsigned long delay)
{
	/* An earlier look that is due anyway is not put off. */
	if (delay)
		queue_delayed_work(xv_wq, &dev->look, delay);
	else
		mod_delayed_work(xv_wq, &dev->look, 0);
}

/* From anywhere: @rule, a constant sentence, was broken with @value. -EPROTO */
static inline int xv_bad(struct xv_device *dev, const char *rule, u64 value)
{
	if (xv_bad_claim(&dev->bad, rule, value))
		xv_look(dev, 0);
	return -EPROTO;
}

static inline bool xv_is_bad(const struct xv_device *dev)
{
	return xv_bad_is_claimed(&dev->bad);
}

static inline void xv_count_add(struct xv_device *dev, enum xv_stat stat,
				u64 more)
{
	atomic64_add(more, &dev->counts.of[stat]);
}

static inline void xv_count(struct xv_device *dev, enum xv_stat stat)
{
	xv_count_add(dev, stat, 1);
}

#endif
