/* SPDX-License-Identifier: MIT */
/* test_backend_inbox.c: data that waits, in the guest's pool and in ours.  The link is real, its rings are in plain
 * memory, and the guest's end is a ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inbox.h"

#define ORDER 0u            /* 32 slots */
#define POOL  (32u * 4096u)

static _Alignas(4096) uint8_t tx_ring[4096], rx_ring[4096], tx_pool[POOL], rx_pool[4096];
static struct ring front;
static struct link_back back;
static struct inbox_table table;
static struct inbox box;

static void begin(uint64_t spill_limit)
{
    struct link_memory mem = { .tx_ring = tx_ring, .rx_ring = rx_ring, .tx_pool = tx_pool, .rx_pool = rx_pool,
                               .tx_bytes = POOL, .rx_bytes = 4096 };

    memset(tx_ring, 0, sizeof tx_ring);
    memset(rx_ring, 0, sizeof rx_ring);
    ring_init(&front, RING_FRONT, tx_ring, ORDER);
    link_back_init(&back, &mem);
    inbox_table_init(&table, &back, spill_limit);
    memset(&box, 0, sizeof box);
    for (uint32_t i = 0; i < POOL; i++)
        tx_pool[i] = (uint8_t)(i * 7 + i / 4096);
}

/* The guest sends len bytes at off under an id; they go into b. */
static void add(struct inbox *b, uint32_t id, uint32_t off, uint32_t len)
{
    struct vsockif_slot slot = { .hdr.len = len, .id = id, .off = off, .size = len };
    struct link_request packet;

    ring_put(&front, &slot);
    ring_publish(&front);
    REQUIRE(link_back_recv(&back, &packet) == 1);
    inbox_add(&table, b, packet.id, packet.data, len);
}

/* Ids that are back at the guest. */
static int returned(void)
{
    link_back_publish(&back);
    return ring_pending(&front);
}

/* Takes len bytes in one go and compares them with the pool from 'off'. */
static void takes(struct inbox *b, uint32_t len, uint32_t off)
{
    struct iovec iov[64];
    uint32_t done = 0;
    int used;

    EQ(inbox_peek(&table, b, len, iov, 64, &used), len);
    for (int i = 0; i < used; i++) {
        EQ(memcmp(iov[i].iov_base, tx_pool + off + done, iov[i].iov_len), 0);
        done += (uint32_t)iov[i].iov_len;
    }
    inbox_take(&table, b, len);
}

static void an_id_goes_back_with_its_last_byte(void)
{
    begin(0);
    add(&box, 3, 0, 100);
    add(&box, 9, 100, 50);
    takes(&box, 99, 0);
    EQ(returned(), 0);
    takes(&box, 1, 99);
    EQ(returned(), 1);
    takes(&box, 50, 100);
    EQ(returned(), 2);
    CU_ASSERT_TRUE(inbox_is_empty(&box));
    EQ(table.held_packets, 0);
    EQ(table.held_bytes, 0);
}

static void one_take_crosses_packets(void)
{
    begin(0);
    for (uint32_t i = 0; i < 10; i++)
        add(&box, i, i * 64, 64);
    takes(&box, 5 * 64 + 1, 0);
    EQ(returned(), 5);
    takes(&box, 4 * 64 + 63, 5 * 64 + 1);
    EQ(returned(), 10);
}

static void two_inboxes_do_not_mix(void)
{
    struct inbox other = { 0 };

    begin(0);
    add(&box, 0, 0, 10);
    add(&other, 1, 10, 10);
    add(&box, 2, 20, 10);
    takes(&other, 10, 10);
    takes(&box, 10, 0);
    takes(&box, 10, 20);
}

static void a_drop_gives_all_back_and_counts_it(void)
{
    begin(1 << 20);
    add(&box, 0, 0, 1000);
    add(&box, 1, 1000, 1000);
    REQUIRE(inbox_spill(&table, &box) == 0);
    add(&box, 2, 2000, 1000);
    takes(&box, 300, 0);
    EQ(inbox_drop(&table, &box), 2700);
    EQ(returned(), 3);
    EQ(table.spill_bytes, 0);
    EQ(inbox_drop(&table, &box), 0);
}

static void it_is_tight_by_packets_and_by_bytes(void)
{
    begin(0);
    for (uint32_t i = 0; i < 16; i++)
        add(&box, i, i, 1);
    CU_ASSERT_FALSE(inbox_is_tight(&table));
    add(&box, 16, 16, 1);
    CU_ASSERT_TRUE(inbox_is_tight(&table));
    inbox_drop(&table, &box);
    add(&box, 17, 0, 65536);
    CU_ASSERT_FALSE(inbox_is_tight(&table));
    add(&box, 18, 65536, 1);
    CU_ASSERT_TRUE(inbox_is_tight(&table));
    inbox_drop(&table, &box);
}

static void spilled_data_comes_first_and_whole(void)
{
    begin(1 << 20);
    add(&box, 0, 0, 5000);
    takes(&box, 700, 0);
    add(&box, 1, 5000, 100);
    REQUIRE(inbox_spill(&table, &box) == 0);
    EQ(returned(), 2);
    EQ(box.held_bytes, 0);
    add(&box, 2, 5100, 900);
    takes(&box, 5300, 700);
    EQ(table.spill_bytes, 0);
    EQ(returned(), 3);
}

static void single_bytes_share_memory(void)
{
    begin(1 << 20);
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 16; i++)
            add(&box, i, round * 16 + i, 1);
        REQUIRE(inbox_spill(&table, &box) == 0);
        ring_take(&front, (uint32_t)returned());
    }
    CU_ASSERT_TRUE(table.spill_bytes < 5000);
    takes(&box, 1600, 0);
    EQ(table.spill_bytes, 0);
}

static void beyond_the_budget_data_stays_with_the_guest(void)
{
    begin(10000);
    add(&box, 0, 0, 4000);
    add(&box, 1, 4000, 4000);
    add(&box, 2, 8000, 4000);
    EQ(inbox_spill(&table, &box), -ENOSPC);
    CU_ASSERT_TRUE(table.spill_bytes <= 10000);
    EQ(box.bytes, 12000);
    CU_ASSERT_TRUE(box.held_bytes > 0);
    takes(&box, 12000, 0);
    EQ(returned(), 3);
    EQ(table.spill_bytes, 0);
}

/* Against a model: bytes go in and come out in order, whatever is spilled in between. */
static void any_order_of_calls_keeps_the_order_of_bytes(void)
{
    bool flying[32] = { false };
    uint32_t in = 0, out = 0, seed = 1;

    begin(50000);
    for (int step = 0; step < 20000; step++) {
        uint32_t id = 32;
        struct vsockif_slot slot;

        seed = seed * 1103515245 + 12345;
        for (int n = returned(); n > 0; n--) {
            ring_get(&front, 0, &slot);
            ring_take(&front, 1);
            flying[slot.id] = false;
        }
        for (uint32_t i = 0; i < 32 && id == 32; i++)
            if (!flying[i])
                id = i;
        if (seed >> 16 & 1 && id < 32 && in - out < 60000) {
            uint32_t len = (seed >> 18) % 3000 + 1, off = in % 100000;

            flying[id] = true;
            for (uint32_t i = 0; i < len; i++)
                tx_pool[off + i] = (uint8_t)((in + i) * 31 >> 3);
            add(&box, id, off, len);
            in += len;
        } else if (seed >> 17 & 1) {
            inbox_spill(&table, &box);
        } else if (in != out) {
            uint32_t len = (seed >> 18) % (in - out) + 1;
            struct iovec iov[64];
            int used;

            len = inbox_peek(&table, &box, len, iov, 64, &used);
            for (int i = 0; i < used; i++)
                for (size_t k = 0; k < iov[i].iov_len; k++, out++)
                    REQUIRE(((uint8_t *)iov[i].iov_base)[k] == (uint8_t)(out * 31 >> 3));
            inbox_take(&table, &box, len);
        }
        EQ(box.bytes, in - out);
    }
    inbox_drop(&table, &box);
    EQ(table.spill_bytes, 0);
    EQ(table.held_packets, 0);
}

static const struct test tests[] = {
    TEST(an_id_goes_back_with_its_last_byte), TEST(one_take_crosses_packets), TEST(two_inboxes_do_not_mix),
    TEST(a_drop_gives_all_back_and_counts_it), TEST(it_is_tight_by_packets_and_by_bytes),
    TEST(spilled_data_comes_first_and_whole), TEST(single_bytes_share_memory),
    TEST(beyond_the_budget_data_stays_with_the_guest), TEST(any_order_of_calls_keeps_the_order_of_bytes)
};

int main(int argc, char **argv)
{
    return harness_run("inbox", tests, sizeof tests / sizeof *tests, argc, argv);
}
