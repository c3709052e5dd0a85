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

static struct held held;

static void begin(uint64_t limit)
{
    struct link_memory mem = { .tx_ring = tx_ring, .rx_ring = rx_ring, .tx_pool = tx_pool, .rx_pool = rx_pool,
                               .tx_bytes = POOL, .rx_bytes = 4096 };

    memset(tx_ring, 0, sizeof tx_ring);
    memset(rx_ring, 0, sizeof rx_ring);
    ring_init(&front, RING_FRONT, tx_ring, ORDER);
    link_back_init(&back, &mem);
    held = (struct held){ .limit = limit };
    inbox_table_init(&table, &back, &held);
    memset(&box, 0, sizeof box);
    for (uint32_t i = 0; i < POOL; i++)
        tx_pool[i] = (uint8_t)(i * 7 + i / 4096);
}

/* The guest sends len bytes at off under an id. */
static const uint8_t *send_from_guest(uint32_t id, uint32_t off, uint32_t len)
{
    struct vsockif_slot slot = { .hdr.len = len, .id = id, .off = off, .size = len };
    struct link_request packet;

    ring_put(&front, &slot);
    ring_publish(&front);
    REQUIRE(link_back_recv(&back, &packet) == 1);
    EQ(packet.id, id);
    return packet.data;
}

/* …and they go into b. */
static void add(struct inbox *b, uint32_t id, uint32_t off, uint32_t len)
{
    inbox_add(&table, b, id, send_from_guest(id, off, len), len);
}

/* …as a part of a message. */
static void add_part(struct inbox *b, uint32_t id, uint32_t off, uint32_t len, uint32_t ends)
{
    inbox_add_part(&table, b, id, send_from_guest(id, off, len), len, ends);
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

/* Whoever has seen the first bytes goes on behind them, wherever these are: some moved out of the pool, some in it. */
static void a_look_begins_behind_any_number_of_bytes(void)
{
    for (uint32_t spilled = 0; spilled < 3; spilled++) {
        begin(1 << 20);
        for (uint32_t i = 0; i < 6; i++) {
            add(&box, i, i * 5000, 5000);
            if (i / 2 < spilled)
                REQUIRE(inbox_spill(&table, &box) == 0);
        }
        takes(&box, 100, 0);
        for (uint32_t skip = 0; skip <= 29900; skip += 100) {
            uint32_t done = skip + 100, left = 29900 - skip, want = left < 7000 ? left : 7000;
            struct iovec iov[64];
            int used;

            EQ(inbox_peek_at(&table, &box, skip, want, iov, 64, &used), want);
            for (int i = 0; i < used; i++) {
                CU_ASSERT_TRUE(iov[i].iov_len > 0);
                EQ(memcmp(iov[i].iov_base, tx_pool + done, iov[i].iov_len), 0);
                done += (uint32_t)iov[i].iov_len;
            }
            EQ(done, skip + 100 + want);
        }
        EQ(box.bytes, 29900);       /* it was only looked at */
        takes(&box, 29900, 100);
        EQ(held.chunks, 0);
    }
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
    EQ(held.chunks, 0);
    EQ(inbox_drop(&table, &box), 0);
}

static void it_is_tight_by_packets_and_by_bytes(void)
{
    begin(0);
    for (uint32_t i = 0; i < 16; i++)
        add(&box, i, i, 1);
    CU_ASSERT_FALSE(inbox_is_tight(&table, POOL / 2));
    add(&box, 16, 16, 1);
    CU_ASSERT_TRUE(inbox_is_tight(&table, POOL / 2));
    inbox_drop(&table, &box);
    add(&box, 17, 0, 65536);
    CU_ASSERT_FALSE(inbox_is_tight(&table, POOL / 2));
    add(&box, 18, 65536, 1);
    CU_ASSERT_TRUE(inbox_is_tight(&table, POOL / 2));
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
    EQ(held.chunks, 0);
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
    CU_ASSERT_TRUE(held.chunks < 5000);
    takes(&box, 1600, 0);
    EQ(held.chunks, 0);
}

static void beyond_the_budget_data_stays_with_the_guest(void)
{
    begin(10000);
    add(&box, 0, 0, 4000);
    add(&box, 1, 4000, 4000);
    add(&box, 2, 8000, 4000);
    EQ(inbox_spill(&table, &box), -ENOSPC);
    CU_ASSERT_TRUE(held.chunks <= 10000);
    EQ(box.bytes, 12000);
    CU_ASSERT_TRUE(box.held_bytes > 0);
    takes(&box, 12000, 0);
    EQ(returned(), 3);
    EQ(held.chunks, 0);
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
    EQ(held.chunks, 0);
    EQ(table.held_packets, 0);
}

/* What a guest has sent before it went away is kept whole, or what is missing is told. */
static void an_inbox_parts_with_all_that_is_in_it(void)
{
    struct chunks kept;
    struct iovec iov[64];
    uint32_t done = 0, lost;
    int used;

    begin(1 << 20);
    add(&box, 0, 0, 5000);
    takes(&box, 700, 0);
    REQUIRE(inbox_spill(&table, &box) == 0);
    add(&box, 1, 5000, 100);
    EQ(inbox_part(&table, &box, &kept), 0);
    CU_ASSERT_TRUE(inbox_is_empty(&box));
    EQ(returned(), 2);
    EQ(chunks_peek(&kept, UINT32_MAX, iov, 64, &used), 4400);
    for (int i = 0; i < used; i++) {
        EQ(memcmp(iov[i].iov_base, tx_pool + 700 + done, iov[i].iov_len), 0);
        done += (uint32_t)iov[i].iov_len;
    }
    CU_ASSERT_TRUE(held.chunks > 4400);
    EQ(chunks_take(&kept, &held, 4400), 4400);
    EQ(held.chunks, 0);

    begin(5000);
    add(&box, 0, 0, 3000);
    add(&box, 1, 3000, 4000);
    lost = inbox_part(&table, &box, &kept);
    CU_ASSERT_TRUE(lost > 0);
    EQ(lost + chunks_peek(&kept, UINT32_MAX, iov, 64, &used), 7000);
    CU_ASSERT_TRUE(held.chunks > 0 && held.chunks <= 5000);
    CU_ASSERT_TRUE(inbox_is_empty(&box));
    EQ(returned(), 2);
    chunks_drop(&kept, &held);
    EQ(held.chunks, 0);
}

/* One message of 'len' bytes from 'off', by pieces that begin anywhere, and whole. */
static void takes_message(struct inbox *b, uint32_t len, uint32_t off, uint32_t flags)
{
    static uint8_t whole[POOL];
    struct iovec iov[64];
    uint32_t ends;
    int used;

    EQ(inbox_message(&table, b), len);
    for (uint32_t skip = 0, n; skip < len; skip += n) {
        uint32_t at = off + skip;

        REQUIRE((n = inbox_peek_part(&table, b, skip, len - skip < 300 ? len - skip : 300, iov, 64, &used, &ends)) > 0);
        EQ(ends, skip + n == len ? flags : 0);
        for (int i = 0; i < used; at += (uint32_t)iov[i++].iov_len)
            EQ(memcmp(iov[i].iov_base, tx_pool + at, iov[i].iov_len), 0);
    }
    EQ(inbox_peek_part(&table, b, 0, UINT32_MAX, iov, 64, &used, &ends), len);      /* no further than its end */
    EQ(ends, flags);
    inbox_copy(&table, b, whole, len);
    EQ(memcmp(whole, tx_pool + off, len), 0);
    inbox_end_message(b);
    inbox_take(&table, b, len);
}

/* …in the guest's pool, moved out of it, or both. */
static void messages_keep_their_ends(void)
{
    for (int spilled = 0; spilled < 8; spilled++) {
        begin(1 << 20);
        add_part(&box, 0, 0, 1000, 0);
        EQ(inbox_message(&table, &box), 0);
        add_part(&box, 1, 1000, 1, VSOCKIF_SEQ_EOM);
        if (spilled & 1)
            REQUIRE(inbox_spill(&table, &box) == 0);
        add_part(&box, 2, 1001, 1, VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR);
        add_part(&box, 3, 1002, 400, 0);
        if (spilled & 2)
            REQUIRE(inbox_spill(&table, &box) == 0);
        add_part(&box, 4, 1402, 400, VSOCKIF_SEQ_EOM);
        add_part(&box, 5, 1802, 7, 0);
        if (spilled & 4)
            REQUIRE(inbox_spill(&table, &box) == 0);
        EQ(box.whole, 3);
        takes_message(&box, 1001, 0, VSOCKIF_SEQ_EOM);
        takes_message(&box, 1, 1001, VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR);
        takes_message(&box, 800, 1002, VSOCKIF_SEQ_EOM);
        EQ(box.whole, 0);
        EQ(inbox_message(&table, &box), 0);
        EQ(inbox_drop(&table, &box), 7);
        EQ(held.chunks, 0);
    }
}

/* A part is moved as a whole or not at all: its end stays with it, here as there. */
static void a_message_beyond_the_budget_stays_with_the_guest(void)
{
    begin(10000);
    add_part(&box, 0, 0, 6000, 0);
    add_part(&box, 1, 6000, 3000, VSOCKIF_SEQ_EOM);
    EQ(inbox_spill(&table, &box), -ENOSPC);
    EQ(returned(), 1);
    EQ(box.held_bytes, 3000);
    EQ(box.whole, 1);
    takes_message(&box, 9000, 0, VSOCKIF_SEQ_EOM);
    EQ(returned(), 2);
    EQ(held.chunks, 0);
}

/* A relay takes parts before the rest has come. */
static void a_part_that_was_taken_is_no_part_of_the_message_any_more(void)
{
    struct iovec iov[64];
    uint32_t ends;
    int used;

    begin(1 << 20);
    add_part(&box, 0, 0, 1000, 0);
    EQ(inbox_peek_part(&table, &box, 0, 700, iov, 64, &used, &ends), 700);
    EQ(ends, 0);
    inbox_take(&table, &box, 700);
    REQUIRE(inbox_spill(&table, &box) == 0);
    add_part(&box, 1, 1000, 50, VSOCKIF_SEQ_EOM);
    takes_message(&box, 350, 700, VSOCKIF_SEQ_EOM);
    EQ(held.chunks, 0);
}

/* A guest's sockets have half of its limit; what is spilled may have what they leave, but for an eighth of it all. */
static void sockets_and_chunks_share_one_limit(void)
{
    struct held h = { .limit = 1 << 20 };
    uint32_t a = 0, b = 0;

    CU_ASSERT_TRUE(held_fits(&h, a, 100000, 100000));
    CU_ASSERT_FALSE(held_fits(&h, a, 100000, 100001));
    EQ(held_room(&h, a, 100000, false), 100000);
    held_wrote(&h, &a, 60000);
    CU_ASSERT_TRUE(a > 60000 && a < 70000 && h.in_sockets == a);
    EQ(held_room(&h, a, 100000, false), 100000 - a);
    EQ(held_room(&h, a, 1000, false), 0);
    held_wrote(&h, &b, 1);
    CU_ASSERT_TRUE(b >= 4352);          /* the most that a byte costs */
    held_saw(&h, &b, 768);              /* what it does */
    EQ(h.in_sockets, a + 768);
    held_saw(&h, &b, 1 << 19);
    EQ(held_room(&h, a, UINT32_MAX, true), 0);
    CU_ASSERT_FALSE(held_take(&h, 1 << 19));
    held_saw(&h, &b, 0);
    held_saw(&h, &a, 0);
    EQ(h.in_sockets, 0);
    CU_ASSERT_TRUE(held_take(&h, (7 << 17) - 1000));
    EQ(held_room(&h, 0, UINT32_MAX, true), (1 << 16) + 500);
    EQ(held_room(&h, 0, UINT32_MAX, false), HELD_LITTLE);
    CU_ASSERT_TRUE(held_fits(&h, 0, UINT32_MAX, 500));
    CU_ASSERT_FALSE(held_fits(&h, 0, UINT32_MAX, 501));
    CU_ASSERT_FALSE(held_take(&h, 1001));
    CU_ASSERT_TRUE(held_take(&h, 1000));
    held_give(&h, 7 << 17);
    EQ(h.chunks, 0);
}

/* Where a stream may have all that the kernel lets it have, nobody need ask the kernel. */
static void a_full_socket_is_not_asked_for(void)
{
    struct held h = { .limit = 4 << 20 };
    uint32_t a = 0;

    for (int i = 0; i < 100; i++) {
        CU_ASSERT_TRUE(held_fits(&h, a, HELD_SOCKET, 65536));
        held_wrote(&h, &a, 65536);
    }
    EQ(a, HELD_SOCKET);
    EQ(h.in_sockets, HELD_SOCKET);
    CU_ASSERT_FALSE(held_fits(&h, a, HELD_SOCKET - 1, 65536));
    held_saw(&h, &a, HELD_SOCKET + 1000);       /* what the kernel says is believed */
    held_wrote(&h, &a, 65536);
    EQ(a, HELD_SOCKET + 1000);
    CU_ASSERT_TRUE(held_fits(&h, a, HELD_SOCKET, 65536));
    h.in_sockets = h.limit / 8 * 3 - 100;
    CU_ASSERT_FALSE(held_fits(&h, a, HELD_SOCKET, 65536));
}

/* Sockets that nobody reads take less and less: some may still begin, and whoever reads always finds room, whatever their number. */
static void a_reader_finds_room_beside_a_thousand_that_stand_still(void)
{
    struct held h = { .limit = 4 << 20 };
    uint32_t in[1000] = { 0 }, reader = 0, many = 0;

    for (int round = 0; round < 20; round++)
        for (int i = 0; i < (round < 10 ? 20 : 1000); i++)
            if (held_room(&h, in[i], 1 << 20, false) >= 4096)
                held_wrote(&h, &in[i], held_room(&h, in[i], 1 << 20, false));
    for (int i = 0; i < 1000; i++)
        many += in[i] > 0;
    CU_ASSERT_TRUE(many >= 20);
    CU_ASSERT_TRUE(h.in_sockets > h.limit / 4 && h.in_sockets <= h.limit / 16 * 7 + 10000);
    EQ(held_room(&h, 0, 1 << 20, false) >= 4096, false);
    /* Nor does what is spilled take it from them; it once stood still for ever. */
    while (held_take(&h, 4000))
        ;
    CU_ASSERT_TRUE(h.chunks + h.in_sockets > h.limit / 16 * 13);
    CU_ASSERT_TRUE(held_room(&h, reader, 1 << 20, true) > 100000);
    held_wrote(&h, &reader, 100000);
    CU_ASSERT_TRUE(h.in_sockets <= h.limit / 2);
}

static const struct test tests[] = {
    TEST(an_id_goes_back_with_its_last_byte), TEST(one_take_crosses_packets),
    TEST(a_look_begins_behind_any_number_of_bytes), TEST(two_inboxes_do_not_mix),
    TEST(a_drop_gives_all_back_and_counts_it), TEST(it_is_tight_by_packets_and_by_bytes),
    TEST(spilled_data_comes_first_and_whole), TEST(single_bytes_share_memory),
    TEST(beyond_the_budget_data_stays_with_the_guest), TEST(an_inbox_parts_with_all_that_is_in_it),
    TEST(messages_keep_their_ends), TEST(a_message_beyond_the_budget_stays_with_the_guest),
    TEST(a_part_that_was_taken_is_no_part_of_the_message_any_more),
    TEST(sockets_and_chunks_share_one_limit), TEST(a_full_socket_is_not_asked_for),
    TEST(a_reader_finds_room_beside_a_thousand_that_stand_still),
    TEST(any_order_of_calls_keeps_the_order_of_bytes)
};

int main(int argc, char **argv)
{
    return harness_run("inbox", tests, sizeof tests / sizeof *tests, argc, argv);
}
