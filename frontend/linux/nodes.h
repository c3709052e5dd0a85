/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * nodes.h: what the device reads and writes in xenstore (vsockif.h, sections 2
 * and 3): one transaction for each act of life.h.
 */
#ifndef XV_NODES_H
#define XV_NODES_H

#include <linux/types.h>
#include <xen/xenbus.h>

/* What the backend offers. */
struct xv_offer {
	u32 cid;
	u32 ring_order;
	u32 pool_pages;
	u32 version;			/* the largest that both know */
	bool seqpacket;			/* a feature that both have */
};

/*
 * The state in @dir: 0 if there is none, 255 for what is no state.  An error:
 * it could not be found out.
 */
int xv_nodes_state(const char *dir);

/*
 * 0; -EAGAIN if the backend does not offer; -EPROTO with a sentence, the
 * rule that was broken, in *@what.
 */
int xv_nodes_offer(struct xenbus_device *xdev, struct xv_offer *offer,
		   const char **what);

/*
 * Our nodes, and state 3; -EAGAIN if the backend is not in 2 any more, or
 * offers another CID by now.
 */
int xv_nodes_share(struct xenbus_device *xdev, const struct xv_offer *offer,
		   u32 control_ref, evtchn_port_t port);

/* Our state; -ENOENT if the directory has gone. */
int xv_nodes_set_state(struct xenbus_device *xdev, enum xenbus_state state);

#endif
