// SPDX-License-Identifier: GPL-2.0 OR MIT
/* rx.c: see rx.h. */
#include <linux/interrupt.h>
#include <linux/virtio_vsock.h>
#include <xen/events.h>

#include "device.h"
#include "hand.h"
#include "rx.h"
#include "tx.h"

#define BATCH		16		/* packets between two publications */
#define PIECES		(VSOCKIF_MAX_PACKET / VSOCKIF_PAGE_SIZE)
#define MEMORY_RETRY	(HZ / 50)
#define LIVE_CHECK	(HZ / 10)	/* life.h: the byte may come later */

/* Linux counts a packet as consumed when all of it is, and takes it in one
 * piece of memory: so its pieces are of moderate size.
 */
#define MOST		(SKB_WITH_OVERHEAD(16384) - VIRTIO_VSOCK_SKB_HEADROOM)

enum {
	XV_RX_STARTED,
	XV_RX_OWES_EOI,
	XV_RX_GOES_ON,			/* the work, where it was */
};

/* The buffers of one packet, in order. */
struct pieces {
	u32 count;
	u16 id[PIECES];
};

static void post(struct xv_rx *rx, u32 id)
{
	struct vsockif_slot slot = {
		.id = id,
		.off = id * VSOCKIF_PAGE_SIZE,
		.size = VSOCKIF_PAGE_SIZE,
	};

	__set_bit(id, rx->posted);
	rx->posted_at[id] = rx->ring.out;
	xv_ring_put(&rx->ring, &slot);
}

/* In flight, from its publication to its answer: which ends it. */
static bool take_posted(struct xv_rx *rx, u32 id)
{
	return id < rx->buffers &&
	       (s32)(rx->ring.published - rx->posted_at[id]) > 0 &&
	       __test_and_clear_bit(id, rx->posted);
}

static void publish(struct xv_device *dev)
{
	if (!xv_ring_publish(&dev->rx->ring))
		return;
	xv_count(dev, XV_NOTIFICATIONS);
	notify_remote_via_irq(dev->share.irq);
}

/* ---- judging ---- */

static bool flags_fit(const struct vsockif_hdr *hdr)
{
	if (hdr->op == VSOCKIF_OP_SHUTDOWN)
		return hdr->flags >= 1 &&
		       hdr->flags <= (VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND);
	if (hdr->op == VSOCKIF_OP_RW && hdr->type == VSOCKIF_TYPE_SEQPACKET)
		return hdr->flags <= (VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR) &&
		       hdr->flags != VSOCKIF_SEQ_EOR;
	return !hdr->flags;
}

/* Section 7.  What does not fit the state of a connection Linux answers. */
static int judge_header(struct xv_device *dev, const struct vsockif_hdr *hdr)
{
	bool has_data = hdr->op == VSOCKIF_OP_RW;

	if (hdr->type != VSOCKIF_TYPE_STREAM &&
	    (hdr->type != VSOCKIF_TYPE_SEQPACKET || !dev->seqpacket))
		return xv_bad(dev, "rx: a packet of a type that there is not",
			      hdr->type);
	if (hdr->op < VSOCKIF_OP_REQUEST || hdr->op > VSOCKIF_OP_CREDIT_REQUEST)
		return xv_bad(dev, "rx: a packet with an op that there is not",
			      hdr->op);
	if (hdr->len > VSOCKIF_MAX_PACKET || has_data != !!hdr->len)
		return xv_bad(dev, "rx: a packet with a length that its op has not",
			      hdr->len);
	if (!flags_fit(hdr))
		return xv_bad(dev, "rx: a packet with flags that its op has not",
			      hdr->flags);
	if (hdr->dst_cid != dev->cid)
		return xv_bad(dev, "rx: a packet for another CID", hdr->dst_cid);
	if (hdr->src_cid > VSOCKIF_CID_LAST || hdr->src_cid == VSOCKIF_CID_LOCAL)
		return xv_bad(dev, "rx: a packet from a CID that cannot be its sender's",
			      hdr->src_cid);
	return 0;
}

/* Section 6: the buffers of the packet that begins with @slot.  @waiting: the
 * responses that there are.
 */
static int judge_pieces(struct xv_device *dev, struct vsockif_slot *slot,
			int waiting, struct pieces *pieces)
{
	u32 left = slot->hdr.len, i;
	struct xv_rx *rx = dev->rx;

	pieces->count = slot->count;
	if (pieces->count != max_t(u32, 1, DIV_ROUND_UP(left, VSOCKIF_PAGE_SIZE)) ||
	    pieces->count > waiting)
		return xv_bad(dev, "rx: a packet with a wrong count of buffers",
			      pieces->count);
	for (i = 0; i < pieces->count; i++) {
		if (i) {
			xv_ring_get(&rx->ring, i, slot);
			if (slot->count)
				return xv_bad(dev, "rx: a packet begins within another",
					      slot->count);
		}
		if (!take_posted(rx, slot->id))
			return xv_bad(dev, "rx: a response for an id that was not posted",
				      slot->id);
		if (slot->size != min_t(u32, left, VSOCKIF_PAGE_SIZE))
			return xv_bad(dev, "rx: a buffer with a wrong size",
				      slot->size);
		pieces->id[i] = slot->id;
		left -= slot->size;
	}
	return 0;
}

/* ---- copying out ---- */

static void copy_out(const struct xv_rx *rx, const struct pieces *pieces,
		     u32 from, u8 *to, u32 len)
{
	while (len) {
		u32 at = from % VSOCKIF_PAGE_SIZE;
		u32 n = min_t(u32, len, VSOCKIF_PAGE_SIZE - at);

		memcpy(to, rx->pool + at + VSOCKIF_PAGE_SIZE *
		       pieces->id[from / VSOCKIF_PAGE_SIZE], n);
		from += n;
		to += n;
		len -= n;
	}
}

/* The packet in one skb or several; none on -ENOMEM. */
static int make_skbs(const struct xv_rx *rx, const struct vsockif_hdr *from,
		     const struct pieces *pieces, struct sk_buff_head *skbs)
{
	u32 at = 0;

	do {
		u32 len = min_t(u32, from->len - at, MOST);
		struct virtio_vsock_hdr *hdr;
		struct sk_buff *skb;

		skb = virtio_vsock_alloc_skb(VIRTIO_VSOCK_SKB_HEADROOM + len,
					     GFP_KERNEL | __GFP_NOWARN);
		if (!skb) {
			__skb_queue_purge(skbs);
			return -ENOMEM;
		}
		hdr = virtio_vsock_hdr(skb);
		BUILD_BUG_ON(sizeof(*hdr) != sizeof(*from));
		memcpy(hdr, from, sizeof(*hdr));
		hdr->len = cpu_to_le32(len);
		if (at + len < from->len)
			hdr->flags = 0;	/* the last has the message's end */
		if (len)
			copy_out(rx, pieces, at, skb_put(skb, len), len);
		__skb_queue_tail(skbs, skb);
		at += len;
	} while (at < from->len);
	return 0;
}

/* One packet: 1, 0 if there is none, or a negative errno. */
static int receive_one(struct xv_device *dev)
{
	struct xv_rx *rx = dev->rx;
	struct sk_buff_head skbs;
	struct vsockif_slot slot;
	struct pieces pieces;
	struct vsockif_hdr hdr;
	u32 claim, i;
	int n, err;

	n = xv_ring_pending(&rx->ring, &claim);
	if (n < 0)
		return xv_bad(dev, "rx ring: an index of responses that cannot be",
			      claim);
	if (!n)
		return 0;
	xv_ring_get(&rx->ring, 0, &slot);
	hdr = slot.hdr;
	err = judge_header(dev, &hdr);
	if (!err)
		err = judge_pieces(dev, &slot, n, &pieces);
	if (err)
		return err;
	__skb_queue_head_init(&skbs);
	err = make_skbs(rx, &hdr, &pieces, &skbs);
	if (err) {			/* it stays in the ring */
		for (i = 0; i < pieces.count; i++)
			__set_bit(pieces.id[i], rx->posted);
		return err;
	}
	xv_ring_take(&rx->ring, pieces.count);
	for (i = 0; i < pieces.count; i++)
		post(rx, pieces.id[i]);
	xv_count(dev, XV_RX_PACKETS);
	xv_count_add(dev, XV_RX_BYTES, hdr.len);
	xv_hand(dev, &hdr, &skbs);
	return 1;
}

/* ---- the work ---- */

static void open_channel(struct xv_device *dev, bool spurious)
{
	int irq = READ_ONCE(dev->share.irq);

	if (test_and_clear_bit(XV_RX_OWES_EOI, &dev->rx->flags) && irq > 0)
		xen_irq_lateeoi(irq,
				spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
}

static void receive_work(struct work_struct *work)
{
	struct xv_rx *rx = container_of(work, struct xv_rx, work);
	struct xv_device *dev = rx->dev;
	bool stuck = xv_tx_is_stuck(dev->tx);
	unsigned int handled = 0;
	int got;

	if (test_and_clear_bit(XV_RX_GOES_ON, &rx->flags))
		handled = BATCH;
	if (!test_bit(XV_RX_STARTED, &rx->flags)) {
		open_channel(dev, false);
		return;
	}
	if (stuck)
		xv_tx_turn(dev);
	do {
		while ((got = receive_one(dev)) > 0) {
			if (++handled % BATCH)
				continue;
			publish(dev);
			/* Those whose packets these are have their turn. */
			set_bit(XV_RX_GOES_ON, &rx->flags);
			queue_work(xv_wq, &rx->work);
			return;
		}
		publish(dev);
	} while (!got && !xv_ring_arm(&rx->ring));
	if (got == -ENOMEM)
		queue_delayed_work(xv_wq, &rx->again, MEMORY_RETRY);
	/* An event without work: perhaps the backend has gone. */
	if (!got && !handled && !stuck)
		xv_look(dev, xv_share_is_live(&dev->share) ? LIVE_CHECK : 0);
	/* One that has broken a rule is listened to no more. */
	if (!xv_is_bad(dev))
		open_channel(dev, !handled && !stuck && !got);
}

static void again_work(struct work_struct *work)
{
	struct xv_rx *rx = container_of(work, struct xv_rx, again.work);

	queue_work(xv_wq, &rx->work);
}

irqreturn_t xv_rx_interrupt(int irq, void *arg)
{
	struct xv_device *dev = arg;

	xv_count(dev, XV_INTERRUPTS);
	set_bit(XV_RX_OWES_EOI, &dev->rx->flags);
	queue_work(xv_wq, &dev->rx->work);
	return IRQ_HANDLED;
}

/* ---- life ---- */

void xv_rx_init(struct xv_rx *rx, struct xv_device *dev)
{
	dev->rx = rx;
	rx->dev = dev;
	INIT_WORK(&rx->work, receive_work);
	INIT_DELAYED_WORK(&rx->again, again_work);
}

void xv_rx_open(struct xv_device *dev)
{
	struct xv_share *share = &dev->share;
	struct xv_rx *rx = dev->rx;
	u32 id;

	xv_ring_init(&rx->ring, share->group[XV_RX_RING].at, share->ring_pages);
	rx->pool = share->group[XV_RX_POOL].at;
	rx->buffers = min(share->pool_pages, xv_ring_slots(&rx->ring));
	rx->flags = 0;
	bitmap_zero(rx->posted, 32u << VSOCKIF_MAX_RING_PAGE_ORDER);
	for (id = 0; id < rx->buffers; id++)
		post(rx, id);
	xv_ring_publish(&rx->ring);	/* nobody listens yet */
}

void xv_rx_start(struct xv_device *dev)
{
	set_bit(XV_RX_STARTED, &dev->rx->flags);
	queue_work(xv_wq, &dev->rx->work);
}

void xv_rx_stop(struct xv_device *dev)
{
	clear_bit(XV_RX_STARTED, &dev->rx->flags);
	cancel_delayed_work_sync(&dev->rx->again);
	cancel_work_sync(&dev->rx->work);
}
