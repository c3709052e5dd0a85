// SPDX-License-Identifier: GPL-2.0 OR MIT
/* message.c: see message.h. */
#include <linux/uio.h>
#include <net/sock.h>

#include "device.h"
#include "message.h"
#include "say.h"
#include "sock.h"
#include "transport.h"

/* The largest message that the peer takes, as things are. */
static u32 largest(struct virtio_vsock_sock *vvs)
{
	u32 most;

	spin_lock_bh(&vvs->tx_lock);
	most = min(vvs->peer_buf_alloc, vvs->buf_alloc);
	spin_unlock_bh(&vvs->tx_lock);
	return most;
}

/* The next piece: how many bytes, or a negative errno. */
static ssize_t send_piece(struct vsock_sock *vsk, struct msghdr *msg,
			  size_t left)
{
	ssize_t sent = -EAGAIN;
	struct xv_device *dev;
	int key;

	dev = xv_carrier_get(&key);
	if (dev)
		sent = xv_tx_write(dev, vsk, msg, left);
	xv_carrier_put(key);
	if (sent == -EAGAIN)
		sent = virtio_transport_stream_enqueue(vsk, msg, left);
	return sent ? sent : -ENOMEM;
}

/* A part has left, and the rest never will: the next would be taken for it. */
static void give_up(struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);

	xv_say_cut(vsk);
	xv_sock_of(vsk)->late = true;
	vsk->peer_shutdown |= SEND_SHUTDOWN;
	sk->sk_state_change(sk);
}

static int refuse(struct xv_sock *xs, int why)
{
	xs->refused = why;
	return 0;
}

int xv_message_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsk);
	struct xv_sock *xs = xv_sock_of(vsk);
	size_t left = len;

	if (len > largest(vvs))
		return refuse(xs, -EMSGSIZE);
	if (virtio_transport_stream_has_space(vsk) < (s64)len) {
		xs->wanted = len;	/* Linux waits, and asks again */
		return 0;
	}
	xs->wanted = 0;
	if (fault_in_iov_iter_readable(&msg->msg_iter, len))
		return refuse(xs, -EFAULT);
	while (left) {
		ssize_t sent = send_piece(vsk, msg, left);

		if (sent < 0) {
			if (left < len)
				give_up(vsk);
			return refuse(xs, sent);
		}
		left -= sent;
	}
	return len;
}

int xv_message_error(struct vsock_sock *vsk)
{
	struct xv_sock *xs = xv_sock_of(vsk);
	int why = xs->refused;

	xs->refused = 0;
	return why;
}

void xv_message_begin(struct vsock_sock *vsk)
{
	xv_sock_of(vsk)->wanted = 0;
}

ssize_t xv_message_dequeue(struct vsock_sock *vsk, struct msghdr *msg, int flags)
{
	struct xv_sock *xs = xv_sock_of(vsk);
	ssize_t got;

	if (xs->late && !virtio_transport_seqpacket_has_data(vsk)) {
		xs->sk->sk_err = ECONNRESET;	/* Linux looks there next */
		return 0;
	}
	got = virtio_transport_seqpacket_dequeue(vsk, msg, flags);
	if (got > 0 && !xs->late)
		xv_sock_read(vsk);
	return got;
}

/*
 * Linux reads an end where there is no message, whatever the error: so an error
 * is one more message.
 */
u32 xv_message_has_data(struct vsock_sock *vsk)
{
	u32 count = virtio_transport_seqpacket_has_data(vsk);

	return count ? count : xv_sock_of(vsk)->late;
}
