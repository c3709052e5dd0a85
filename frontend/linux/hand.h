/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * hand.h: packets are handed to Linux, by whose socket they are for.
 *
 * Here a socket's lock is waited for, and nowhere else on the way from the ring
 * or in the life of a device.  One user's packets stay in order.
 */
#ifndef XV_HAND_H
#define XV_HAND_H

#include <linux/skbuff.h>
#include <linux/workqueue.h>

#include "vsockif.h"

struct xv_device;

/*
 * One packet, in one skb or several, none of which are left: it is handed on
 * when the caller's work is done.  If too much waits for that user's programs
 * it is dropped, and refused, and the connection that it is of is dead.
 */
void xv_hand(struct xv_device *dev, const struct vsockif_hdr *hdr,
	     struct sk_buff_head *skbs);

/* A user's work. */
void xv_hand_on(struct work_struct *work);

#endif
