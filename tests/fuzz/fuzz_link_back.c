/* SPDX-License-Identifier: MIT */
/* fuzz_link_back.c: the backend's link against a guest that writes what it likes into rings and pools.
 *
 * The guest mostly posts requests that are nearly right, so that the link gets somewhere, and now and then one that is
 * not, an index that cannot be, or noise.  Whatever it does, no byte outside of the pools is named, what the link says that
 * it holds adds up, and the first broken rule is the end and has a sentence. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_back.h"

#define POOL_BYTES (VSOCKIF_PAGE_SIZE * 20u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in, *in_end;
static struct link_memory mem;
static struct link_back l;
static uint32_t held[LINK_MAX_SLOTS], held_count;      /* ids that were received and not done */

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

/* A descriptor that is right but for what the input spoils. */
static void guest_posts(bool tx)
{
    struct vsockif_ring *ring = tx ? mem.tx_ring : mem.rx_ring;
    uint32_t slots = vsockif_ring_slots(tx ? mem.tx_order : mem.rx_order);
    struct vsockif_slot slot = { .id = byte() % slots };
    uint32_t size = byte() * 64, spoil = byte(), noise;

    if (tx) {
        slot.size = slot.hdr.len = size;
        slot.off = size ? byte() * 256 % (POOL_BYTES - size) : 0;
        slot.hdr.op = (uint16_t)(size ? VSOCKIF_OP_RW : VSOCKIF_OP_CREDIT_UPDATE);
    } else {
        slot.size = size ? size : 64;
        slot.off = byte() * 256 % (POOL_BYTES - slot.size) / 64 * 64;
    }
    if (spoil > 240) {
        noise = spoil > 250 ? word() : byte();
        switch (byte() % 7) {
        case 0: slot.id = noise; break;
        case 1: slot.size = noise; break;
        case 2: slot.off = noise; break;
        case 3: slot.hdr.len = noise; break;
        case 4: slot.size = slot.hdr.len = VSOCKIF_MAX_PACKET + noise, slot.off = 0; break;
        case 5: slot.off = 0 - noise % 1024 * 64; break;      /* off + size comes round to a small number */
        default: slot.off = POOL_BYTES - slot.size + noise; break;
        }
    }
    memcpy((uint8_t *)ring + 64 + (ring->req_prod & (slots - 1)) * 64, &slot, sizeof slot);
    ring->req_prod++;
}

static void guest_writes_noise(void)
{
    struct vsockif_ring *ring = byte() & 1 ? mem.tx_ring : mem.rx_ring;

    switch (byte() % 4) {
    case 0: ring->req_prod += byte() - 8; break;
    case 1: ring->rsp_event = word(); break;
    case 2: ring->rsp_prod = word(); break;         /* ours: it must not matter */
    default: ((uint8_t *)ring)[64 + word() % (VSOCKIF_PAGE_SIZE - 64)] = (uint8_t)byte(); break;
    }
}

static bool judge(int result)
{
    if (result >= 0)
        return true;
    insist(result == -EPROTO, "an error that is not -EPROTO");
    insist(l.why[0] && memchr(l.why, 0, sizeof l.why), "no sentence says which rule was broken");
    return false;
}

static bool receive(void)
{
    struct link_request request;
    int n = link_back_recv(&l, &request);

    if (n <= 0)
        return judge(n);
    insist(n == 1, "neither one packet nor none");
    insist(request.id < vsockif_ring_slots(mem.tx_order), "an id beyond the ring");
    for (uint32_t i = 0; i < held_count; i++)
        insist(held[i] != request.id, "an id that is held already");
    insist(request.hdr.len <= VSOCKIF_MAX_PACKET, "a packet that is too long");
    if (request.hdr.len) {
        size_t at = (size_t)(request.data - mem.tx_pool);

        insist(request.data >= mem.tx_pool && at <= POOL_BYTES && request.hdr.len <= POOL_BYTES - at,
               "data outside of the pool");
    }
    held[held_count++] = request.id;
    return true;
}

static void done(uint32_t which)
{
    if (!held_count)
        return;
    which %= held_count;
    link_back_done(&l, held[which]);
    held[which] = held[--held_count];
}

/* The bytes of the iov must be those of the posted buffers, in their order. */
static void check_places(const struct iovec *iov, int used)
{
    uint32_t i = 0;

    for (int k = 0; k < used; k++)
        for (size_t at = 0; at < iov[k].iov_len; i++) {
            const struct link_buffer *b = &l.buffer[(l.first + i) % LINK_MAX_SLOTS];
            size_t n = iov[k].iov_len - at < b->size ? iov[k].iov_len - at : b->size;

            insist(i < l.count && (uint8_t *)iov[k].iov_base + at == mem.rx_pool + b->off, "room that is no posted buffer");
            at += n;
        }
}

static void send_packet(uint32_t want, int max)
{
    struct iovec iov[8];
    struct vsockif_hdr hdr = { .op = VSOCKIF_OP_RW };
    uint32_t room, sum = 0;
    int used;

    if (!link_back_can_send(&l))
        return;
    if (!want) {
        link_back_send(&l, &hdr);
        return;
    }
    room = link_back_room(&l, want, iov, max, &used);
    insist(room && room <= want && used >= 1 && used <= max, "room for nothing, or for more than asked");
    for (int i = 0; i < used; i++) {
        const uint8_t *base = iov[i].iov_base;
        size_t at = (size_t)(base - mem.rx_pool);

        insist(base >= mem.rx_pool && at <= POOL_BYTES && iov[i].iov_len <= POOL_BYTES - at, "room outside of the pool");
        memset(iov[i].iov_base, 0x5a, iov[i].iov_len);
        sum += (uint32_t)iov[i].iov_len;
    }
    check_places(iov, used);
    insist(sum == room, "the pieces do not add up to the room");
    hdr.len = room - (byte() & 1 ? byte() % room : 0);
    link_back_send(&l, &hdr);
}

static uint32_t bits(const uint64_t *set)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < LINK_MAX_SLOTS / 64; i++)
        n += (uint32_t)__builtin_popcountll(set[i]);
    return n;
}

static void check(void)
{
    uint64_t room = 0;

    insist(l.held_count == held_count && bits(l.held) == held_count, "held packets do not add up");
    insist(l.count <= vsockif_ring_slots(mem.rx_order) && bits(l.posted) == l.count, "posted buffers do not add up");
    for (uint32_t i = 0; i < l.count; i++)
        room += l.buffer[(l.first + i) % LINK_MAX_SLOTS].size;
    insist(room == l.room, "the room does not add up");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool good = true;

    in = data;
    in_end = data + size;
    held_count = 0;
    mem = (struct link_memory){ .tx_order = byte() % 2, .tx_bytes = POOL_BYTES, .rx_bytes = POOL_BYTES };
    mem.rx_order = mem.tx_order;
    mem.tx_ring = aligned_alloc(64, (size_t)VSOCKIF_PAGE_SIZE << mem.tx_order);
    mem.rx_ring = aligned_alloc(64, (size_t)VSOCKIF_PAGE_SIZE << mem.rx_order);
    mem.tx_pool = malloc(POOL_BYTES);
    mem.rx_pool = malloc(POOL_BYTES);
    memset(mem.tx_ring, 0, (size_t)VSOCKIF_PAGE_SIZE << mem.tx_order);
    memset(mem.rx_ring, 0, (size_t)VSOCKIF_PAGE_SIZE << mem.rx_order);
    link_back_init(&l, &mem);
    while (good && in < in_end) {
        uint32_t op = byte();

        switch (op % 16) {
        case 0: case 1: case 2: guest_posts(true); break;
        case 3: case 4: case 5: guest_posts(false); break;
        case 6:                 guest_writes_noise(); break;
        case 7: case 8:         good = receive(); break;
        case 9: case 10:        done(op >> 4); break;
        case 11:                good = judge(link_back_refill(&l)); break;
        case 12: case 13:       send_packet((op >> 4) * 4500, 1 + (int)(byte() % 8)); break;
        case 14:                (void)link_back_publish(&l); break;
        default:                (void)link_back_arm(&l, op & 16, (op >> 5) * 3); break;
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
