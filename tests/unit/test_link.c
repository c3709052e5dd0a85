/* SPDX-License-Identifier: MIT */
/* test_link.c: the two links of a device back to back, in the memory of one process; and each of them against a peer
 * that breaks one rule of vsockif.h, section 6, at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "link_back.h"
#include "link_front.h"

#define TX_BYTES (VSOCKIF_PAGE_SIZE * 40u)
#define RX_BYTES (VSOCKIF_PAGE_SIZE * 24u)
#define SLOTS    32u

static _Alignas(4096) uint8_t tx_ring[VSOCKIF_PAGE_SIZE], rx_ring[VSOCKIF_PAGE_SIZE], tx_pool[TX_BYTES], rx_pool[RX_BYTES];
static struct link_memory mem;
static struct link_front front;
static struct link_back back;

static void dump(void *unused)
{
    (void)unused;
    printf("  front: %u free ids, %u posted, why '%s'\n", front.free_ids, front.posted_count, front.why);
    printf("  back: %u held, %u buffers of %llu bytes, why '%s'\n", back.held_count, back.count,
           (unsigned long long)back.room, back.why);
}

static void open_with(uint32_t rx_buffer)
{
    memset(tx_ring, 0, sizeof tx_ring);
    memset(rx_ring, 0, sizeof rx_ring);
    memset(tx_pool, 0, sizeof tx_pool);
    memset(rx_pool, 0, sizeof rx_pool);
    mem = (struct link_memory){ .tx_ring = tx_ring, .rx_ring = rx_ring, .tx_pool = tx_pool, .rx_pool = rx_pool,
                                .tx_bytes = TX_BYTES, .rx_bytes = RX_BYTES, .rx_buffer = rx_buffer };
    link_front_init(&front, &mem);
    mem.rx_buffer = 0;                          /* the backend is not told */
    link_back_init(&back, &mem);
    CU_ASSERT_TRUE(link_front_publish(&front));
    EQ(link_back_refill(&back), 0);
    harness_on_failure(dump, NULL);
}

static uint8_t pattern(uint32_t n, uint32_t i)
{
    return (uint8_t)(n * 31 + i * 7 + i / 256);
}

static bool send_up(uint32_t n, uint32_t len)
{
    struct vsockif_hdr hdr = { .op = len ? VSOCKIF_OP_RW : VSOCKIF_OP_CREDIT_UPDATE, .len = len, .src_port = n };
    uint32_t off, got;

    if (!len) {
        if (!link_front_can_control(&front))
            return false;
        link_front_control(&front, &hdr, REASON(NONE));
        return true;
    }
    if (!(got = link_front_reserve(&front, len, &off)))
        return false;
    if (got < len) {
        link_front_cancel(&front, off, got);
        return false;
    }
    for (uint32_t i = 0; i < len; i++)
        link_front_data(&front, off)[i] = pattern(n, i);
    link_front_send(&front, &hdr, off, got);
    return true;
}

static void expect_up(uint32_t n, uint32_t len, uint32_t *id)
{
    struct link_request request;

    REQUIRE(link_back_recv(&back, &request) == 1);
    EQ(request.hdr.src_port, n);
    EQ(request.hdr.len, len);
    for (uint32_t i = 0; i < len; i++)
        REQUIRE(request.data[i] == pattern(n, i));
    *id = request.id;
}

static bool send_down(uint32_t n, uint32_t len)
{
    struct vsockif_hdr hdr = { .op = len ? VSOCKIF_OP_RW : VSOCKIF_OP_CREDIT_UPDATE, .len = len, .dst_port = n };
    struct iovec iov[32];
    uint32_t at = 0;
    int used;

    if (!link_back_can_send(&back))
        return false;
    if (len) {
        if (link_back_room(&back, len, iov, 32, &used) < len)
            return false;
        for (int k = 0; k < used; k++)
            for (size_t i = 0; i < iov[k].iov_len; i++)
                ((uint8_t *)iov[k].iov_base)[i] = pattern(n, at++);
        EQ(at, len);
    }
    link_back_send(&back, &hdr);
    return true;
}

static void expect_down(uint32_t n, uint32_t len, struct link_packet *packet)
{
    uint32_t at = 0;

    REQUIRE(link_front_recv(&front, packet) == 1);
    EQ(packet->hdr.dst_port, n);
    EQ(packet->hdr.len, len);
    for (uint32_t k = 0; k < packet->count; k++)
        for (uint32_t i = 0; i < packet->piece[k].len; i++)
            REQUIRE(packet->piece[k].data[i] == pattern(n, at++));
    EQ(at, len);
}

static void give_back(const struct link_packet *packet)
{
    for (uint32_t i = 0; i < packet->count; i++)
        link_front_return(&front, packet->piece[i].id);
}

/* ---- two ends that keep to the rules ---- */

static void every_length_goes_up_and_its_buffer_comes_back(void)
{
    static const uint32_t lens[] = { 0, 1, 63, 64, 1023, 1024, 1025, 4095, 4096, 4097, 65535, 65536 };
    uint32_t id;

    open_with(4096);
    for (uint32_t round = 0; round < 30; round++)
        for (uint32_t i = 0; i < sizeof lens / sizeof *lens; i++) {
            REQUIRE(send_up(i, lens[i]));
            link_front_publish(&front);
            expect_up(i, lens[i], &id);
            EQ(link_front_reap(&front), 0);
            link_back_done(&back, id);
            link_back_publish(&back);
            EQ(link_front_reap(&front), 1);
            EQ(front.pool.free_units * POOL_UNIT, TX_BYTES);
            EQ(front.free_ids, SLOTS);
        }
}

static void every_length_comes_down_for_every_size_of_buffer(void)
{
    static const uint32_t lens[] = { 0, 1, 64, 4095, 4096, 4097, 8192, 16384, 32769, 65535, 65536 };
    struct link_packet packet;

    for (uint32_t buffer = LINK_MIN_RX_BUFFER; buffer <= VSOCKIF_MAX_PACKET; buffer *= 2) {
        open_with(buffer);
        for (uint32_t round = 0; round < 10; round++)
            for (uint32_t i = 0; i < sizeof lens / sizeof *lens; i++) {
                REQUIRE(send_down(i, lens[i]));
                link_back_publish(&back);
                expect_down(i, lens[i], &packet);
                EQ(packet.count, lens[i] ? (lens[i] + buffer - 1) / buffer : 1);
                EQ(link_front_held(&front), packet.count);
                give_back(&packet);
                link_front_publish(&front);
                EQ(link_back_refill(&back), 0);
                EQ(back.room, (uint64_t)(RX_BYTES / buffer) * buffer);
            }
    }
}

static void nothing_is_shown_before_publish(void)
{
    struct link_request request;
    struct link_packet packet;
    uint32_t id;

    open_with(4096);
    REQUIRE(send_up(1, 100));
    EQ(link_back_recv(&back, &request), 0);
    REQUIRE(send_down(2, 5000));
    EQ(link_front_recv(&front, &packet), 0);
    CU_ASSERT_TRUE(link_front_publish(&front));
    CU_ASSERT_TRUE(link_back_publish(&back));
    expect_up(1, 100, &id);
    expect_down(2, 5000, &packet);
}

static void a_slow_reader_keeps_only_its_own_buffer(void)
{
    uint32_t slow, id;

    open_with(4096);
    REQUIRE(send_up(0, 60000));
    link_front_publish(&front);
    expect_up(0, 60000, &slow);
    for (uint32_t n = 1; n < 200; n++) {        /* others pass it, many times round the ring */
        REQUIRE(send_up(n, 40000));
        link_front_publish(&front);
        expect_up(n, 40000, &id);
        link_back_done(&back, id);
        link_back_publish(&back);
        EQ(link_front_reap(&front), 1);
    }
    for (uint32_t i = 0; i < 60000; i++)        /* and never wrote over it */
        REQUIRE(tx_pool[i] == pattern(0, i));
    link_back_done(&back, slow);
    link_back_publish(&back);
    EQ(link_front_reap(&front), 1);
    EQ(front.free_ids, SLOTS);
}

static void packets_without_data_pass_when_data_may_not(void)
{
    uint32_t n = 0, off;

    open_with(4096);
    while (link_front_can_send(&front))
        REQUIRE(send_up(n++, 1));
    EQ(n, SLOTS - VSOCKIF_CONTROL_SLOTS);
    EQ(link_front_reserve(&front, 1, &off), 0);
    for (n = 0; link_front_can_control(&front); n++)
        REQUIRE(send_up(n, 0));
    EQ(n, VSOCKIF_CONTROL_SLOTS);
}

static void what_a_reservation_does_not_need_goes_back(void)
{
    struct vsockif_hdr hdr = { .op = VSOCKIF_OP_RW, .len = 1500 };
    uint32_t off, got;

    open_with(4096);
    got = link_front_reserve(&front, 65536, &off);
    EQ(got, 65536);
    link_front_send(&front, &hdr, off, got);
    EQ(front.pool.free_units * POOL_UNIT, TX_BYTES - 2048);
    got = link_front_reserve(&front, 65536, &off);
    link_front_cancel(&front, off, got);
    EQ(front.pool.free_units * POOL_UNIT, TX_BYTES - 2048);
}

static void adjacent_buffers_are_one_piece_of_room(void)
{
    struct iovec iov[4];
    int used;

    open_with(4096);
    EQ(link_back_room(&back, 65536, iov, 4, &used), 65536);
    EQ(used, 1);
    EQ(iov[0].iov_len, 65536);
    CU_ASSERT_PTR_EQUAL(iov[0].iov_base, rx_pool);
    EQ(link_back_room(&back, 100, iov, 4, &used), 100);
    EQ(link_back_room(&back, 1000000, iov, 4, &used), RX_BYTES);
}

static void scattered_buffers_are_as_many_pieces_as_there_is_space_for(void)
{
    struct link_packet packet[24];
    struct iovec iov[3];
    int used;

    open_with(4096);
    for (uint32_t i = 0; i < 24; i++)
        REQUIRE(send_down(i, 10));
    link_back_publish(&back);
    for (uint32_t i = 0; i < 24; i++)
        expect_down(i, 10, &packet[i]);
    for (uint32_t i = 24; i-- > 0; )            /* in descending order: no two are adjacent */
        give_back(&packet[i]);
    link_front_publish(&front);
    EQ(link_back_room(&back, 65536, iov, 3, &used), 0);
    EQ(used, 0);
    EQ(link_back_refill(&back), 0);
    EQ(link_back_room(&back, 65536, iov, 3, &used), 3 * 4096);
    EQ(used, 3);
    CU_ASSERT_PTR_EQUAL(iov[1].iov_base, rx_pool + 22 * 4096);
}

static void an_end_sleeps_only_when_nothing_waits(void)
{
    struct link_packet packet;
    uint32_t id;

    open_with(4096);
    CU_ASSERT_TRUE(link_back_arm(&back, true, 0));
    CU_ASSERT_TRUE(link_front_arm(&front, true));
    REQUIRE(send_up(1, 10));
    CU_ASSERT_TRUE(link_front_publish(&front));
    CU_ASSERT_FALSE(link_back_arm(&back, true, 0));
    CU_ASSERT_TRUE(link_back_arm(&back, false, 0));     /* choked: packets must not wake it */
    expect_up(1, 10, &id);
    link_back_done(&back, id);
    CU_ASSERT_TRUE(link_back_publish(&back));
    CU_ASSERT_TRUE(link_front_arm(&front, false));      /* it does not care for completions */
    CU_ASSERT_FALSE(link_front_arm(&front, true));
    EQ(link_front_reap(&front), 1);
    REQUIRE(send_down(2, 10));
    CU_ASSERT_TRUE(link_back_publish(&back));
    CU_ASSERT_FALSE(link_front_arm(&front, false));
    expect_down(2, 10, &packet);
    CU_ASSERT_TRUE(link_back_arm(&back, true, 2));
    give_back(&packet);
    CU_ASSERT_FALSE(link_front_publish(&front));        /* one buffer; two were asked for */
}

/* Not of packets that it is sent: it always waits for those. */
static void a_frontend_that_waits_for_a_completion_is_known_to(void)
{
    struct link_packet packet;
    uint32_t id;

    open_with(4096);
    REQUIRE(send_up(1, 10) && send_up(2, 10));
    link_front_publish(&front);
    expect_up(1, 10, &id);
    link_back_done(&back, id);
    CU_ASSERT_TRUE(link_back_publish(&back));           /* the first one ever is */
    EQ(back.waits, 1);
    EQ(link_front_reap(&front), 1);
    CU_ASSERT_TRUE(link_front_arm(&front, false));
    expect_up(2, 10, &id);
    link_back_done(&back, id);
    REQUIRE(send_down(3, 10));
    CU_ASSERT_TRUE(link_back_publish(&back));
    EQ(back.waits, 1);
    EQ(link_front_reap(&front), 1);
    expect_down(3, 10, &packet);
    REQUIRE(send_up(4, 10));
    link_front_publish(&front);
    CU_ASSERT_TRUE(link_front_arm(&front, true));
    expect_up(4, 10, &id);
    link_back_done(&back, id);
    CU_ASSERT_TRUE(link_back_publish(&back));
    EQ(back.waits, 2);
}

static void counters_count(void)
{
    struct link_packet packet;
    uint32_t id;

    open_with(4096);
    REQUIRE(send_up(1, 10) && send_up(2, 0) && send_down(3, 5000));
    link_front_publish(&front);
    link_back_publish(&back);
    expect_up(1, 10, &id);
    expect_up(2, 0, &id);
    expect_down(3, 5000, &packet);
    EQ(front.count.tx_packets, 2);
    EQ(front.count.tx_bytes, 10);
    EQ(front.count.rx_packets, 1);
    EQ(front.count.rx_bytes, 5000);
    EQ(back.counters.rx_packets, 2);
    EQ(back.counters.rx_bytes, 10);
    EQ(back.counters.tx_packets, 1);
    EQ(back.counters.tx_bytes, 5000);
}

/* ---- a guest that breaks a rule ---- */

static struct vsockif_slot *slot(void *ring, uint32_t index)
{
    return (struct vsockif_slot *)(void *)((uint8_t *)ring + sizeof(struct vsockif_ring)) + index % SLOTS;
}

static void guest_posts(void *ring, const struct vsockif_slot *s)
{
    struct vsockif_ring *header = ring;

    *slot(ring, header->req_prod) = *s;
    header->req_prod++;
}

static void guest_sends(uint32_t id, uint32_t off, uint32_t size, uint32_t len)
{
    guest_posts(tx_ring, &(struct vsockif_slot){ .hdr.len = len, .id = id, .off = off, .size = size });
}

static void a_guest_that_breaks_a_rule_of_tx_is_told_which(void)
{
    static const struct { uint32_t id, off, size, len; const char *why; } table[] = {
        { SLOTS, 0, 10, 10, "beyond the ring" },
        { UINT32_MAX, 0, 10, 10, "beyond the ring" },
        { 7, 0, 10, 10, "in flight twice" },
        { 1, 0, 10, 11, "disagree" },
        { 1, 0, 0, 11, "disagree" },
        { 1, 0, 65537, 65537, "longer than any" },
        { 1, TX_BYTES - 9, 10, 10, "outside of the pool" },
        { 1, TX_BYTES, 1, 1, "outside of the pool" },
        { 1, TX_BYTES + 1, 0, 0, "outside of the pool" },
        { 1, UINT32_MAX, 1, 1, "outside of the pool" },
        { 1, 0u - 64u, 65536, 65536, "outside of the pool" },
    };
    struct link_request request;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_with(4096);
        guest_sends(7, TX_BYTES - 65536, 65536, 65536);        /* as much as may be */
        EQ(link_back_recv(&back, &request), 1);
        guest_sends(table[i].id, table[i].off, table[i].size, table[i].len);
        EQ(link_back_recv(&back, &request), -EPROTO);
        CU_ASSERT_PTR_NOT_NULL(strstr(back.why, table[i].why));
    }
}

static void a_guest_that_breaks_a_rule_of_rx_is_told_which(void)
{
    static const struct { uint32_t id, off, size; const char *why; } table[] = {
        { SLOTS, 0, 64, "beyond the ring" },
        { 5, 0, 64, "posted twice" },
        { 30, 0, 0, "shape" },
        { 30, 0, 63, "shape" },
        { 30, 0, 65, "shape" },
        { 30, 32, 64, "shape" },
        { 30, 0, 65536 + 64, "shape" },
        { 30, RX_BYTES, 64, "outside of the pool" },
        { 30, RX_BYTES - 64, 128, "outside of the pool" },
        { 30, 0u - 64u, 64, "outside of the pool" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_with(4096);                        /* ids 0 to 23 are posted */
        guest_posts(rx_ring, &(struct vsockif_slot){ .id = 29, .off = RX_BYTES - 64, .size = 64 });
        EQ(link_back_refill(&back), 0);
        guest_posts(rx_ring, &(struct vsockif_slot){ .id = table[i].id, .off = table[i].off, .size = table[i].size });
        EQ(link_back_refill(&back), -EPROTO);
        CU_ASSERT_PTR_NOT_NULL(strstr(back.why, table[i].why));
    }
}

static void a_guest_with_an_impossible_index_is_told_so(void)
{
    struct link_request request;

    open_with(4096);
    ((struct vsockif_ring *)(void *)tx_ring)->req_prod = SLOTS + 1;
    EQ(link_back_recv(&back, &request), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(back.why, "impossible index of tx"));
    ((struct vsockif_ring *)(void *)rx_ring)->req_prod--;
    EQ(link_back_refill(&back), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(back.why, "impossible index of rx"));
}

static void a_header_changed_after_it_was_read_changes_nothing(void)
{
    struct link_request request;

    open_with(4096);
    guest_sends(3, 0, 10, 10);
    EQ(link_back_recv(&back, &request), 1);
    memset(slot(tx_ring, 0), 0xff, sizeof(struct vsockif_slot));
    EQ(request.hdr.len, 10);
    EQ(request.id, 3);
}

/* ---- a backend that breaks a rule ---- */

static void backend_completes(uint32_t id)
{
    struct vsockif_ring *header = (void *)tx_ring;

    *slot(tx_ring, header->rsp_prod) = (struct vsockif_slot){ .id = id };
    header->rsp_prod++;
}

static void a_completion_of_what_is_not_in_flight_is_refused(void)
{
    static const uint32_t ids[] = { SLOTS, UINT32_MAX, 31, 1 };     /* 0 and 1 are in flight; 1 is completed twice */

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        open_with(4096);
        REQUIRE(send_up(0, 10) && send_up(1, 10));
        link_front_publish(&front);
        backend_completes(1);
        EQ(link_front_reap(&front), 1);
        backend_completes(ids[i]);
        EQ(link_front_reap(&front), -EPROTO);
        CU_ASSERT_PTR_NOT_NULL(strstr(front.why, "not in flight"));
    }
    open_with(4096);
    backend_completes(0);
    EQ(link_front_reap(&front), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(front.why, "impossible index"));
}

/* Where each id is used, the next one is beyond everything that the link knows. */
static void a_completion_beyond_the_largest_ring_is_refused(void)
{
    static _Alignas(4096) uint8_t ring[VSOCKIF_PAGE_SIZE << VSOCKIF_MAX_RING_PAGE_ORDER];
    struct vsockif_ring *header = (void *)ring;

    open_with(4096);
    memset(ring, 0, sizeof ring);
    mem.tx_ring = ring;
    mem.tx_order = VSOCKIF_MAX_RING_PAGE_ORDER;
    mem.rx_buffer = 4096;
    memset(rx_ring, 0, sizeof rx_ring);
    link_front_init(&front, &mem);
    REQUIRE(send_up(0, 1));
    link_front_publish(&front);
    *slot(ring, 0) = (struct vsockif_slot){ .id = LINK_MAX_SLOTS };
    header->rsp_prod = 1;
    EQ(link_front_reap(&front), -EPROTO);
}

/* Packets as lists of slots; buffers of 4096 bytes, ids posted in the order 0, 1, 2, … */
static void a_backend_that_breaks_a_rule_of_rx_is_told_which(void)
{
    enum { MOST = 18 };
    static const struct {
        uint32_t len, published;
        struct { uint32_t id, size, count; } s[3];
        const char *why;
    } table[] = {
        { 10, 1, { { 0, 10, 1 } }, NULL },
        { 0, 1, { { 0, 0, 1 } }, NULL },
        { 5000, 2, { { 0, 4096, 2 }, { 1, 904, 0 } }, NULL },
        { 0, 1, { { 0, 0, 0 } }, "wrong count" },
        { 0, 2, { { 0, 0, 2 }, { 1, 0, 0 } }, "wrong count" },
        { 10, 1, { { 0, 10, 0 } }, "wrong count" },
        { 10, 2, { { 0, 10, 2 }, { 1, 0, 0 } }, "wrong count" },
        { 4096, 2, { { 0, 4096, 2 }, { 1, 0, 0 } }, "wrong count" },
        { 5000, 1, { { 0, 4096, 1 } }, "wrong count" },
        { 10, 1, { { 0, 10, 65535 } }, "wrong count" },
        { 65537, 17, { { 0, 4096, 17 } }, "longer than any" },
        { UINT32_MAX, 1, { { 0, 4096, 1 } }, "longer than any" },
        { 5000, 1, { { 0, 4096, 2 }, { 1, 904, 0 } }, "in parts" },
        { 10, 1, { { 24, 10, 1 } }, "not posted" },
        { 10, 1, { { UINT32_MAX, 10, 1 } }, "not posted" },
        { 5000, 2, { { 0, 4096, 2 }, { 0, 904, 0 } }, "not posted" },
        { 10, 1, { { 0, 11, 1 } }, "wrong size" },
        { 10, 1, { { 0, 9, 1 } }, "wrong size" },
        { 0, 1, { { 0, 1, 1 } }, "wrong size" },
        { 5000, 2, { { 0, 2500, 2 }, { 1, 2500, 0 } }, "wrong size" },
        { 5000, 2, { { 0, 4096, 2 }, { 1, 4096, 0 } }, "wrong size" },
        { 5000, 2, { { 0, 4096, 2 }, { 1, 904, 1 } }, "within another" },
        { 0, 25, { { 0, 0, 1 } }, "impossible index" },
    };
    struct link_packet packet;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vsockif_ring *header = (void *)rx_ring;

        open_with(4096);
        for (uint32_t k = 0; k < MOST; k++)
            *slot(rx_ring, k) = (struct vsockif_slot){ .id = k, .size = 4096 };
        for (uint32_t k = 0; k < 3 && (k < table[i].published || table[i].s[k].size); k++)
            *slot(rx_ring, k) = (struct vsockif_slot){
                .hdr.len = table[i].len, .id = table[i].s[k].id, .size = table[i].s[k].size, .count = (uint16_t)table[i].s[k].count
            };
        header->rsp_prod = table[i].published;
        EQ(link_front_recv(&front, &packet), table[i].why ? -EPROTO : 1);
        if (table[i].why && !strstr(front.why, table[i].why)) {
            printf("  case %zu: '%s' does not say '%s'\n", i, front.why, table[i].why);
            CU_FAIL("another rule was named");
        }
    }
}

/* ---- everything at once ---- */

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

static uint32_t random_length(void)
{
    return random_below(4) == 0 ? 0 : random_below(3) ? random_below(2000) : random_below(65537);
}

static void random_traffic_arrives_whole_and_in_order(void)
{
    for (uint32_t seed = 1; seed <= 6; seed++) {
        uint32_t up_len[LINK_MAX_SLOTS], down_len[LINK_MAX_SLOTS], up_sent = 0, up_got = 0, down_sent = 0, down_got = 0;
        uint32_t held[SLOTS], held_count = 0, kept_count = 0, len;
        struct link_packet kept[SLOTS];

        random_state = seed * 2654435761u;
        open_with(LINK_MIN_RX_BUFFER << seed % 3);
        for (uint32_t step = 0; step < 30000; step++)
            switch (random_below(10)) {
            case 0:
                len = random_length();
                if (send_up(up_sent, len))
                    up_len[up_sent++ % LINK_MAX_SLOTS] = len;
                break;
            case 1:
                link_front_publish(&front);
                break;
            case 2:
                if (up_got != up_sent && ring_pending(&back.tx) > 0) {
                    expect_up(up_got, up_len[up_got % LINK_MAX_SLOTS], &held[held_count++]);
                    up_got++;
                }
                break;
            case 3:
                if (held_count) {
                    uint32_t k = random_below(held_count);

                    link_back_done(&back, held[k]);
                    held[k] = held[--held_count];
                }
                break;
            case 4:
                REQUIRE(link_front_reap(&front) >= 0);
                break;
            case 5:
                len = random_length();
                if (send_down(down_sent, len))
                    down_len[down_sent++ % LINK_MAX_SLOTS] = len;
                break;
            case 6:
                link_back_publish(&back);
                break;
            case 7:
                if (ring_pending(&front.rx) > 0) {
                    expect_down(down_got, down_len[down_got % LINK_MAX_SLOTS], &kept[kept_count++]);
                    down_got++;
                }
                break;
            case 8:
                if (kept_count) {
                    uint32_t k = random_below(kept_count);

                    give_back(&kept[k]);
                    kept[k] = kept[--kept_count];
                }
                break;
            default:
                REQUIRE(link_back_refill(&back) == 0);
                break;
            }
        REQUIRE(up_got > 300 && down_got > 300);
    }
}

static void a_reason_travels_both_ways_with_the_packet_it_belongs_to(void)
{
    static const struct reason given[] = { { VSOCKIF_REASON_STATUS, 42 }, { VSOCKIF_REASON_POLICY, 0 }, { 255, 254 }, { 0, 0 } };
    struct vsockif_hdr hdr = { .op = VSOCKIF_OP_RST };
    struct link_request request;
    struct link_packet packet;

    open_with(4096);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        link_front_control(&front, &hdr, given[i]);
        link_front_publish(&front);
        REQUIRE(link_back_recv(&back, &request) == 1);
        EQ(request.reason.code, given[i].code);
        EQ(request.reason.detail, given[i].detail);
        link_back_done(&back, request.id);

        link_back_control(&back, &hdr, given[i]);
        REQUIRE(send_down(7, 100));
        link_back_publish(&back);
        REQUIRE(link_front_recv(&front, &packet) == 1);
        EQ(packet.reason.code, given[i].code);
        EQ(packet.reason.detail, given[i].detail);
        EQ(packet.count, 1);
        give_back(&packet);
        expect_down(7, 100, &packet);
        EQ(packet.reason.code, 0);
        EQ(packet.reason.detail, 0);
        give_back(&packet);
        link_front_publish(&front);
        EQ(link_back_refill(&back), 0);
        EQ(back.count, front.buffers);
    }
}

static const struct test tests[] = {
    TEST(a_reason_travels_both_ways_with_the_packet_it_belongs_to),
    TEST(every_length_goes_up_and_its_buffer_comes_back),
    TEST(every_length_comes_down_for_every_size_of_buffer),
    TEST(nothing_is_shown_before_publish),
    TEST(a_slow_reader_keeps_only_its_own_buffer),
    TEST(packets_without_data_pass_when_data_may_not),
    TEST(what_a_reservation_does_not_need_goes_back),
    TEST(adjacent_buffers_are_one_piece_of_room),
    TEST(scattered_buffers_are_as_many_pieces_as_there_is_space_for),
    TEST(an_end_sleeps_only_when_nothing_waits),
    TEST(a_frontend_that_waits_for_a_completion_is_known_to), TEST(counters_count),
    TEST(a_guest_that_breaks_a_rule_of_tx_is_told_which),
    TEST(a_guest_that_breaks_a_rule_of_rx_is_told_which),
    TEST(a_guest_with_an_impossible_index_is_told_so),
    TEST(a_header_changed_after_it_was_read_changes_nothing),
    TEST(a_completion_of_what_is_not_in_flight_is_refused),
    TEST(a_completion_beyond_the_largest_ring_is_refused),
    TEST(a_backend_that_breaks_a_rule_of_rx_is_told_which),
    TEST(random_traffic_arrives_whole_and_in_order),
};

int main(int argc, char **argv)
{
    return harness_run("link", tests, sizeof tests / sizeof *tests, argc, argv);
}
