/* SPDX-License-Identifier: MIT */
/* fuzz_link_front.c: the frontend's link against a backend that writes what it likes into rings and the rx pool.
 *
 * The backend mostly answers as it should, so that the link gets somewhere, and now and then does not.  Whatever it does,
 * pieces lie in their buffers, no buffer is named that the backend still has, pool and ids are neither lost nor handed
 * out twice, and the first broken rule is the end and has a sentence. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_front.h"

#define POOL_BYTES (VSOCKIF_PAGE_SIZE * 24u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in, *in_end;
static struct link_memory mem;
static struct link_front l;
static uint32_t kept[LINK_MAX_SLOTS], kept_count;       /* rx buffers that we have */
static uint32_t asked[LINK_MAX_SLOTS], asked_count;     /* tx ids that a good backend has, as read from the ring */
static uint32_t posted[LINK_MAX_SLOTS], first, count;   /* rx ids that a good backend has, in their order */
static uint32_t tx_seen, rx_seen;                       /* requests that the backend has read */

static uint32_t byte(void)
{
    return in < in_end ? *in++ : 0;
}

static uint32_t word(void)
{
    uint32_t b = byte();

    return b | byte() << 8 | byte() << 16 | byte() << 24;
}

static void insist(bool cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "%s (why: %s)\n", what, l.why);
    abort();
}

/* ---- the backend ---- */

static struct vsockif_slot *slot_of(void *ring, uint32_t order, uint32_t index)
{
    return (struct vsockif_slot *)(void *)((uint8_t *)ring + 64) + (index & (vsockif_ring_slots(order) - 1));
}

static void backend_reads(void)
{
    struct vsockif_ring *tx = mem.tx_ring, *rx = mem.rx_ring;

    for (; tx_seen != tx->req_prod && asked_count < LINK_MAX_SLOTS; tx_seen++)
        asked[asked_count++] = slot_of(tx, mem.tx_order, tx_seen)->id;
    for (; rx_seen != rx->req_prod && count < LINK_MAX_SLOTS; rx_seen++)
        posted[(first + count++) % LINK_MAX_SLOTS] = slot_of(rx, mem.rx_order, rx_seen)->id;
}

static void spoil(struct vsockif_slot *slot)
{
    uint32_t noise = byte() < 128 ? byte() : word();

    switch (byte() % 5) {
    case 0: slot->id = noise; break;
    case 1: slot->size = noise; break;
    case 2: slot->count = (uint16_t)noise; break;
    case 3: slot->hdr.len = noise; break;
    default: slot->off = noise; break;
    }
}

static void backend_completes(uint32_t which)
{
    struct vsockif_ring *tx = mem.tx_ring;
    struct vsockif_slot slot = { .id = 0 };

    backend_reads();
    if (!asked_count)
        return;
    which %= asked_count;
    slot.id = asked[which];
    asked[which] = asked[--asked_count];
    if (byte() > 245)
        spoil(&slot);
    memcpy(slot_of(tx, mem.tx_order, tx->rsp_prod), &slot, sizeof slot);
    tx->rsp_prod++;
}

static void backend_sends(uint32_t len)
{
    struct vsockif_ring *rx = mem.rx_ring;
    uint32_t n = len ? (len + mem.rx_buffer - 1) / mem.rx_buffer : 1, left = len, bad = byte();

    backend_reads();
    if (n > count)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct vsockif_slot slot = { .id = posted[first % LINK_MAX_SLOTS], .count = i ? 0 : (uint16_t)n };

        first = (first + 1) % LINK_MAX_SLOTS;
        count--;
        slot.hdr.len = len;
        slot.size = left < mem.rx_buffer ? left : mem.rx_buffer;
        left -= slot.size;
        if (bad > 240 && (bad - 240) % n == i)
            spoil(&slot);
        memcpy(slot_of(rx, mem.rx_order, rx->rsp_prod + i), &slot, sizeof slot);
    }
    rx->rsp_prod += bad > 235 && bad <= 240 ? 1 + byte() % n : n;        /* in parts */
}

static void backend_writes_noise(void)
{
    struct vsockif_ring *ring = byte() & 1 ? mem.tx_ring : mem.rx_ring;

    switch (byte() % 4) {
    case 0: ring->rsp_prod += byte() - 8; break;
    case 1: ring->req_event = word(); break;
    case 2: ring->req_prod = word(); break;         /* ours: it must not matter */
    default: ((uint8_t *)ring)[64 + word() % (VSOCKIF_PAGE_SIZE - 64)] = (uint8_t)byte(); break;
    }
}

/* ---- the frontend's calls ---- */

static bool judge(int result)
{
    if (result >= 0)
        return true;
    insist(result == -EPROTO, "an error that is not -EPROTO");
    insist(l.why[0] && memchr(l.why, 0, sizeof l.why), "no sentence says which rule was broken");
    return false;
}

static void send_packet(uint32_t want)
{
    struct vsockif_hdr hdr = { .op = VSOCKIF_OP_RW };
    uint32_t off, bytes = link_front_reserve(&l, want, &off);

    if (!bytes)
        return;
    insist(bytes <= pool_round(want) && off <= POOL_BYTES && bytes <= POOL_BYTES - off, "a piece outside of the pool");
    for (uint32_t id = 0; id < LINK_MAX_SLOTS; id++)
        insist(!l.flight[id].flying || off + bytes <= l.flight[id].off || l.flight[id].off + l.flight[id].bytes <= off,
               "a piece of the pool handed out twice");
    memset(link_front_data(&l, off), 0x5a, bytes);
    hdr.len = byte() % 4 || want > bytes ? (want < bytes ? want : bytes) : 1 + byte() % bytes;
    if (byte() % 8)
        link_front_send(&l, &hdr, off, bytes);
    else
        link_front_cancel(&l, off, bytes);
}

static void send_control(void)
{
    struct vsockif_hdr hdr = { .op = VSOCKIF_OP_CREDIT_UPDATE };

    if (link_front_can_control(&l))
        link_front_control(&l, &hdr, REASON(NONE));
}

static bool receive(void)
{
    struct link_packet packet;
    uint32_t sum = 0;
    int n = link_front_recv(&l, &packet);

    if (n <= 0)
        return judge(n);
    insist(packet.hdr.len <= VSOCKIF_MAX_PACKET, "a packet that is too long");
    insist(packet.count >= 1 && packet.count <= LINK_PIECES, "a packet of no buffer, or of too many");
    for (uint32_t i = 0; i < packet.count; i++) {
        const struct link_piece *piece = &packet.piece[i];

        insist(piece->id < l.buffers && piece->len <= mem.rx_buffer, "a piece beyond its buffer");
        insist(piece->data == mem.rx_pool + (size_t)piece->id * mem.rx_buffer, "a piece that is not in its buffer");
        for (uint32_t k = 0; k < kept_count; k++)
            insist(kept[k] != piece->id, "a buffer that we have already");
        kept[kept_count++] = piece->id;
        sum += piece->len;
    }
    insist(l.rx.in_seen - l.rx.in <= ring_slots(&l.rx), "more was taken than was published");
    insist(sum == packet.hdr.len, "the pieces do not add up to the packet");
    return true;
}

static void give_back(uint32_t which)
{
    if (!kept_count)
        return;
    which %= kept_count;
    link_front_return(&l, kept[which]);
    kept[which] = kept[--kept_count];
}

static void check(void)
{
    uint32_t flying = 0, units = 0, posted_bits = 0;

    for (uint32_t id = 0; id < LINK_MAX_SLOTS; id++)
        if (l.flight[id].flying) {
            flying++;
            units += l.flight[id].bytes / POOL_UNIT;
        }
    for (unsigned i = 0; i < LINK_MAX_SLOTS / 64; i++)
        posted_bits += (uint32_t)__builtin_popcountll(l.posted[i]);
    insist(flying + l.free_ids == vsockif_ring_slots(mem.tx_order), "an id was lost, or is there twice");
    insist(units + l.pool.free_units == POOL_BYTES / POOL_UNIT, "a piece of the pool was lost, or is there twice");
    insist(posted_bits == l.posted_count && link_front_held(&l) == kept_count, "buffers do not add up");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool good = true;
    uint32_t op;

    in = data;
    in_end = data + size;
    kept_count = asked_count = first = count = tx_seen = rx_seen = 0;
    op = byte();
    mem = (struct link_memory){ .tx_order = op % 2, .tx_bytes = POOL_BYTES, .rx_bytes = POOL_BYTES };
    mem.rx_order = mem.tx_order;
    mem.rx_buffer = LINK_MIN_RX_BUFFER << (op >> 1) % 3;
    mem.tx_ring = aligned_alloc(64, (size_t)VSOCKIF_PAGE_SIZE << mem.tx_order);
    mem.rx_ring = aligned_alloc(64, (size_t)VSOCKIF_PAGE_SIZE << mem.rx_order);
    mem.tx_pool = malloc(POOL_BYTES);
    mem.rx_pool = malloc(POOL_BYTES);
    memset(mem.tx_ring, 0, (size_t)VSOCKIF_PAGE_SIZE << mem.tx_order);
    memset(mem.rx_ring, 0, (size_t)VSOCKIF_PAGE_SIZE << mem.rx_order);
    link_front_init(&l, &mem);
    (void)link_front_publish(&l);
    while (good && in < in_end) {
        op = byte();
        switch (op % 16) {
        case 0: case 1: backend_completes(op >> 4); break;
        case 2: case 3: case 4: backend_sends((op >> 4) * (op % 16 == 2 ? 300 : op % 16 == 3 ? 4369 : 5900)); break;
        case 5:         backend_writes_noise(); break;
        case 6: case 7: send_packet(1 + (op >> 4) * 4369); break;
        case 8:         send_control(); break;
        case 9:         good = judge(link_front_reap(&l)); break;
        case 10: case 11: good = receive(); break;
        case 12: case 13: give_back(op >> 4); break;
        case 14:        (void)link_front_publish(&l); break;
        default:        (void)link_front_arm(&l, op & 16); break;
        }
        if (good)
            check();
    }
    free(mem.tx_ring);
    free(mem.rx_ring);
    free(mem.tx_pool);
    free(mem.rx_pool);
    return 0;
}
