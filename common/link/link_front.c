/* SPDX-License-Identifier: MIT */
/* link_front.c: see link_front.h.  Ids: an rx buffer's id is its place in the pool; a tx id comes from a stack,
 * so that the same few entries stay warm. */
#include "link_front.h"

#include <errno.h>
#include <stdio.h>

static bool is_posted(const struct link_front *l, uint32_t id)
{
    return l->posted[id / 64] >> id % 64 & 1;
}

static int protocol_error(struct link_front *l, const char *what, uint32_t value)
{
    snprintf(l->why, sizeof l->why, "%s (%u)", what, value);
    return -EPROTO;
}

void link_front_init(struct link_front *l, const struct link_memory *mem)
{
    memset(l, 0, sizeof *l);
    l->mem = *mem;
    ring_init(&l->tx, RING_FRONT, mem->tx_ring, mem->tx_order);
    ring_init(&l->rx, RING_FRONT, mem->rx_ring, mem->rx_order);
    pool_init(&l->pool, mem->tx_bytes);
    for (uint32_t id = ring_slots(&l->tx); id-- > 0; )
        l->free_id[l->free_ids++] = (uint16_t)id;
    l->buffers = mem->rx_bytes / mem->rx_buffer;
    if (l->buffers > ring_slots(&l->rx))
        l->buffers = ring_slots(&l->rx);
    for (uint32_t id = 0; id < l->buffers; id++)
        link_front_return(l, id);
}

/* ---- sending ---- */

uint32_t link_front_reserve(struct link_front *l, uint32_t want, uint32_t *off)
{
    return link_front_can_send(l) ? pool_take(&l->pool, want, off) : 0;
}

void link_front_cancel(struct link_front *l, uint32_t off, uint32_t bytes)
{
    pool_give(&l->pool, off, bytes);
}

static void put(struct link_front *l, const struct vsockif_hdr *hdr, uint32_t off, uint32_t bytes, struct reason reason)
{
    uint32_t id = l->free_id[--l->free_ids];
    struct vsockif_slot slot = {
        .hdr = *hdr, .id = id, .off = off, .size = hdr->len, .reason = reason.code, .detail = reason.detail
    };

    l->flight[id].off = off;
    l->flight[id].bytes = bytes;
    l->flight[id].flying = true;
    ring_put(&l->tx, &slot);
    l->count.tx_packets++;
    l->count.tx_bytes += hdr->len;
}

void link_front_send(struct link_front *l, const struct vsockif_hdr *hdr, uint32_t off, uint32_t bytes)
{
    uint32_t needed = pool_round(hdr->len);

    if (needed < bytes)
        pool_give(&l->pool, off + needed, bytes - needed);
    put(l, hdr, off, needed, REASON(NONE));
}

void link_front_control(struct link_front *l, const struct vsockif_hdr *hdr, struct reason reason)
{
    put(l, hdr, 0, 0, reason);
}

void link_front_owed(struct link_front *l, struct vmux *m)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    while (link_front_can_control(l) && vmux_owed_by(m, &hdr, &by))
        link_front_control(l, &hdr, by.reason);
}

int link_front_reap(struct link_front *l)
{
    int n = ring_pending(&l->tx);

    if (n < 0)
        return protocol_error(l, "impossible index of tx responses", l->tx.bad_index);
    for (int i = 0; i < n; i++) {
        struct vsockif_slot slot;

        ring_get(&l->tx, (uint32_t)i, &slot);
        if (slot.id >= ring_slots(&l->tx) || !l->flight[slot.id].flying)
            return protocol_error(l, "tx response for an id that is not in flight", slot.id);
        l->flight[slot.id].flying = false;
        if (l->flight[slot.id].bytes)
            pool_give(&l->pool, l->flight[slot.id].off, l->flight[slot.id].bytes);
        l->free_id[l->free_ids++] = (uint16_t)slot.id;
    }
    ring_take(&l->tx, (uint32_t)n);
    return n;
}

/* ---- receiving ---- */

/* Judges the copy of the slot i places on, as a part of a packet that is still to get 'left' bytes. */
static int take_piece(struct link_front *l, struct link_packet *packet, const struct vsockif_slot *slot, uint32_t i,
                      uint32_t left)
{
    uint32_t full = l->mem.rx_buffer;

    if (slot->id >= l->buffers || !is_posted(l, slot->id))
        return protocol_error(l, "rx response for an id that was not posted", slot->id);
    if (slot->size != (left < full ? left : full))
        return protocol_error(l, "rx response with a wrong size", slot->size);
    l->posted[slot->id / 64] &= ~(UINT64_C(1) << slot->id % 64);
    l->posted_count--;
    packet->piece[i].id = slot->id;
    packet->piece[i].len = slot->size;
    packet->piece[i].data = l->mem.rx_pool + (size_t)slot->id * full;
    return 0;
}

int link_front_recv(struct link_front *l, struct link_packet *packet)
{
    int n = ring_pending(&l->rx), err;
    struct vsockif_slot slot;
    uint32_t left;

    if (n <= 0)
        return n ? protocol_error(l, "impossible index of rx responses", l->rx.bad_index) : 0;
    ring_get(&l->rx, 0, &slot);
    packet->hdr = slot.hdr;
    packet->reason = (struct reason){ slot.reason, slot.detail };
    packet->count = slot.count;
    left = slot.hdr.len;
    if (left > VSOCKIF_MAX_PACKET)
        return protocol_error(l, "rx packet longer than any may be", left);
    if (packet->count != (left ? (left + l->mem.rx_buffer - 1) / l->mem.rx_buffer : 1))
        return protocol_error(l, "rx packet with a wrong count of buffers", packet->count);
    if (packet->count > (uint32_t)n)
        return protocol_error(l, "rx packet published in parts, buffers", packet->count);
    for (uint32_t i = 0; ; ) {
        if ((err = take_piece(l, packet, &slot, i, left)))
            return err;
        left -= slot.size;
        if (++i == packet->count)
            break;
        ring_get(&l->rx, i, &slot);
        if (slot.count)
            return protocol_error(l, "rx packet begins within another, count", slot.count);
    }
    ring_take(&l->rx, packet->count);
    l->count.rx_packets++;
    l->count.rx_bytes += packet->hdr.len;
    return 1;
}

void link_front_return(struct link_front *l, uint32_t id)
{
    struct vsockif_slot slot = { .id = id, .off = id * l->mem.rx_buffer, .size = l->mem.rx_buffer };

    l->posted[id / 64] |= UINT64_C(1) << id % 64;
    l->posted_count++;
    ring_put(&l->rx, &slot);
}

/* ---- waking and sleeping ---- */

bool link_front_publish(struct link_front *l)
{
    bool tx = ring_publish(&l->tx), rx = ring_publish(&l->rx);

    return tx || rx;
}

bool link_front_arm(struct link_front *l, bool want_room)
{
    return ring_arm(&l->rx, 1) && (!want_room || ring_arm(&l->tx, 1));
}
