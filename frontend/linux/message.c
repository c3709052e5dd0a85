// SPDX-License-Identifier: GPL-2.0 OR MIT
/* message.c: see message.h. */
#include <linux/uio.h>
#include <net/sock.h>

#include "message.h"
#include "say.h"
#include "sock.h"
#include "tx.h"

/* The largest message that the peer takes, as things are. */
static u32 largest(struct virtio_vsock_sock *vvs)
{
	u32 most;

	spin_lock_bh(&vvs->tx_lock);
	most = min(vvs->peer_buf_alloc, vvs->buf_alloc);
	spin_unlock_bh(&vvs->tx_lock);
	return most;
}

/* A part has left, and the rest never will: the next would be taken for it. */
static void give_up(struct vsock_sock *vsk)
{
	xv_say_cut(vsk, VSOCKIF_REASON_ABORTED);
	xv_sock_break_off(sk_vsock(vsk));
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
		ssize_t sent = xv_tx_data(vsk, msg, left);

		if (sent <= 0) {
			if (left < len)
				give_up(vsk);
			return refuse(xs, sent ? sent : -ENOMEM);
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

/*
 * Section 10.  What was told never becomes less, so it is the largest (see
 * notify_buffer_size() in transport.c).
 */
static bool is_too_large(struct vsock_sock *vsk, const struct vsockif_hdr *hdr)
{
	struct xv_sock *xs = xv_sock_of(vsk);

	if (hdr->flags & VSOCKIF_SEQ_EOM) {
		xs->part = 0;
		return false;
	}
	xs->part += hdr->len;
	return xs->part >= xv_sock_virtio(vsk)->buf_alloc;
}

bool xv_message_take_part(const struct vsockif_hdr *hdr)
{
	struct sock *sk = xv_sock_find(hdr);
	bool taken = false;

	if (!sk)
		return false;
	/* What is of no such connection Linux answers. */
	if (sk->sk_type == SOCK_SEQPACKET && sk->sk_state == TCP_ESTABLISHED &&
	    !sock_flag(sk, SOCK_DONE))
		taken = is_too_large(vsock_sk(sk), hdr);
	if (taken) {
		xv_say_cut(vsock_sk(sk), VSOCKIF_REASON_SIZE);
		xv_sock_break_off(sk);
	}
	xv_sock_let_go(sk);
	return taken;
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
