// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * sock.c: see sock.h.
 *
 * Linux's common code of virtio keeps its state of a socket in vsk->trans,
 * allocates it, and frees it.  Ours is found from there: a pointer behind
 * Linux's own struct, in one piece of memory that Linux frees.
 */
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/af_vsock.h>
#include <net/sock.h>

#include "device.h"
#include "sock.h"

struct trans {
	struct virtio_vsock_sock virtio;	/* first: kfree() is Linux's */
	struct xv_sock *xs;
};

/* Every one of ours; what Linux's pointer leads to is safe under its lock. */
static DEFINE_HASHTABLE(by_sk, 8);
static DEFINE_SPINLOCK(socks_lock);

struct xv_sock *xv_sock_of(struct vsock_sock *vsk)
{
	struct trans *trans = vsk->trans;

	return trans->xs;
}

struct virtio_vsock_sock *xv_sock_virtio(struct vsock_sock *vsk)
{
	return vsk->trans;
}

int xv_sock_init(struct vsock_sock *vsk, struct vsock_sock *psk)
{
	struct virtio_vsock_sock *theirs;
	struct trans *trans;
	struct xv_sock *xs;
	int err;

	BUILD_BUG_ON(offsetof(struct trans, virtio));
	trans = kzalloc(sizeof(*trans), GFP_KERNEL);
	xs = kzalloc(sizeof(*xs), GFP_KERNEL);
	err = trans && xs ? virtio_transport_do_socket_init(vsk, psk) : -ENOMEM;
	if (err) {
		kfree(trans);
		kfree(xs);
		return err;
	}
	/* As Linux has made it; what has an address in it is made again. */
	theirs = vsk->trans;
	trans->virtio = *theirs;
	spin_lock_init(&trans->virtio.tx_lock);
	spin_lock_init(&trans->virtio.rx_lock);
	skb_queue_head_init(&trans->virtio.rx_queue);
	kfree(theirs);

	refcount_set(&xs->refs, 1);
	xs->sk = sk_vsock(vsk);
	/* Linux says whose a connection is when it is accepted. */
	xs->user = xv_user_of(sk_vsock(psk ? psk : vsk)->sk_uid);
	INIT_LIST_HEAD(&xs->owing);
	INIT_LIST_HEAD(&xs->waiting);
	trans->xs = xs;
	vsk->trans = trans;

	spin_lock_bh(&socks_lock);
	list_add_tail(&xs->all, &xs->user->socks);
	hash_add(by_sk, &xs->by_sk, (unsigned long)xs->sk);
	spin_unlock_bh(&socks_lock);
	return 0;
}

void xv_sock_put(struct xv_sock *xs)
{
	if (refcount_dec_and_test(&xs->refs))
		kfree(xs);
}

void xv_sock_destruct(struct vsock_sock *vsk)
{
	struct xv_sock *xs;

	if (!vsk->trans)
		return;
	xs = xv_sock_of(vsk);
	spin_lock_bh(&socks_lock);
	list_del_init(&xs->all);
	hash_del(&xs->by_sk);
	spin_unlock_bh(&socks_lock);
	virtio_transport_destruct(vsk);
	xv_sock_put(xs);
}

void xv_sock_begin(struct xv_sock *xs)
{
	WRITE_ONCE(xs->dead, false);
	WRITE_ONCE(xs->drained, false);
	xs->answers = false;
	xs->asked = false;
	xs->wanted = 0;
	xs->late = false;
	xs->part = 0;
}

bool xv_sock_is_stale(struct xv_sock *xs, const struct virtio_vsock_hdr *hdr)
{
	struct vsock_sock *vsk = vsock_sk(xs->sk);
	struct sockaddr_vm peer, local;
	struct sock *other;

	if (READ_ONCE(xs->dead) ||
	    (sock_flag(xs->sk, SOCK_DONE) && !READ_ONCE(xs->drained)))
		return true;
	/* What is in the table is what the table would find. */
	if (!list_empty(&vsk->connected_table) ||
	    le16_to_cpu(hdr->op) == VIRTIO_VSOCK_OP_REQUEST)
		return false;
	vsock_addr_init(&peer, le64_to_cpu(hdr->dst_cid),
			le32_to_cpu(hdr->dst_port));
	vsock_addr_init(&local, le64_to_cpu(hdr->src_cid),
			le32_to_cpu(hdr->src_port));
	other = vsock_find_connected_socket(&peer, &local);
	if (!other)
		return false;
	sock_put(other);
	return other != xs->sk;
}

/*
 * Of SOCK_SEQPACKET it is read behind the messages (message.c): with some still
 * to be read, Linux would say the error in place of one, and lose that.
 */
static void tell_error(struct sock *sk)
{
	if (sk->sk_type == SOCK_SEQPACKET) {
		xv_sock_of(vsock_sk(sk))->late = true;
		if (virtio_transport_seqpacket_has_data(vsock_sk(sk)))
			return;
	}
	sk->sk_err = ECONNRESET;
	sk_error_report(sk);
}

/* What has come of a message whose end will not: nobody is to see it. */
static void drop_part(struct sock *sk)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsock_sk(sk));
	struct sk_buff *skb;

	if (sk->sk_type != SOCK_SEQPACKET)
		return;
	spin_lock_bh(&vvs->rx_lock);
	while ((skb = skb_peek_tail(&vvs->rx_queue))) {
		struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);

		if (le32_to_cpu(hdr->flags) & VIRTIO_VSOCK_SEQ_EOM)
			break;
		__skb_unlink(skb, &vvs->rx_queue);
		vvs->rx_bytes -= le32_to_cpu(hdr->len);
		kfree_skb(skb);
	}
	spin_unlock_bh(&vvs->rx_lock);
}

void xv_sock_break_off(struct sock *sk)
{
	struct vsock_sock *vsk = vsock_sk(sk);

	WRITE_ONCE(xv_sock_of(vsk)->dead, true);
	/* The state stays: what has come can be read, and then every call says
	 * ECONNRESET, not ENOTCONN, EPIPE or nothing at all.  Who has taken
	 * the error with SO_ERROR reads an end.
	 */
	sock_set_flag(sk, SOCK_DONE);
	vsk->peer_shutdown |= SEND_SHUTDOWN;
	vsock_remove_sock(vsk);
	drop_part(sk);
	tell_error(sk);
	sk->sk_state_change(sk);
}

/* With the socket's lock held. */
static void reset(struct sock *sk)
{
	struct vsock_sock *vsk = vsock_sk(sk);

	switch (sk->sk_state) {
	case TCP_SYN_SENT:
		sk->sk_state = TCP_CLOSE;
		tell_error(sk);
		sk->sk_state_change(sk);
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSING:
		/* One that its program has closed ends by its timer. */
		if (vsk->close_work_scheduled || sock_flag(sk, SOCK_DONE))
			WRITE_ONCE(xv_sock_of(vsk)->dead, true);
		else
			xv_sock_break_off(sk);
		break;
	}
}

/* ---- the end of a connection ---- */

/* What a program has sent and nobody will read: SO_ERROR tells of it. */
static void tell_of_loss(struct sock *sk, u32 fwd_cnt)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsock_sk(sk));
	bool lost;

	spin_lock_bh(&vvs->tx_lock);
	lost = vvs->tx_cnt != fwd_cnt;
	spin_unlock_bh(&vvs->tx_lock);
	if (lost)
		tell_error(sk);
}

static bool take_end(struct sock *sk, const struct vsockif_hdr *hdr)
{
	struct vsock_sock *vsk = vsock_sk(sk);
	u32 shut = vsk->peer_shutdown;

	/* One that its program has closed is Linux's alone. */
	if (hdr->type != xv_sock_type(sk) ||
	    sk->sk_state != TCP_ESTABLISHED || sock_flag(sk, SOCK_DONE) ||
	    vsk->close_work_scheduled)
		return false;
	/* Linux makes an end of every RST, as if the peer had sent all that it
	 * had to send.  It has if it said so, or if nobody here reads.
	 */
	if (hdr->op == VSOCKIF_OP_RST && !(shut & SEND_SHUTDOWN) &&
	    !(sk->sk_shutdown & RCV_SHUTDOWN)) {
		reset(sk);
		return true;
	}
	if (hdr->op == VSOCKIF_OP_RST || hdr->flags & VSOCKIF_SHUTDOWN_SEND)
		drop_part(sk);
	/* Before Linux wakes anybody. */
	if (hdr->op == VSOCKIF_OP_RST ||
	    (shut | hdr->flags) == SHUTDOWN_MASK)
		tell_of_loss(sk, hdr->fwd_cnt);
	return false;
}

static struct sock *find_connected(const struct vsockif_hdr *hdr)
{
	struct sockaddr_vm peer, local;

	vsock_addr_init(&peer, hdr->src_cid, hdr->src_port);
	vsock_addr_init(&local, hdr->dst_cid, hdr->dst_port);
	return vsock_find_connected_socket(&peer, &local);
}

/* Of ours, or NULL: it has no transport, or another.  With socks_lock held. */
static struct xv_sock *find_ours(struct sock *sk)
{
	struct xv_sock *xs;

	hash_for_each_possible(by_sk, xs, by_sk, (unsigned long)sk) {
		if (xs->sk == sk)
			return xs;
	}
	return NULL;
}

/* One that has no transport is a listener, or bound alone. */
static struct xv_user *user_of(struct sock *sk)
{
	struct xv_user *user;
	struct xv_sock *xs;

	spin_lock_bh(&socks_lock);
	xs = find_ours(sk);
	user = xs ? xs->user : NULL;
	spin_unlock_bh(&socks_lock);
	return user ? user : xv_user_of(sk->sk_uid);
}

void xv_sock_lose(const struct vsockif_hdr *hdr)
{
	struct sock *sk = find_connected(hdr);
	struct xv_user *user = NULL;
	struct xv_sock *xs;

	if (!sk)
		return;
	spin_lock_bh(&socks_lock);
	xs = find_ours(sk);
	if (xs) {
		WRITE_ONCE(xs->dead, true);
		user = xs->user;
	}
	spin_unlock_bh(&socks_lock);
	if (user)
		xv_user_has_lost(user);
	sock_put(sk);
}

struct xv_user *xv_sock_user(const struct vsockif_hdr *hdr)
{
	struct sock *sk = find_connected(hdr);
	struct sockaddr_vm local;
	struct xv_user *user;

	if (!sk) {
		vsock_addr_init(&local, hdr->dst_cid, hdr->dst_port);
		sk = vsock_find_bound_socket(&local);
	}
	if (!sk)
		return NULL;
	user = user_of(sk);
	sock_put(sk);
	return user;
}

struct sock *xv_sock_find(const struct vsockif_hdr *hdr)
{
	struct sock *sk = find_connected(hdr);

	if (!sk)
		return NULL;
	lock_sock(sk);
	if (vsock_sk(sk)->transport == &xv_transport->transport)
		return sk;
	xv_sock_let_go(sk);
	return NULL;
}

void xv_sock_let_go(struct sock *sk)
{
	release_sock(sk);
	sock_put(sk);
}

bool xv_sock_take_end(const struct vsockif_hdr *hdr)
{
	struct sock *sk = xv_sock_find(hdr);
	bool taken;

	if (!sk)
		return false;
	taken = take_end(sk, hdr);
	xv_sock_let_go(sk);
	return taken;
}

void xv_sock_is_asked(const struct vsockif_hdr *hdr)
{
	struct sock *sk = xv_sock_find(hdr);

	if (!sk)
		return;
	xv_sock_of(vsock_sk(sk))->answers = true;
	xv_sock_let_go(sk);
}

void xv_sock_read(struct vsock_sock *vsk)
{
	struct xv_sock *xs = xv_sock_of(vsk);
	struct sock *sk = xs->sk;

	if (xs->dead || vsk->peer_shutdown != SHUTDOWN_MASK ||
	    sk->sk_state != TCP_ESTABLISHED || virtio_transport_stream_has_data(vsk))
		return;
	/* What it still owes to tell is told. */
	if (!sock_flag(sk, SOCK_DONE))
		WRITE_ONCE(xs->drained, true);
	sock_set_flag(sk, SOCK_DONE);
	sk->sk_state = TCP_CLOSING;
	sk->sk_state_change(sk);
}

/* ---- all sockets ---- */

/* Any socket of the user's that has not been seen, with a reference. */
static struct sock *next_sock(struct list_head *socks, struct list_head *seen)
{
	struct xv_sock *xs;
	struct sock *sk = NULL;

	spin_lock_bh(&socks_lock);
	while (!sk && !list_empty(socks)) {
		xs = list_first_entry(socks, struct xv_sock, all);
		list_move_tail(&xs->all, seen);
		/* Nobody's any more: its end is under way. */
		if (refcount_inc_not_zero(&xs->sk->sk_refcnt))
			sk = xs->sk;
	}
	spin_unlock_bh(&socks_lock);
	return sk;
}

void xv_sock_reset_dead(struct xv_user *user)
{
	LIST_HEAD(seen);
	struct sock *sk;

	while ((sk = next_sock(&user->socks, &seen))) {
		struct vsock_sock *vsk = vsock_sk(sk);

		lock_sock(sk);
		/* One that lives has been connected since. */
		if (vsk->transport == &xv_transport->transport &&
		    xv_sock_of(vsk)->dead)
			reset(sk);
		release_sock(sk);
		sock_put(sk);
	}
	spin_lock_bh(&socks_lock);
	list_splice_tail(&seen, &user->socks);
	spin_unlock_bh(&socks_lock);
}

void xv_sock_reset_all(void)
{
	struct xv_sock *xs;
	int bucket;

	spin_lock_bh(&socks_lock);
	hash_for_each(by_sk, bucket, xs, by_sk)
		WRITE_ONCE(xs->dead, true);
	spin_unlock_bh(&socks_lock);
	xv_users_each(xv_user_begin_anew);
}

void xv_sock_cut(const struct vsockif_hdr *hdr)
{
	struct sock *sk = xv_sock_find(hdr);

	if (!sk)
		return;
	reset(sk);
	xv_sock_let_go(sk);
}
