// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * tx.c: see tx.h.
 *
 * The last reference on a socket may go under tx.lock: the end of a socket
 * sends nothing (its release has done so) and does not take that lock.
 */
#include <linux/bitmap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <uapi/linux/vsockmon.h>
#include <xen/events.h>

#include "device.h"
#include "sock.h"
#include "tx.h"
#include "versions.h"

/* How long an update may linger that is not due. */
#define LINGER	(HZ / 80)

#define NO_ID	U32_MAX

/* Ours in skb->cb, behind what Linux's common code has there. */
struct cb {
	struct virtio_vsock_skb_cb virtio;
	struct xv_sock *xs;		/* while it waits in the queue */
	u8 reason;			/* of an RST; else 0, as it was made */
};

static struct cb *cb_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct cb) > sizeof(skb->cb));
	return (struct cb *)skb->cb;
}

void xv_tx_give_reason(struct sk_buff *skb, enum vsockif_reason why)
{
	cb_of(skb)->reason = why;
}

static u16 op_of(const struct virtio_vsock_hdr *hdr)
{
	return le16_to_cpu(hdr->op);
}

/* ---- the ring and its pool ---- */

static void release(struct xv_tx *tx, u32 id)
{
	struct xv_flight *flight = &tx->flight[id];

	flight->flying = false;
	bitmap_clear(tx->used, flight->first, flight->count);
	tx->free_id[tx->free_ids++] = id;
}

/* What the backend has answered is free again. */
static void reap(struct xv_device *dev)
{
	struct xv_tx *tx = dev->tx;
	struct vsockif_slot slot;
	u32 claim;
	int n, i;

	n = xv_ring_pending(&tx->ring, &claim);
	if (n < 0)
		xv_bad(dev, "tx ring: an index of responses that cannot be", claim);
	for (i = 0; i < n; i++) {
		struct xv_flight *flight;

		xv_ring_get(&tx->ring, i, &slot);
		flight = &tx->flight[slot.id & tx->ring.mask];
		if (slot.id > tx->ring.mask || !flight->flying) {
			xv_bad(dev, "tx ring: a response for an id that is not in flight",
			       slot.id);
			return;
		}
		release(tx, slot.id);
	}
	if (n > 0)
		xv_ring_take(&tx->ring, n);
}

/* An id, and room for @len bytes at *@off; NO_ID if there is none. */
static u32 reserve(struct xv_tx *tx, u32 len, u32 *off)
{
	u32 count = DIV_ROUND_UP(len, XV_GRANULE), id;
	unsigned long first = 0;

	/* The last slots are for what has no data (section 9). */
	if (tx->free_ids <= (len ? VSOCKIF_CONTROL_SLOTS : 0))
		return NO_ID;
	if (len) {
		first = bitmap_find_next_zero_area(tx->used, tx->granules, 0,
						   count, 0);
		if (first >= tx->granules)
			return NO_ID;
		bitmap_set(tx->used, first, count);
	}
	id = tx->free_id[--tx->free_ids];
	tx->flight[id].first = first;
	tx->flight[id].count = count;
	tx->flight[id].flying = true;
	*off = first * XV_GRANULE;
	return id;
}

static void put(struct xv_device *dev, const struct virtio_vsock_hdr *hdr,
		u32 id, u32 off, u32 len, u8 reason)
{
	struct vsockif_slot slot = {
		.id = id, .off = off, .size = len, .reason = reason
	};

	BUILD_BUG_ON(sizeof(slot.hdr) != sizeof(*hdr));
	memcpy(&slot.hdr, hdr, sizeof(slot.hdr));
	xv_ring_put(&dev->tx->ring, &slot);
	xv_count(dev, XV_TX_PACKETS);
	xv_count_add(dev, XV_TX_BYTES, len);
}

static void publish(struct xv_device *dev)
{
	if (!xv_ring_publish(&dev->tx->ring))
		return;
	xv_count(dev, XV_NOTIFICATIONS);
	notify_remote_via_irq(dev->share.irq);
}

/* ---- what sockets owe ---- */

/* True: it owed one, and does not any more. */
static bool pay(struct xv_sock *xs)
{
	if (list_empty(&xs->owing))
		return false;
	list_del_init(&xs->owing);
	xs->urgent = false;
	sock_put(xs->sk);
	return true;
}

/* The credit in @hdr has left. */
static void told(struct xv_sock *xs, const struct virtio_vsock_hdr *hdr)
{
	xs->told_fwd_cnt = le32_to_cpu(hdr->fwd_cnt);
	xs->told_buf_alloc = le32_to_cpu(hdr->buf_alloc);
}

/* Of a message, whose rest may need what has become free (section 10). */
static bool has_only_part(struct sock *sk)
{
	struct vsock_sock *vsk = vsock_sk(sk);

	return sk->sk_type == SOCK_SEQPACKET &&
	       !virtio_transport_seqpacket_has_data(vsk) &&
	       virtio_transport_stream_has_data(vsk) > 0;
}

/*
 * Section 8: an update is due when half of the buffer has become free.  When
 * the peer has sent all that it will, it waits to hear that it was consumed;
 * when it has asked, for the answer.
 */
static bool is_due(struct xv_sock *xs, const struct virtio_vsock_hdr *hdr)
{
	u32 news = le32_to_cpu(hdr->fwd_cnt) - xs->told_fwd_cnt;
	u32 buf_alloc = le32_to_cpu(hdr->buf_alloc);

	return news >= buf_alloc / 2 || buf_alloc != xs->told_buf_alloc ||
	       vsock_sk(xs->sk)->peer_shutdown || xs->answers ||
	       has_only_part(xs->sk);
}

static void owe(struct xv_device *dev, struct xv_sock *xs,
		const struct virtio_vsock_hdr *hdr)
{
	xs->update = *hdr;
	if (list_empty(&xs->owing)) {
		sock_hold(xs->sk);
		list_add_tail(&xs->owing, &dev->tx->owing);
	} else {
		xv_count(dev, XV_MERGED);
	}
}

/* Updates that may leave now; those that @linger, not yet. */
static void pay_all(struct xv_device *dev, bool linger)
{
	struct xv_tx *tx = dev->tx;
	struct xv_sock *xs, *next;

	list_for_each_entry_safe(xs, next, &tx->owing, owing) {
		u32 id, off;

		if (xv_sock_is_stale(xs, &xs->update)) {
			xv_count(dev, XV_STALE);
			pay(xs);
			continue;
		}
		/* Its packets that wait carry older credit, and leave first. */
		if (xs->queued || (linger && !xs->urgent))
			continue;
		id = reserve(tx, 0, &off);
		if (id == NO_ID)
			return;
		put(dev, &xs->update, id, off, 0, 0);
		told(xs, &xs->update);
		xv_count(dev, XV_CREDIT_UPDATES);
		pay(xs);
	}
}

/* ---- the queue ---- */

/* Tells the tap, once. */
static void tap(struct sk_buff *skb)
{
	virtio_transport_deliver_tap_pkt(skb);
}

static bool put_skb(struct xv_device *dev, struct xv_sock *xs,
		    struct sk_buff *skb)
{
	struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	struct xv_tx *tx = dev->tx;
	u32 id, off;

	id = reserve(tx, skb->len, &off);
	if (id == NO_ID)
		return false;
	/* The pool is shared read-only: what is in it is what we have put. */
	if (skb->len && skb_copy_bits(skb, 0, tx->pool + off, skb->len))
		memset(tx->pool + off, 0, skb->len);
	put(dev, hdr, id, off, skb->len, cb_of(skb)->reason);
	if (xs)
		told(xs, hdr);
	return true;
}

static void enqueue(struct xv_device *dev, struct xv_sock *xs,
		    struct sk_buff *skb)
{
	cb_of(skb)->xs = xs ? xv_sock_get(xs) : NULL;
	if (xs)
		xs->queued++;
	else
		dev->tx->strays++;
	__skb_queue_tail(&dev->tx->queue, skb);
	xv_count(dev, XV_QUEUED);
}

/* @skb is out of the queue. */
static void dequeued(struct xv_device *dev, struct sk_buff *skb)
{
	struct xv_sock *xs = cb_of(skb)->xs;

	if (xs) {
		xs->queued--;
		xv_sock_put(xs);
	} else {
		dev->tx->strays--;
	}
	consume_skb(skb);
}

static void wake_writers(struct xv_tx *tx)
{
	struct xv_sock *xs, *next;

	list_for_each_entry_safe(xs, next, &tx->waiting, waiting) {
		list_del_init(&xs->waiting);
		xs->sk->sk_write_space(xs->sk);
		sock_put(xs->sk);
	}
}

/* Sends what can be; what stays behind has a notification asked for. */
static void turn(struct xv_device *dev, bool linger)
{
	struct xv_tx *tx = dev->tx;
	struct sk_buff *skb;

	do {
		reap(dev);
		while ((skb = skb_peek(&tx->queue))) {
			if (!put_skb(dev, cb_of(skb)->xs, skb))
				break;
			__skb_unlink(skb, &tx->queue);
			dequeued(dev, skb);
		}
		pay_all(dev, linger);
		publish(dev);
		WRITE_ONCE(tx->stuck, skb || !tx->free_ids);
	} while (tx->stuck && !xv_is_bad(dev) && !xv_ring_arm(&tx->ring));
	if (skb_queue_empty(&tx->queue))
		wake_writers(tx);
}

void xv_tx_turn(struct xv_device *dev)
{
	mutex_lock(&dev->tx->lock);
	if (dev->tx->open)
		turn(dev, true);
	mutex_unlock(&dev->tx->lock);
}

static void linger_work(struct work_struct *work)
{
	struct xv_tx *tx = container_of(work, struct xv_tx, linger.work);

	mutex_lock(&tx->lock);
	if (tx->open)
		turn(tx->dev, false);
	mutex_unlock(&tx->lock);
}

/* ---- sending ---- */

static void send_update(struct xv_device *dev, struct xv_sock *xs,
			const struct virtio_vsock_hdr *hdr)
{
	struct xv_tx *tx = dev->tx;

	owe(dev, xs, hdr);
	if (is_due(xs, hdr)) {
		xs->answers = false;
		xs->urgent = true;
		turn(dev, true);
	}
	if (!list_empty(&xs->owing))
		queue_delayed_work(xv_wq, &tx->linger, LINGER);
}

static void send_packet(struct xv_device *dev, struct xv_sock *xs,
			struct sk_buff *skb)
{
	struct xv_tx *tx = dev->tx;
	bool may_pass = !skb->len && !(xs && xs->queued);

	if (!xs && tx->strays >= VSOCKIF_MAX_RESETS) {	/* section 9 */
		xv_count(dev, XV_STRAYS);
		kfree_skb(skb);
		return;
	}
	if (xs && pay(xs))		/* its header does */
		xv_count(dev, XV_MERGED);
	if (tx->free_ids < 2 * VSOCKIF_CONTROL_SLOTS)
		reap(dev);
	if ((may_pass || skb_queue_empty(&tx->queue)) &&
	    put_skb(dev, xs, skb)) {
		consume_skb(skb);
		publish(dev);
		return;
	}
	enqueue(dev, xs, skb);
	turn(dev, true);
}

/*
 * Whose connection @skb is of.  An RST for a packet that belongs to none is
 * nobody's, but later versions of 6.12 say in it which socket was found: one
 * that listens, is bound alone, or has another transport.
 */
static struct xv_sock *sender(struct sk_buff *skb)
{
	const struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	struct vsock_sock *vsk;

	if (!skb->sk)
		return NULL;
	vsk = vsock_sk(skb->sk);
	if (vsk->transport != &xv_transport->transport)
		return NULL;
	if (op_of(hdr) == VIRTIO_VSOCK_OP_RST &&
	    (vsk->remote_addr.svm_cid != le64_to_cpu(hdr->dst_cid) ||
	     vsk->remote_addr.svm_port != le32_to_cpu(hdr->dst_port) ||
	     vsk->local_addr.svm_port != le32_to_cpu(hdr->src_port)))
		return NULL;
	return xv_sock_of(vsk);
}

int xv_tx_send(struct xv_device *dev, struct sk_buff *skb)
{
	struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	struct xv_sock *xs = sender(skb);
	int len = skb->len;

	if (xs && xv_sock_is_stale(xs, hdr)) {
		xv_count(dev, XV_STALE);
		kfree_skb(skb);
		return len;
	}
#if XV_HAS_UNSENT
	/* It is ours from here on, and the socket may have another transport
	 * by the time that it leaves.
	 */
	virtio_transport_consume_skb_sent(skb, false);
#endif
	mutex_lock(&dev->tx->lock);
	/* The CID is what the device had when the header was written. */
	if (!dev->tx->open || le64_to_cpu(hdr->src_cid) != dev->cid) {
		mutex_unlock(&dev->tx->lock);
		kfree_skb(skb);
		return -ENODEV;
	}
	tap(skb);
	if (xs && op_of(hdr) == VIRTIO_VSOCK_OP_CREDIT_UPDATE) {
		send_update(dev, xs, hdr);
		consume_skb(skb);
	} else {
		send_packet(dev, xs, skb);
	}
	mutex_unlock(&dev->tx->lock);
	return len;
}

/* ---- sending without an skb ---- */

struct write {
	struct virtio_vsock_hdr hdr;
	const u8 *data;
	u32 len;
};

/* For a tap, if there is one: what Linux's common code makes of an skb. */
static struct sk_buff *show_write(void *arg)
{
	struct af_vsockmon_hdr *mon;
	struct write *w = arg;
	struct sk_buff *skb;

	skb = alloc_skb(sizeof(*mon) + sizeof(w->hdr) + w->len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	mon = skb_put_zero(skb, sizeof(*mon));
	mon->src_cid = w->hdr.src_cid;
	mon->dst_cid = w->hdr.dst_cid;
	mon->src_port = w->hdr.src_port;
	mon->dst_port = w->hdr.dst_port;
	mon->op = cpu_to_le16(AF_VSOCK_OP_PAYLOAD);
	mon->transport = cpu_to_le16(AF_VSOCK_TRANSPORT_VIRTIO);
	mon->len = cpu_to_le16(sizeof(w->hdr));
	skb_put_data(skb, &w->hdr, sizeof(w->hdr));
	skb_put_data(skb, w->data, w->len);
	return skb;
}

static void fill_header(struct xv_device *dev, struct vsock_sock *vsk,
			struct virtio_vsock_hdr *hdr, u32 len)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsk);

	memset(hdr, 0, sizeof(*hdr));
	hdr->type = cpu_to_le16(xv_sock_type(sk_vsock(vsk)));
	hdr->op = cpu_to_le16(VIRTIO_VSOCK_OP_RW);
	hdr->len = cpu_to_le32(len);
	hdr->src_cid = cpu_to_le64(dev->cid);
	hdr->src_port = cpu_to_le32(vsk->local_addr.svm_port);
	hdr->dst_cid = cpu_to_le64(vsk->remote_addr.svm_cid);
	hdr->dst_port = cpu_to_le32(vsk->remote_addr.svm_port);
	spin_lock_bh(&vvs->rx_lock);
	vvs->last_fwd_cnt = vvs->fwd_cnt;
	hdr->fwd_cnt = cpu_to_le32(vvs->fwd_cnt);
	hdr->buf_alloc = cpu_to_le32(vvs->buf_alloc);
	spin_unlock_bh(&vvs->rx_lock);
}

/* As Linux does. */
static void end_message(struct virtio_vsock_hdr *hdr, const struct msghdr *msg)
{
	hdr->flags = cpu_to_le32(VIRTIO_VSOCK_SEQ_EOM);
	if (msg->msg_flags & MSG_EOR)
		hdr->flags |= cpu_to_le32(VIRTIO_VSOCK_SEQ_EOR);
}

/*
 * With page faults off: a page that its owner keeps from coming would keep the
 * lock, and so everybody.  Such data takes the other way.
 */
static bool copy_in(u8 *to, u32 len, struct iov_iter *from)
{
	size_t copied;

	pagefault_disable();
	copied = copy_from_iter(to, len, from);
	pagefault_enable();
	if (copied == len)
		return true;
	iov_iter_revert(from, copied);
	return false;
}

static void has_left(struct virtio_vsock_sock *vvs, u32 len)
{
#if XV_HAS_UNSENT
	spin_lock_bh(&vvs->tx_lock);
	vvs->bytes_unsent -= len;
	spin_unlock_bh(&vvs->tx_lock);
#endif
}

/*
 * Straight from the caller's pages into the pool: how many bytes of @len, or
 * -EAGAIN if it cannot be done so now.
 */
static ssize_t write_data(struct xv_device *dev, struct vsock_sock *vsk,
			  struct msghdr *msg, size_t len)
{
	struct virtio_vsock_sock *vvs = xv_sock_virtio(vsk);
	struct xv_sock *xs = xv_sock_of(vsk);
	struct xv_tx *tx = dev->tx;
	struct write w = {};
	u32 id, off;

	/* What xv_sock_is_stale() would have to look at closely. */
	if (READ_ONCE(xs->dead) || sock_flag(xs->sk, SOCK_DONE) ||
	    list_empty(&vsk->connected_table))
		return -EAGAIN;
	mutex_lock(&tx->lock);
	if (!tx->open || !skb_queue_empty(&tx->queue))
		goto fail;
	if (tx->free_ids < 2 * VSOCKIF_CONTROL_SLOTS)
		reap(dev);
	w.len = min_t(size_t, len, VSOCKIF_MAX_PACKET);
	w.len = virtio_transport_get_credit(vvs, w.len);
	if (!w.len)
		goto fail;
	id = reserve(tx, w.len, &off);
	if (id == NO_ID)
		goto fail_credit;
	if (!copy_in(tx->pool + off, w.len, &msg->msg_iter))
		goto fail_id;
	w.data = tx->pool + off;
	fill_header(dev, vsk, &w.hdr, w.len);
	if (xs->sk->sk_type == SOCK_SEQPACKET && !msg_data_left(msg))
		end_message(&w.hdr, msg);
	vsock_deliver_tap(show_write, &w);
	if (pay(xs))
		xv_count(dev, XV_MERGED);
	put(dev, &w.hdr, id, off, w.len, 0);
	told(xs, &w.hdr);
	publish(dev);
	mutex_unlock(&tx->lock);
	has_left(vvs, w.len);
	return w.len;

fail_id:
	release(tx, id);
fail_credit:
	virtio_transport_put_credit(vvs, w.len);
fail:
	mutex_unlock(&tx->lock);
	return -EAGAIN;
}

ssize_t xv_tx_data(struct vsock_sock *vsk, struct msghdr *msg, size_t len)
{
	ssize_t sent = -EAGAIN;
	struct xv_device *dev;
	int key;

	dev = xv_carrier_get(&key);
	if (dev)
		sent = write_data(dev, vsk, msg, len);
	xv_carrier_put(key);
	if (sent == -EAGAIN)
		sent = virtio_transport_stream_enqueue(vsk, msg, len);
	return sent;
}

void xv_tx_cancel(struct xv_device *dev, struct vsock_sock *vsk)
{
	struct xv_tx *tx = dev->tx;
	struct sk_buff *skb, *next;

	mutex_lock(&tx->lock);
	skb_queue_walk_safe(&tx->queue, skb, next) {
		if (skb->sk != sk_vsock(vsk))
			continue;
		__skb_unlink(skb, &tx->queue);
		dequeued(dev, skb);
	}
	mutex_unlock(&tx->lock);
}

bool xv_tx_may_send(struct xv_device *dev, struct vsock_sock *vsk)
{
	struct xv_sock *xs = xv_sock_of(vsk);
	struct xv_tx *tx = dev->tx;
	bool may = true;

	if (skb_queue_empty_lockless(&tx->queue))
		return true;
	mutex_lock(&tx->lock);
	if (tx->open && !skb_queue_empty(&tx->queue)) {
		may = false;
		if (list_empty(&xs->waiting)) {
			sock_hold(xs->sk);
			list_add_tail(&xs->waiting, &tx->waiting);
		}
	}
	mutex_unlock(&tx->lock);
	return may;
}

/* ---- life ---- */

void xv_tx_init(struct xv_tx *tx, struct xv_device *dev)
{
	dev->tx = tx;
	tx->dev = dev;
	mutex_init(&tx->lock);
	__skb_queue_head_init(&tx->queue);
	INIT_LIST_HEAD(&tx->owing);
	INIT_LIST_HEAD(&tx->waiting);
	INIT_DELAYED_WORK(&tx->linger, linger_work);
}

void xv_tx_open(struct xv_device *dev)
{
	struct xv_share *share = &dev->share;
	struct xv_tx *tx = dev->tx;

	mutex_lock(&tx->lock);
	xv_ring_init(&tx->ring, share->group[XV_TX_RING].at, share->ring_pages);
	tx->pool = share->group[XV_TX_POOL].at;
	tx->granules = share->pool_pages * (VSOCKIF_PAGE_SIZE / XV_GRANULE);
	bitmap_zero(tx->used, XV_MAX_GRANULES);
	memset(tx->flight, 0, sizeof(tx->flight));
	for (tx->free_ids = 0; tx->free_ids < xv_ring_slots(&tx->ring);
	     tx->free_ids++)
		tx->free_id[tx->free_ids] = tx->ring.mask - tx->free_ids;
	tx->stuck = false;
	tx->open = true;
	mutex_unlock(&tx->lock);
}

void xv_tx_close(struct xv_device *dev)
{
	struct xv_tx *tx = dev->tx;
	struct xv_sock *xs, *next;
	struct sk_buff *skb;

	mutex_lock(&tx->lock);
	tx->open = false;
	while ((skb = __skb_dequeue(&tx->queue)))
		dequeued(dev, skb);
	list_for_each_entry_safe(xs, next, &tx->owing, owing)
		pay(xs);
	wake_writers(tx);
	mutex_unlock(&tx->lock);
	cancel_delayed_work_sync(&tx->linger);
}
