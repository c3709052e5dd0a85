/* SPDX-License-Identifier: MIT */
/* link_back.c: see link_back.h.  Every number here that came from a slot came from a private copy. */
#include "link_back.h"

#include <errno.h>
#include <stdio.h>

static bool bit_is_set(const uint64_t *bits, uint32_t id)
{
    return bits[id / 64] >> id % 64 & 1;
}

static void bit_flip(uint64_t *bits, uint32_t id)
{
    bits[id / 64] ^= UINT64_C(1) << id % 64;
}

static int protocol_error(struct link_back *l, const char *what, uint32_t a, uint32_t b)
{
    snprintf(l->why, sizeof l->why, "%s (%u, %u)", what, a, b);
    return -EPROTO;
}

void link_back_init(struct link_back *l, const struct link_memory *mem)
{
    memset(l, 0, sizeof *l);
    l->mem = *mem;
    ring_init(&l->tx, RING_BACK, mem->tx_ring, mem->tx_order);
    ring_init(&l->rx, RING_BACK, mem->rx_ring, mem->rx_order);
}

/* ---- from the guest ---- */

static int judge_request(struct link_back *l, const struct vsockif_slot *slot)
{
    if (slot->id >= ring_slots(&l->tx))
        return protocol_error(l, "tx id beyond the ring (id, slots)", slot->id, ring_slots(&l->tx));
    if (bit_is_set(l->held, slot->id))
        return protocol_error(l, "tx id in flight twice (id, offset)", slot->id, slot->off);
    if (slot->size != slot->hdr.len)
        return protocol_error(l, "tx descriptor and header disagree (size, len)", slot->size, slot->hdr.len);
    if (slot->size > VSOCKIF_MAX_PACKET)
        return protocol_error(l, "tx packet longer than any may be (size, most)", slot->size, VSOCKIF_MAX_PACKET);
    if (slot->off > l->mem.tx_bytes || slot->size > l->mem.tx_bytes - slot->off)
        return protocol_error(l, "tx data outside of the pool (offset, size)", slot->off, slot->size);
    return 0;
}

int link_back_recv(struct link_back *l, struct link_request *request)
{
    int n = ring_pending(&l->tx), err;
    struct vsockif_slot slot;

    if (n <= 0)
        return n ? protocol_error(l, "impossible index of tx requests (index, ours)", l->tx.bad_index, l->tx.in) : 0;
    ring_get(&l->tx, 0, &slot);
    if ((err = judge_request(l, &slot)))
        return err;
    ring_take(&l->tx, 1);
    bit_flip(l->held, slot.id);
    l->held_count++;
    request->hdr = slot.hdr;
    request->reason = (struct reason){ slot.reason, slot.detail };
    request->id = slot.id;
    request->data = l->mem.tx_pool + slot.off;
    l->counters.rx_packets++;
    l->counters.rx_bytes += slot.size;
    return 1;
}

void link_back_done(struct link_back *l, uint32_t id)
{
    struct vsockif_slot slot = { .id = id };

    bit_flip(l->held, id);
    l->held_count--;
    ring_put(&l->tx, &slot);
}

/* ---- to the guest ---- */

static int judge_buffer(struct link_back *l, const struct vsockif_slot *slot)
{
    if (slot->id >= ring_slots(&l->rx))
        return protocol_error(l, "rx id beyond the ring (id, slots)", slot->id, ring_slots(&l->rx));
    if (bit_is_set(l->posted, slot->id))
        return protocol_error(l, "rx id posted twice (id, offset)", slot->id, slot->off);
    if (slot->size < 64 || slot->size > VSOCKIF_MAX_PACKET || slot->size % 64 || slot->off % 64)
        return protocol_error(l, "rx buffer of a forbidden shape (offset, size)", slot->off, slot->size);
    if (slot->off > l->mem.rx_bytes || slot->size > l->mem.rx_bytes - slot->off)
        return protocol_error(l, "rx buffer outside of the pool (offset, size)", slot->off, slot->size);
    return 0;
}

int link_back_refill(struct link_back *l)
{
    int n = ring_pending(&l->rx), err;

    if (n < 0)
        return protocol_error(l, "impossible index of rx requests (index, ours)", l->rx.bad_index, l->rx.in);
    for (int i = 0; i < n; i++) {
        struct vsockif_slot slot;

        ring_get(&l->rx, 0, &slot);
        if ((err = judge_buffer(l, &slot)))
            return err;
        ring_take(&l->rx, 1);
        bit_flip(l->posted, slot.id);
        l->buffer[(l->first + l->count++) % LINK_MAX_SLOTS] =
            (struct link_buffer){ .id = slot.id, .off = slot.off, .size = slot.size };
        l->room += slot.size;
    }
    return 0;
}

uint32_t link_back_room(const struct link_back *l, uint32_t want, struct iovec *iov, int max, int *used)
{
    uint32_t bytes = 0, end = 0;
    int n = 0;

    for (uint32_t i = 0; i < l->count && bytes < want; i++) {
        const struct link_buffer *b = &l->buffer[(l->first + i) % LINK_MAX_SLOTS];
        uint32_t len = b->size < want - bytes ? b->size : want - bytes;

        if (n && b->off == end) {
            iov[n - 1].iov_len += len;
        } else if (n == max) {
            break;
        } else {
            iov[n].iov_base = l->mem.rx_pool + b->off;
            iov[n++].iov_len = len;
        }
        end = b->off + b->size;
        bytes += len;
    }
    *used = n;
    return bytes;
}

/* How many of the posted buffers hdr->len bytes fill. */
static uint32_t buffers_for(const struct link_back *l, uint32_t len)
{
    uint32_t n = 1;

    for (uint32_t size; len > (size = l->buffer[(l->first + n - 1) % LINK_MAX_SLOTS].size); n++)
        len -= size;
    return n;
}

/* Puts the slot where the oldest posted buffer was. */
static void fill(struct link_back *l, const struct vsockif_slot *slot)
{
    const struct link_buffer *b = &l->buffer[l->first];

    ring_put(&l->rx, slot);
    bit_flip(l->posted, b->id);
    l->room -= b->size;
    l->first = (l->first + 1) % LINK_MAX_SLOTS;
    l->count--;
}

void link_back_control(struct link_back *l, const struct vsockif_hdr *hdr, struct reason reason)
{
    struct vsockif_slot slot = {
        .hdr = *hdr, .id = l->buffer[l->first].id, .count = 1, .reason = reason.code, .detail = reason.detail
    };

    fill(l, &slot);
    l->counters.tx_packets++;
}

void link_back_send(struct link_back *l, const struct vsockif_hdr *hdr)
{
    struct vsockif_slot slot = { .hdr = *hdr };
    uint32_t left = hdr->len, n = buffers_for(l, left);

    slot.count = (uint16_t)n;
    for (uint32_t i = 0; i < n; i++) {
        const struct link_buffer *b = &l->buffer[l->first];

        slot.id = b->id;
        slot.size = b->size < left ? b->size : left;
        left -= slot.size;
        fill(l, &slot);
        slot.count = 0;
    }
    l->counters.tx_packets++;
    l->counters.tx_bytes += hdr->len;
}

void link_back_owed(struct link_back *l, struct vmux *m)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    while (link_back_can_send(l) && vmux_owed_by(m, &hdr, &by))
        link_back_control(l, &hdr, by.reason);
}

/* ---- waking and sleeping ---- */

bool link_back_publish(struct link_back *l)
{
    bool tx = ring_publish(&l->tx), rx = ring_publish(&l->rx);

    l->waits += tx;
    return tx || rx;
}

bool link_back_arm(struct link_back *l, bool want_packets, uint32_t want_buffers)
{
    return (!want_packets || ring_arm(&l->tx, 1)) && (!want_buffers || ring_arm(&l->rx, want_buffers));
}
