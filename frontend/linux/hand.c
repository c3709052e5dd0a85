// SPDX-License-Identifier: GPL-2.0 OR MIT
/* hand.c: see hand.h. */
#include <linux/sched.h>
#include <linux/virtio_vsock.h>

#include "device.h"
#include "hand.h"
#include "message.h"
#include "say.h"
#include "sock.h"
#include "user.h"

/* Linux would look for a socket once more, and wait for its lock. */
static void refuse(const struct vsockif_hdr *hdr, struct sk_buff_head *skbs,
		   enum vsockif_reason why)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(skbs))) {
		virtio_transport_deliver_tap_pkt(skb);
		kfree_skb(skb);
	}
	if (hdr->op != VSOCKIF_OP_RST)
		xv_say_no(hdr, why);
}

void xv_hand(struct xv_device *dev, const struct vsockif_hdr *hdr,
	     struct sk_buff_head *skbs)
{
	struct xv_user *user = xv_sock_user(hdr);

	if (!user) {
		refuse(hdr, skbs, VSOCKIF_REASON_NONE);
	} else if (!xv_user_give(user, skbs)) {
		xv_count(dev, XV_DROPPED);
		xv_sock_lose(hdr);
		refuse(hdr, skbs, VSOCKIF_REASON_SHORT);
	}
}

static void hand_on(const struct vsockif_hdr *hdr, struct sk_buff *skb)
{
	bool ends = hdr->op == VSOCKIF_OP_RST || hdr->op == VSOCKIF_OP_SHUTDOWN;

	if (hdr->op == VSOCKIF_OP_RW && hdr->type == VSOCKIF_TYPE_SEQPACKET &&
	    xv_message_take_part(hdr)) {
		kfree_skb(skb);
		return;
	}
	if (hdr->op == VSOCKIF_OP_CREDIT_REQUEST)
		xv_sock_is_asked(hdr);
	virtio_transport_deliver_tap_pkt(skb);
	if (ends && xv_sock_take_end(hdr))
		consume_skb(skb);
	else
		virtio_transport_recv_pkt(xv_transport, skb);
}

void xv_hand_on(struct work_struct *work)
{
	struct xv_user *user = container_of(work, struct xv_user, work);
	struct vsockif_hdr hdr;
	struct sk_buff *skb;
	bool anew;

	while ((skb = xv_user_next(user, &anew)) || anew) {
		if (anew) {
			xv_sock_reset_dead(user);
			continue;
		}
		memcpy(&hdr, virtio_vsock_hdr(skb), sizeof(hdr));
		hand_on(&hdr, skb);
		/* It may have begun a connection that is over already. */
		if (READ_ONCE(user->anew))
			xv_sock_cut(&hdr);
		cond_resched();
	}
}
