/* SPDX-License-Identifier: MIT */
/* fuzz_ring.c: one end of a ring in memory that belongs to the input.  The peer writes what and where it likes between
 * any two calls; whatever it does, this end reads and writes nothing outside of the pages, writes only its own index,
 * its own event and the slots it fills, and believes no index that the rules exclude.
 *
 * The input: a byte for side and order, four for where the indices begin, then operations. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in, *in_end;
static uint8_t *pages, *shadow;         /* shadow: what the pages must hold */
static size_t bytes;
static struct ring r;

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
    fprintf(stderr, "%s: out %u published %u in %u in_seen %u slots %u\n", what, r.out, r.published, r.in, r.in_seen,
            ring_slots(&r));
    abort();
}

/* The peer, or the kernel, or a stray write: pages and shadow alike. */
static void write_shared(size_t at, const void *from, size_t count)
{
    memcpy(pages + at, from, count);
    memcpy(shadow + at, from, count);
}

static size_t place(const void *p)
{
    return (size_t)((const uint8_t *)p - pages);
}

static void set_index(const uint32_t *index, uint32_t value)
{
    write_shared(place(index), &value, sizeof value);
}

static void peer_writes(uint32_t op)
{
    switch (op % 4) {
    case 0:                             /* an index near to what we have */
        set_index(r.in_prod, r.in + byte() - 16);
        break;
    case 1:
        set_index(op & 4 ? r.in_prod : r.out_event, word());
        break;
    case 2:                             /* an event among what is to be published */
        set_index(r.out_event, r.published + byte() % 8);
        break;
    default:                            /* anything, anywhere, our own index as well */
        for (uint32_t count = byte() % 64; count--; ) {
            uint8_t b = (uint8_t)byte();

            write_shared(word() % bytes, &b, 1);
        }
        break;
    }
}

static void pending(void)
{
    struct ring before = r;
    uint32_t prod;
    int n;

    memcpy(&prod, r.in_prod, sizeof prod);
    n = ring_pending(&r);
    /* counted from what was consumed; the backend has published less than that, the frontend more */
    int64_t claimed = prod - before.in, seen = before.in_seen - before.in;
    int64_t most = (r.ahead ? 0 : (int64_t)ring_slots(&r)) + (int32_t)(before.published - before.in);

    if (claimed > most || claimed < seen) {
        insist(n == -EPROTO && r.bad_index == prod, "an impossible index was believed");
        before.bad_index = prod;
        insist(memcmp(&before, &r, sizeof r) == 0, "an impossible index changed something");
    } else {
        insist(n >= 0 && n == claimed, "a good index was not believed");
        insist((uint32_t)n <= ring_slots(&r), "more pending than slots");
    }
}

static void read_slots(uint32_t want)
{
    int n = (int)(r.in_seen - r.in);
    struct vsockif_slot slot;

    for (int i = 0; i < n; i++) {
        ring_get(&r, (uint32_t)i, &slot);
        insist(memcmp(&slot, pages + 64 + ((r.in + (uint32_t)i) & r.mask) * 64, 64) == 0, "another slot was copied");
    }
    ring_take(&r, n ? want % (uint32_t)(n + 1) : 0);
}

static void put(uint32_t want)
{
    struct vsockif_slot slot;

    for (; want && ring_room(&r); want--) {
        memset(&slot, (int)byte(), sizeof slot);
        memcpy(shadow + 64 + (r.out & r.mask) * 64, &slot, sizeof slot);
        ring_put(&r, &slot);
    }
}

static void publish(void)
{
    uint32_t old = r.published, event, shown = r.out;
    bool notify;

    memcpy(&event, r.out_event, sizeof event);
    notify = ring_publish(&r);
    insist(notify == (event - old - 1 < shown - old), "notified when it should not be, or not when it should");
    if (shown != old)
        memcpy(shadow + place(r.out_prod), &shown, sizeof shown);
}

static void arm(uint32_t n)
{
    uint32_t prod, event = r.in + n;
    bool sleep;

    memcpy(&prod, r.in_prod, sizeof prod);
    sleep = ring_arm(&r, n);
    memcpy(shadow + place(r.in_event), &event, sizeof event);
    insist(sleep == (prod - r.in < n), "armed although something is there, or not although nothing is");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t first, start;

    if (size < 6)
        return 0;
    in = data;
    in_end = data + size;
    first = byte();
    start = word();
    bytes = (size_t)VSOCKIF_PAGE_SIZE << (first >> 1) % 3;
    pages = aligned_alloc(64, bytes);
    shadow = malloc(bytes);
    memset(pages, 0, bytes);
    ring_init(&r, first & 1 ? RING_BACK : RING_FRONT, pages, (first >> 1) % 3);
    memcpy(shadow, pages, bytes);
    r.out = r.published = r.in = r.in_seen = start;
    set_index(r.out_prod, start);
    set_index(r.in_prod, start);
    while (in < in_end) {
        uint32_t op = byte();

        switch (op % 8) {
        case 0: case 1: peer_writes(op >> 3); break;
        case 2:         pending(); break;
        case 3:         read_slots(op >> 3); break;
        case 4: case 5: put(op >> 3); break;
        case 6:         publish(); break;
        default:        arm(1 + (op >> 3) % ring_slots(&r)); break;
        }
        insist(memcmp(pages, shadow, bytes) == 0, "something was written that is not this end's to write");
        insist(ring_room(&r) <= ring_slots(&r), "more room than slots");
        insist(r.in_seen - r.in <= ring_slots(&r) && r.out - r.published <= ring_slots(&r), "an index ran away");
    }
    free(pages);
    free(shadow);
    return 0;
}
