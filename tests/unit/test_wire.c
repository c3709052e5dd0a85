/* SPDX-License-Identifier: MIT */
/* test_wire.c: the numbers that vsockif.h gives in its text, against its structs and against the code that runs.  That
 * the header compiles alone, as C and as C++, is checked by tests/layers.sh. */
#include <string.h>

#include "harness.h"
#include "vconn.h"
#include "vsockif.h"

static void a_ring_of_each_order_has_the_largest_power_of_two_that_fits(void)
{
    static const uint32_t slots[] = { 32, 64, 128, 256, 512 };

    for (uint32_t order = 0; order <= VSOCKIF_MAX_RING_PAGE_ORDER; order++) {
        size_t bytes = (size_t)VSOCKIF_PAGE_SIZE << order;
        uint32_t n = vsockif_ring_slots(order);

        EQ(n, slots[order]);
        EQ(n & (n - 1), 0);
        CU_ASSERT_TRUE(sizeof(struct vsockif_ring) + n * sizeof(struct vsockif_slot) <= bytes);
        CU_ASSERT_TRUE(sizeof(struct vsockif_ring) + 2 * n * sizeof(struct vsockif_slot) > bytes);
    }
}

static void a_header_is_44_bytes_of_virtio(void)
{
    /* the table of virtio 1.2, 5.10.6, written as the bytes that must be there */
    static const uint8_t bytes[44] = {
        3, 0, 0, 0, 0, 0, 0, 0,                 /* src_cid */
        2, 0, 0, 0, 1, 0, 0, 0,                 /* dst_cid */
        0x04, 0x03, 0x02, 0x01,                 /* src_port */
        0xd2, 0x04, 0, 0,                       /* dst_port 1234 */
        0, 0, 1, 0,                             /* len 65536 */
        1, 0, 5, 0,                             /* STREAM, RW */
        0, 0, 0, 0x80,                          /* flags */
        0, 0, 4, 0,                             /* buf_alloc 262144 */
        0xfe, 0xff, 0xff, 0xff                  /* fwd_cnt */
    };
    struct vsockif_hdr hdr = {
        .src_cid = 3, .dst_cid = UINT64_C(0x100000002), .src_port = 0x01020304, .dst_port = 1234,
        .len = VSOCKIF_MAX_PACKET, .type = VSOCKIF_TYPE_STREAM, .op = VSOCKIF_OP_RW, .flags = 0x80000000u,
        .buf_alloc = 262144, .fwd_cnt = UINT32_MAX - 1
    };

    EQ(sizeof hdr, sizeof bytes);
    EQ(memcmp(&hdr, bytes, sizeof bytes), 0);
}

static void a_slot_is_a_header_and_a_descriptor(void)
{
    struct vsockif_slot slot = { .id = 0x11, .off = 0x22, .size = 0x33, .count = 0x44, .status = -5, .reason = 0x66, .detail = 0x77 };
    const uint8_t *bytes = (const uint8_t *)&slot;

    EQ(sizeof slot, 64);
    EQ(_Alignof(struct vsockif_slot), 64);
    EQ(bytes[44], 0x11);
    EQ(bytes[48], 0x22);
    EQ(bytes[52], 0x33);
    EQ(bytes[56], 0x44);
    EQ(bytes[58], 0xfb);
    EQ(bytes[59], 0xff);
    EQ(bytes[60], 0x66);
    EQ(bytes[61], 0x77);
    EQ(bytes[62] | bytes[63], 0);
}

static void the_control_page_is_a_page(void)
{
    static _Alignas(8) struct vsockif_control control = { .magic = VSOCKIF_CONTROL_MAGIC, .front_live = 7, .back_live = 9 };
    const uint8_t *bytes = (const uint8_t *)&control;

    EQ(sizeof control, VSOCKIF_PAGE_SIZE);
    EQ(memcmp(bytes, "VSCK", 4), 0);
    EQ(bytes[24], 7);                           /* the byte that an unmap notification clears */
    EQ(bytes[25], 9);
    EQ((const uint8_t *)&control.ref[VSOCKIF_CONTROL_REFS] - bytes, VSOCKIF_PAGE_SIZE);
}

static void the_states_are_those_of_xenbus(void)
{
    EQ(VSOCKIF_INITIALISING, 1);
    EQ(VSOCKIF_INITWAIT, 2);
    EQ(VSOCKIF_INITIALISED, 3);
    EQ(VSOCKIF_CONNECTED, 4);
    EQ(VSOCKIF_CLOSING, 5);
    EQ(VSOCKIF_CLOSED, 6);
}

/* ---- section 8: the worked examples ---- */

/* The text's formula, in its own words. */
static uint32_t may_send(uint32_t peer_buf_alloc, uint32_t own_cap, uint32_t tx_cnt, uint32_t peer_fwd_cnt)
{
    uint32_t in_flight = tx_cnt - peer_fwd_cnt;
    uint32_t window = peer_buf_alloc < own_cap ? peer_buf_alloc : own_cap;
    int64_t room = (int64_t)window - (int64_t)in_flight;

    return room < 0 ? 0 : (uint32_t)room;
}

static void the_worked_examples_of_credit_hold_in_the_text_and_in_the_code(void)
{
    static const struct { uint32_t buf_alloc, cap, tx_cnt, fwd_cnt, room; } table[] = {
        { 262144, UINT32_MAX, 300000, 100000, 62144 },
        { 262144, UINT32_MAX, 5, 0xfffffffb, 262134 },          /* in flight 10 */
        { 4096, UINT32_MAX, 200000, 0, 0 },                     /* shrunk: 0, and not 4294771392 */
        { 4096, UINT32_MAX, 4096, 0, 0 },
        { 4097, UINT32_MAX, 4096, 0, 1 },
        { 262144, 65536, 60000, 0, 5536 },                      /* our own cap is the smaller one */
        { UINT32_MAX, 1000, 2000, 0, 0 },
        { UINT32_MAX, UINT32_MAX, 7, 7, UINT32_MAX },
        { 0, UINT32_MAX, 7, 7, 0 },
        { 10, UINT32_MAX, 3, 0xfffffffd, 4 },                   /* in flight 6, across the corner */
    };

    EQ((uint32_t)(4096u - 200000u), 4294771392u);               /* what the text warns of */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vconn c = {
            .state = VCONN_ESTABLISHED, .peer_alloc = table[i].buf_alloc, .tx_cap = table[i].cap,
            .tx_cnt = table[i].tx_cnt, .peer_fwd = table[i].fwd_cnt
        };

        EQ(may_send(table[i].buf_alloc, table[i].cap, table[i].tx_cnt, table[i].fwd_cnt), table[i].room);
        EQ(vconn_room(&c), table[i].room);
    }
}

static void the_limits_leave_room_for_one_another(void)
{
    CU_ASSERT_TRUE(VSOCKIF_CONTROL_SLOTS < vsockif_ring_slots(0));
    CU_ASSERT_TRUE(VSOCKIF_MAX_PACKET <= VSOCKIF_MAX_POOL_PAGES * VSOCKIF_PAGE_SIZE);
    CU_ASSERT_TRUE(VSOCKIF_MAX_PACKET / VSOCKIF_PAGE_SIZE <= vsockif_ring_slots(0));  /* one packet of whole pages fits */
    CU_ASSERT_TRUE(VSOCKIF_CID_FIRST > VSOCKIF_CID_HOST && VSOCKIF_CID_LAST < 0xffffffffu);
    /* a control page and two rings and pools of the default kind are within gntalloc's 1024 pages */
    CU_ASSERT_TRUE(VSOCKIF_CONTROL_REFS + 1 <= 1024);
}

static void both_directions_of_a_connection_have_one_queue(void)
{
    /* section 2: (src_port ^ dst_port) * 2654435761 >> 16, as u32 */
    uint32_t a = 1234, b = 1u << 30;
    uint32_t there = (a ^ b) * 2654435761u >> 16, back = (b ^ a) * 2654435761u >> 16;

    EQ(there, back);
    EQ(there, (uint32_t)(((uint64_t)(a ^ b) * 2654435761u) & UINT32_MAX) >> 16);
}

static const struct test tests[] = {
    TEST(a_ring_of_each_order_has_the_largest_power_of_two_that_fits),
    TEST(a_header_is_44_bytes_of_virtio),
    TEST(a_slot_is_a_header_and_a_descriptor),
    TEST(the_control_page_is_a_page),
    TEST(the_states_are_those_of_xenbus),
    TEST(the_worked_examples_of_credit_hold_in_the_text_and_in_the_code),
    TEST(the_limits_leave_room_for_one_another),
    TEST(both_directions_of_a_connection_have_one_queue),
};

int main(int argc, char **argv)
{
    return harness_run("wire", tests, sizeof tests / sizeof *tests, argc, argv);
}
