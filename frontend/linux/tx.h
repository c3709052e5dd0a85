/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * tx.h: packets to the backend.
 *
 * What finds room in the ring and the pool leaves at once.  What does not waits
 * in one queue, and while anything waits there, writers sleep: so data stays
 * with the programs, and the queue is as long as there are sockets at most.
 * A packet without data passes those of others, never one of its own socket.
 *
 * A CREDIT_UPDATE is no packet here but something that a socket owes: the next
 * packet of the socket pays, or else a short while does, or at once what is
 * due by section 8 of vsockif.h.  So each socket owes one at most, whatever the
 * peer asks for.
 */
#ifndef XV_TX_H
#define XV_TX_H

#include <linux/mutex.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>

#include "ring.h"
#include "sock.h"

#define XV_GRANULE	1024u		/* the pool is given out in these */
#define XV_MAX_SLOTS	(32u << VSOCKIF_MAX_RING_PAGE_ORDER)
#define XV_MAX_GRANULES	(VSOCKIF_MAX_POOL_PAGES *			\
			 (VSOCKIF_PAGE_SIZE / XV_GRANULE))

struct xv_device;

/* A request that has not been answered. */
struct xv_flight {
	u16 first;			/* granule */
	u16 count;			/* of them */
	bool flying;
};

struct xv_tx {
	struct xv_device *dev;
	struct mutex lock;		/* all that follows */
	bool open;
	struct xv_ring ring;
	u8 *pool;
	u32 granules;
	DECLARE_BITMAP(used, XV_MAX_GRANULES);
	struct xv_flight flight[XV_MAX_SLOTS];
	u16 free_id[XV_MAX_SLOTS];
	u32 free_ids;
	struct sk_buff_head queue;	/* its own lock is not used */
	struct list_head owing;		/* xv_sock.owing */
	struct list_head waiting;	/* xv_sock.waiting */
	u32 strays;			/* RSTs of no socket in the queue */
	bool stuck;			/* something waits for an answer */
	struct delayed_work linger;
};

/* It becomes the device's. */
void xv_tx_init(struct xv_tx *tx, struct xv_device *dev);

/* The life of the device: rings are shared; they are not to be touched. */
void xv_tx_open(struct xv_device *dev);
void xv_tx_close(struct xv_device *dev);

/*
 * Takes @skb, whatever comes of it: the number of its bytes, or -ENODEV.  With
 * the lock of its socket held, if it has one.
 */
int xv_tx_send(struct xv_device *dev, struct sk_buff *skb);

/* Why @skb, an RST of our own that is to be sent, resets (section 7). */
void xv_tx_give_reason(struct sk_buff *skb, enum vsockif_reason why);

/*
 * A call of struct vsock_transport: data of a connection, as far as there is
 * credit, at most @len bytes.  Into the pool without an skb, if that can be now;
 * else Linux makes one.  How many bytes, or a negative errno.  With the socket's
 * lock held.
 */
ssize_t xv_tx_data(struct vsock_sock *vsk, struct msghdr *msg, size_t len);

/* A packet has been asked for in the name of @vsk: it never comes. */
void xv_tx_cancel(struct xv_device *dev, struct vsock_sock *vsk);

/*
 * May @vsk send data?  False: it is woken when it may.  With the lock of the
 * socket held.
 */
bool xv_tx_may_send(struct xv_device *dev, struct vsock_sock *vsk);

/* The backend has notified: what waits for an answer, or for room, goes on. */
void xv_tx_turn(struct xv_device *dev);

static inline bool xv_tx_is_stuck(const struct xv_tx *tx)
{
	return READ_ONCE(tx->stuck);
}

#endif
