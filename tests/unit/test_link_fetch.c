/* SPDX-License-Identifier: MIT */
/* test_link_fetch.c: a slot is fetched from shared memory once (XSA-155).
 *
 * The links are compiled here with a copy that spoils its source: the peer that rewrites a slot at the worst
 * moment, every time.  Whoever looks at a slot again, or copies it twice, finds rubbish. */
#include "shm.h"

static inline void copy_and_spoil(struct vsockif_slot *private_copy, const struct vsockif_slot *shared)
{
    shm_copy_slot(private_copy, shared);
    memset((void *)(uintptr_t)shared, 0xee, sizeof *shared);
}
#define shm_copy_slot copy_and_spoil
#include "ring.h"
#undef shm_copy_slot

#define protocol_error front_protocol_error
#include "link_front.c"
#undef protocol_error
#include "link_back.c"

#include "harness.h"

static _Alignas(4096) uint8_t tx_ring[VSOCKIF_PAGE_SIZE], rx_ring[VSOCKIF_PAGE_SIZE], tx_pool[1 << 18], rx_pool[1 << 17];
static struct link_front front;
static struct link_back back;

static void open_both(void)
{
    struct link_memory mem = { .tx_ring = tx_ring, .rx_ring = rx_ring, .tx_pool = tx_pool, .rx_pool = rx_pool,
                               .tx_bytes = sizeof tx_pool, .rx_bytes = sizeof rx_pool, .rx_buffer = 4096 };

    memset(tx_ring, 0, sizeof tx_ring);
    memset(rx_ring, 0, sizeof rx_ring);
    link_front_init(&front, &mem);
    link_back_init(&back, &mem);
    link_front_publish(&front);
    EQ(link_back_refill(&back), 0);
}

static void packets_go_up_and_completions_come_back(void)
{
    open_both();
    for (uint32_t n = 0; n < 200; n++) {
        uint32_t len = n * 331 % 65536 + 1, off, got = link_front_reserve(&front, len, &off);
        struct vsockif_hdr hdr = { .len = len, .src_port = n, .fwd_cnt = ~n };
        struct link_request request;

        REQUIRE(got >= len);
        link_front_send(&front, &hdr, off, got);
        link_front_publish(&front);
        REQUIRE(link_back_recv(&back, &request) == 1);
        EQ(memcmp(&request.hdr, &hdr, sizeof hdr), 0);
        CU_ASSERT_PTR_EQUAL(request.data, tx_pool + off);
        link_back_done(&back, request.id);
        link_back_publish(&back);
        REQUIRE(link_front_reap(&front) == 1);
        EQ(pool_free_bytes(&front.pool), sizeof tx_pool);
    }
}

static void packets_come_down_and_buffers_go_back(void)
{
    open_both();
    for (uint32_t n = 0; n < 200; n++) {
        struct vsockif_hdr hdr = { .len = n * 331 % 65536, .dst_port = n, .fwd_cnt = ~n };
        struct link_packet packet;
        uint32_t sum = 0;

        link_back_send(&back, &hdr);
        link_back_publish(&back);
        REQUIRE(link_front_recv(&front, &packet) == 1);
        EQ(memcmp(&packet.hdr, &hdr, sizeof hdr), 0);
        for (uint32_t i = 0; i < packet.count; i++) {
            sum += packet.piece[i].len;
            link_front_return(&front, packet.piece[i].id);
        }
        EQ(sum, hdr.len);
        link_front_publish(&front);
        REQUIRE(link_back_refill(&back) == 0);
        EQ(back.room, sizeof rx_pool);
    }
}

static const struct test tests[] = {
    TEST(packets_go_up_and_completions_come_back),
    TEST(packets_come_down_and_buffers_go_back),
};

int main(int argc, char **argv)
{
    return harness_run("link, each slot fetched once", tests, sizeof tests / sizeof *tests, argc, argv);
}
