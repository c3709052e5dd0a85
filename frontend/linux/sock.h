/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * sock.h: what this driver knows of a socket, beside what Linux does.
 *
 * It lives as long as the socket has this transport, and as long as a packet of
 * the socket waits for room; so it is counted.  What a member's lock is, its
 * line says.
 */
#ifndef XV_SOCK_H
#define XV_SOCK_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/virtio_vsock.h>
#include <net/sock.h>

#include "user.h"
#include "vsockif.h"

struct xv_sock {
	refcount_t refs;
	struct sock *sk;
	struct xv_user *user;		/* whose packets its are, all its life */
	struct list_head all;		/* socks_lock: in user->socks */
	struct hlist_node by_sk;	/* likewise */

	/* its connection was cut, by the peer or with the device: nothing of
	 * it leaves.  Written under the socket's lock, but when the device
	 * goes, or a packet is dropped
	 */
	bool dead;

	/* the socket's lock */
	bool drained;			/* xv_sock_read() has ended it */
	bool answers;			/* the peer has asked for credit */

	/* likewise: for which state of the connection we have asked */
	bool asked;
	u32 asked_tx_cnt;
	u32 asked_fwd_cnt;

	/* likewise, of SOCK_SEQPACKET */
	u32 wanted;			/* bytes of a message that is to leave */
	int refused;			/* why one will not */
	bool late;			/* ECONNRESET is to be read behind the last */
	u32 part;			/* bytes that came of one without its end */

	/* tx.lock */
	u32 queued;			/* packets that wait for room */
	u32 told_fwd_cnt;		/* the credit that has left last */
	u32 told_buf_alloc;
	struct list_head owing;		/* a CREDIT_UPDATE; holds sk */
	struct virtio_vsock_hdr update;	/* that one */
	bool urgent;			/* and it must not linger */
	struct list_head waiting;	/* a writer, for room; holds sk */
};

/* Calls of struct vsock_transport. */
int xv_sock_init(struct vsock_sock *vsk, struct vsock_sock *psk);
void xv_sock_destruct(struct vsock_sock *vsk);

/* In a call of the transport, or with a packet that the socket sends: with its
 * lock held.
 */
struct xv_sock *xv_sock_of(struct vsock_sock *vsk);
struct virtio_vsock_sock *xv_sock_virtio(struct vsock_sock *vsk);

/* On the wire. */
static inline u16 xv_sock_type(const struct sock *sk)
{
	return sk->sk_type == SOCK_SEQPACKET ? VSOCKIF_TYPE_SEQPACKET :
					       VSOCKIF_TYPE_STREAM;
}

static inline struct xv_sock *xv_sock_get(struct xv_sock *xs)
{
	refcount_inc(&xs->refs);
	return xs;
}

void xv_sock_put(struct xv_sock *xs);

/* A connection begins: nothing of an earlier one counts. */
void xv_sock_begin(struct xv_sock *xs);

/*
 * What Linux would send and must not leave: of a connection that is over, or
 * whose pair of addresses is another socket's by now.
 */
bool xv_sock_is_stale(struct xv_sock *xs, const struct virtio_vsock_hdr *hdr);

/*
 * Whose packet this is that has come: the same for all of a connection.  NULL if
 * it is for no socket.  Takes no socket's lock.
 */
struct xv_user *xv_sock_user(const struct vsockif_hdr *hdr);

/* A packet was dropped that has come: the connection is not what it was.  Takes
 * no socket's lock, either.
 */
void xv_sock_lose(const struct vsockif_hdr *hdr);

/*
 * The socket of ours, if there is one, whose connection a packet from the
 * backend is of: with its lock held.
 */
struct sock *xv_sock_find(const struct vsockif_hdr *hdr);
void xv_sock_let_go(struct sock *sk);

/*
 * Nothing comes any more, and nothing leaves: what has come is read, and then
 * ECONNRESET.  With the lock held of a socket that was connected.
 */
void xv_sock_break_off(struct sock *sk);

/*
 * An RST or a SHUTDOWN has come.  True: it is a reset, and Linux is not to see
 * it.  If it is an end, and not all that was sent was read, SO_ERROR says so.
 */
bool xv_sock_take_end(const struct vsockif_hdr *hdr);
/*
 * A program has read from it, with its lock held.  If the peer has ended both
 * directions and this was the last byte, the connection is over.  Linux sees
 * that only if nothing waits when the peer says so.
 */
void xv_sock_read(struct vsock_sock *vsk);

/* A CREDIT_REQUEST has come: the next update is the answer. */
void xv_sock_is_asked(const struct vsockif_hdr *hdr);

/*
 * The device went away: every connection ends with ECONNRESET, listeners stay.
 * On return nothing of any connection leaves; what waits for a socket's lock is
 * done by each user's work, which calls the second.
 */
void xv_sock_reset_all(void);
void xv_sock_reset_dead(struct xv_user *user);

/* A packet that came before the device went was handed on after. */
void xv_sock_cut(const struct vsockif_hdr *hdr);

#endif
