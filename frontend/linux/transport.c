// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * transport.c: what AF_VSOCK calls, for one guest's way to its host (G2H).
 *
 * Most of it is Linux's common code of virtio, whose packets have our wire's
 * headers.  What that does otherwise than vsockif.h says is mended here, in
 * sock.c, and in tx.c.
 */
#include <linux/module.h>
#include <net/af_vsock.h>
#include <net/sock.h>

#include "device.h"
#include "message.h"
#include "say.h"
#include "sock.h"
#include "transport.h"
#include "tx.h"
#include "versions.h"

/* ---- addresses ---- */

static u32 get_local_cid(void)
{
	u32 cid = VMADDR_CID_ANY;
	struct xv_device *dev;
	int key;

	dev = xv_carrier_get(&key);
	if (dev)
		cid = dev->cid;
	xv_carrier_put(key);
	return cid;
}

/*
 * CID 1 is local and never on the wire, and neither is a guest's word with
 * itself: both are vsock_loopback's, if that is loaded.
 */
static bool stream_allow(u32 cid, u32 port)
{
	return cid != VMADDR_CID_LOCAL && cid != VMADDR_CID_ANY &&
	       cid != get_local_cid();
}

/* A backend of version 1 has streams alone. */
static bool seqpacket_allow(u32 cid)
{
	struct xv_device *dev;
	bool allow;
	int key;

	dev = xv_carrier_get(&key);
	allow = dev && dev->seqpacket;
	xv_carrier_put(key);
	return allow;
}

/* ---- a connection ---- */

static int connect(struct vsock_sock *vsk)
{
	xv_sock_begin(xv_sock_of(vsk));
	return virtio_transport_connect(vsk);
}

/* SO_LINGER with no time, as of TCP: the connection is cut, not closed. */
static void release(struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);

	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		xv_say_cut(vsk, VSOCKIF_REASON_ABORTED);
	virtio_transport_release(vsk);
}

static int cancel_pkt(struct vsock_sock *vsk)
{
	struct xv_device *dev;
	int key;

	dev = xv_carrier_get(&key);
	if (dev)
		xv_tx_cancel(dev, vsk);
	xv_carrier_put(key);
	return 0;
}

static int send_pkt(struct sk_buff *skb)
{
	struct xv_device *dev;
	int key, ret;

	dev = xv_carrier_get(&key);
	if (dev) {
		ret = xv_tx_send(dev, skb);
	} else {
		kfree_skb(skb);
		ret = -ENODEV;
	}
	xv_carrier_put(key);
	return ret;
}

/* ---- room ---- */

/* Before a writer writes, sleeps, fails with EAGAIN, or polls. */
static s64 stream_has_space(struct vsock_sock *vsk)
{
	s64 space = virtio_transport_stream_has_space(vsk);
	struct xv_device *dev;
	int key;

	if (READ_ONCE(xv_sock_of(vsk)->dead))
		return 1;		/* nothing is waited for: EPIPE */
	if (space < xv_sock_of(vsk)->wanted)
		space = 0;		/* a message is whole or not at all */
	dev = xv_carrier_get(&key);
	if (dev && sk_vsock(vsk)->sk_state == TCP_ESTABLISHED) {
		if (!space)
			xv_say_ask(dev, vsk);
		else if (!xv_tx_may_send(dev, vsk))
			space = 0;
	}
	xv_carrier_put(key);
	return space;
}

/* A send() begins. */
static int notify_send_init(struct vsock_sock *vsk,
			    struct vsock_transport_send_notify_data *data)
{
	xv_message_begin(vsk);
	return 0;
}

/* Linux 6.1 makes -ENOMEM of what the next call says. */
static int notify_send_pre_enqueue(struct vsock_sock *vsk,
				   struct vsock_transport_send_notify_data *data)
{
	return READ_ONCE(xv_sock_of(vsk)->dead) ? -EPIPE : 0;
}

static int notify_send_post_enqueue(struct vsock_sock *vsk, ssize_t written,
				    struct vsock_transport_send_notify_data *data)
{
	return xv_message_error(vsk);
}

static ssize_t stream_dequeue(struct vsock_sock *vsk, struct msghdr *msg,
			      size_t len, int flags)
{
	ssize_t got = virtio_transport_stream_dequeue(vsk, msg, len, flags);

	if (got > 0)
		xv_sock_read(vsk);
	return got;
}

/* A part of a message is nothing that can be read. */
static int notify_poll_in(struct vsock_sock *vsk, size_t target, bool *ready)
{
	if (sk_vsock(vsk)->sk_type != SOCK_SEQPACKET)
		return virtio_transport_notify_poll_in(vsk, target, ready);
	*ready = xv_message_has_data(vsk);
	return 0;
}

/*
 * buf_alloc is a promise, and Linux resets a peer that has relied on it: what
 * a connection has been promised is not taken back.  The program is told what
 * it has set, all the same.
 */
static void notify_buffer_size(struct vsock_sock *vsk, u64 *size)
{
	u64 promised = *size;

	if (sk_vsock(vsk)->sk_state != TCP_CLOSE)
		promised = max_t(u64, *size, xv_sock_virtio(vsk)->buf_alloc);
	virtio_transport_notify_buffer_size(vsk, &promised);
	*size = min(*size, promised);
}

static struct virtio_transport transport = {
	.transport = {
		.module				= THIS_MODULE,

		.get_local_cid			= get_local_cid,
		.init				= xv_sock_init,
		.destruct			= xv_sock_destruct,
		.release			= release,
		.connect			= connect,
		.shutdown			= virtio_transport_shutdown,
		.cancel_pkt			= cancel_pkt,

		.dgram_bind			= virtio_transport_dgram_bind,
		.dgram_dequeue			= virtio_transport_dgram_dequeue,
		.dgram_enqueue			= virtio_transport_dgram_enqueue,
		.dgram_allow			= virtio_transport_dgram_allow,

		.stream_dequeue			= stream_dequeue,
		.stream_enqueue			= xv_tx_data,
		.stream_has_data		= virtio_transport_stream_has_data,
		.stream_has_space		= stream_has_space,
		.stream_rcvhiwat		= virtio_transport_stream_rcvhiwat,
		.stream_is_active		= virtio_transport_stream_is_active,
		.stream_allow			= stream_allow,

		.seqpacket_dequeue		= xv_message_dequeue,
		.seqpacket_enqueue		= xv_message_enqueue,
		.seqpacket_allow		= seqpacket_allow,
		.seqpacket_has_data		= xv_message_has_data,

		.notify_poll_in			= notify_poll_in,
		.notify_poll_out		= virtio_transport_notify_poll_out,
		.notify_recv_init		= virtio_transport_notify_recv_init,
		.notify_recv_pre_block		= virtio_transport_notify_recv_pre_block,
		.notify_recv_pre_dequeue	= virtio_transport_notify_recv_pre_dequeue,
		.notify_recv_post_dequeue	= virtio_transport_notify_recv_post_dequeue,
		.notify_send_init		= notify_send_init,
		.notify_send_pre_block		= virtio_transport_notify_send_pre_block,
		.notify_send_pre_enqueue	= notify_send_pre_enqueue,
		.notify_send_post_enqueue	= notify_send_post_enqueue,
		.notify_buffer_size		= notify_buffer_size,
#if XV_HAS_READ_SKB
		.read_skb			= virtio_transport_read_skb,
#endif
#if XV_HAS_RCVLOWAT
		.notify_set_rcvlowat		= virtio_transport_notify_set_rcvlowat,
#endif
#if XV_HAS_UNSENT
		.unsent_bytes			= virtio_transport_unsent_bytes,
#endif
	},
	.send_pkt = send_pkt,
};

int xv_transport_init(void)
{
	xv_transport = &transport;
	return vsock_core_register(&transport.transport, VSOCK_TRANSPORT_F_G2H);
}

void xv_transport_exit(void)
{
	vsock_core_unregister(&transport.transport);
}
