// SPDX-License-Identifier: GPL-2.0 OR MIT
/* say.c: see say.h. */
#include <net/af_vsock.h>
#include <net/sock.h>

#include "device.h"
#include "say.h"
#include "sock.h"
#include "tx.h"

/* A packet that is a header alone. */
static struct sk_buff *make_skb(const struct vsockif_hdr *hdr)
{
	struct sk_buff *skb;

	skb = virtio_vsock_alloc_skb(VIRTIO_VSOCK_SKB_HEADROOM,
				     GFP_KERNEL | __GFP_NOWARN);
	if (skb)
		memcpy(virtio_vsock_hdr(skb), hdr, sizeof(*hdr));
	return skb;
}

void xv_say_no(const struct vsockif_hdr *to, enum vsockif_reason why)
{
	const struct vsockif_hdr rst = {
		.src_cid = to->dst_cid,
		.src_port = to->dst_port,
		.dst_cid = to->src_cid,
		.dst_port = to->src_port,
		.type = to->type,
		.op = VSOCKIF_OP_RST,
	};
	struct sk_buff *skb = make_skb(&rst);
	struct xv_device *dev;
	int key;

	if (!skb)
		return;
	xv_tx_give_reason(skb, why);
	dev = xv_carrier_get(&key);
	if (dev)
		xv_tx_send(dev, skb);
	else
		kfree_skb(skb);
	xv_carrier_put(key);
}

/* A packet without data of an established connection, owned by its socket. */
static struct sk_buff *make_packet(struct xv_device *dev,
				   struct vsock_sock *vsk, u16 op)
{
	const struct vsockif_hdr hdr = {
		.src_cid = dev->cid,
		.src_port = vsk->local_addr.svm_port,
		.dst_cid = vsk->remote_addr.svm_cid,
		.dst_port = vsk->remote_addr.svm_port,
		.type = xv_sock_type(sk_vsock(vsk)),
		.op = op,
	};
	struct sk_buff *skb = make_skb(&hdr);

	if (!skb)
		return NULL;
	if (!skb_set_owner_sk_safe(skb, sk_vsock(vsk))) {
		kfree_skb(skb);
		return NULL;
	}
	virtio_transport_inc_tx_pkt(xv_sock_virtio(vsk), skb);
	return skb;
}

void xv_say_cut(struct vsock_sock *vsk, enum vsockif_reason why)
{
	struct sock *sk = sk_vsock(vsk);
	struct xv_device *dev;
	struct sk_buff *skb;
	int key;

	if (sk->sk_state != TCP_ESTABLISHED || sock_flag(sk, SOCK_DONE))
		return;
	dev = xv_carrier_get(&key);
	skb = dev ? make_packet(dev, vsk, VIRTIO_VSOCK_OP_RST) : NULL;
	if (skb) {
		xv_tx_give_reason(skb, why);
		xv_tx_send(dev, skb);
		WRITE_ONCE(xv_sock_of(vsk)->dead, true);
		sock_set_flag(sk, SOCK_DONE);
	}
	xv_carrier_put(key);
}

/*
 * Linux sends min(peer's buf_alloc, its own) and does not tell the peer that
 * its own is the bound.  "A sender whose own cap is below the peer's buf_alloc
 * asks, because the peer cannot know that cap" (section 8).  Nor does it know
 * how large the next message is.
 */
void xv_say_ask(struct xv_device *dev, struct vsock_sock *vsk)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsk);
	struct xv_sock *xs = xv_sock_of(vsk);
	u32 tx_cnt, fwd_cnt, peer;
	struct sk_buff *skb;

	spin_lock_bh(&vvs->tx_lock);
	tx_cnt = vvs->tx_cnt;
	fwd_cnt = vvs->peer_fwd_cnt;
	peer = vvs->peer_buf_alloc;
	spin_unlock_bh(&vvs->tx_lock);

	if (tx_cnt == fwd_cnt || tx_cnt - fwd_cnt >= peer)
		return;
	if (xs->asked && xs->asked_tx_cnt == tx_cnt &&
	    xs->asked_fwd_cnt == fwd_cnt)
		return;
	skb = make_packet(dev, vsk, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	if (!skb)
		return;
	xs->asked = true;
	xs->asked_tx_cnt = tx_cnt;
	xs->asked_fwd_cnt = fwd_cnt;
	xv_count(dev, XV_ASKED);
	xv_tx_send(dev, skb);
}
