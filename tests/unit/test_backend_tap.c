/* SPDX-License-Identifier: MIT */
/* test_backend_tap.c: what of a packet is copied for whom, and what happens when its reader does not read. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tap.h"

static struct list taps;
static int filled, gone;

static void on_filled(struct tap *t)
{
    (void)t;
    filled++;
}

static void on_gone(struct tap *t)
{
    (void)t;
    gone++;
}

static struct tap *make(uint32_t snap)
{
    struct tap *t = tap_new();

    REQUIRE(t != NULL);
    t->snap = snap;
    t->filled = on_filled;
    t->gone = on_gone;
    tap_join(t, &taps);
    return t;
}

static void begin(void)
{
    list_init(&taps);
    filled = gone = 0;
}

/* A packet of these ports; its data is in two pieces. */
static void show(uint32_t src_port, uint32_t dst_port, const char *data)
{
    size_t len = strlen(data), half = len / 2;
    struct vsockif_hdr hdr = { .src_cid = 10, .dst_cid = 2, .src_port = src_port, .dst_port = dst_port, .len = (uint32_t)len, .op = VSOCKIF_OP_RW };
    struct iovec iov[2] = { { (void *)(uintptr_t)data, half }, { (void *)(uintptr_t)(data + half), len - half } };

    tap_show(&taps, &(struct tap_packet){ TAPIF_FROM_GUEST, &hdr, 3, 4, iov, 2 }, 77);
}

/* The next record, which is in one piece or two, and its data, into room for 64 bytes of it; false if there is none. */
static bool next(struct tap *t, struct tapif_record *r, char *data)
{
    uint8_t whole[sizeof *r + 64];
    size_t at = 0, n, size = sizeof *r;
    const void *bytes;

    while (at < size && (n = tap_peek(t, &bytes))) {
        n = n < size - at ? n : size - at;
        memcpy(whole + at, bytes, n);
        tap_taken(t, n);
        if ((at += n) == sizeof *r) {
            memcpy(r, whole, sizeof *r);
            size = r->size;
            REQUIRE(size >= sizeof *r && size <= sizeof whole && size % 8 == 0);
        }
    }
    if (!at)
        return false;
    EQ(at, size);
    memcpy(data, whole + sizeof *r, r->captured);
    data[r->captured] = '\0';
    return true;
}

static void a_packet_is_copied_up_to_the_snap_length(void)
{
    struct tapif_record r;
    struct tap *t, *heads;
    char data[65];

    begin();
    t = make(5);
    heads = make(0);
    show(1000, 5, "hello world");
    EQ(filled, 2);
    show(1000, 5, "abc");
    EQ(filled, 2);              /* there was something already */
    REQUIRE(next(t, &r, data));
    CU_ASSERT_STRING_EQUAL(data, "hello");
    EQ(r.captured, 5);
    EQ(r.hdr.len, 11);
    EQ(r.hdr.src_port, 1000);
    EQ(r.time, 77);
    EQ(r.kind, TAPIF_FROM_GUEST);
    EQ(r.reason, 3);
    EQ(r.detail, 4);
    EQ(r.seen, 1);
    EQ(r.dropped, 0);
    REQUIRE(next(t, &r, data));
    CU_ASSERT_STRING_EQUAL(data, "abc");
    EQ(r.seen, 2);
    CU_ASSERT_FALSE(next(t, &r, data));
    REQUIRE(next(heads, &r, data));
    EQ(r.captured, 0);
    EQ(r.hdr.len, 11);
    EQ(r.size, sizeof r);
    tap_free(t);
    tap_free(heads);
}

static void either_port_of_a_packet_may_be_in_the_filter(void)
{
    static const struct { uint32_t src, dst; bool fits; } cases[] = {
        { 5, 1000, true }, { 1000, 5, true }, { 9, 9, true }, { 1000, 6, false }, { 0, 0, false }
    };
    struct tapif_record r;
    struct tap *t;
    char data[65];

    begin();
    t = make(0);
    t->ports[0] = 5;
    t->ports[1] = 9;
    t->port_count = 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        show(cases[i].src, cases[i].dst, "x");
        EQ(next(t, &r, data), cases[i].fits);
    }
    EQ(t->seen, 3);
    tap_free(t);
}

/* It goes on with what comes when there is room again, and says how many are missing. */
static void what_has_no_room_is_dropped_and_counted(void)
{
    uint32_t fits = TAP_BYTES / tapif_size(3), n = 0;
    struct tapif_record r;
    struct tap *t;
    char data[65];

    begin();
    t = make(100);
    for (uint32_t i = 0; i < fits + 10; i++)
        show(1, i, "abc");
    EQ(t->seen, fits + 10);
    EQ(t->dropped, 10);
    CU_ASSERT_FALSE(tap_end(t, 80));
    for (int i = 0; i < 20; i++) {
        REQUIRE(next(t, &r, data));
        EQ(r.hdr.dst_port, n++);
        EQ(r.dropped, 0);
    }
    show(1, 4242, "abc");
    REQUIRE(tap_end(t, 80));
    while (n < fits) {
        REQUIRE(next(t, &r, data));
        EQ(r.hdr.dst_port, n++);
    }
    REQUIRE(next(t, &r, data));
    EQ(r.hdr.dst_port, 4242);
    EQ(r.seen, fits + 11);
    EQ(r.dropped, 10);
    REQUIRE(next(t, &r, data));
    EQ(r.kind, TAPIF_END);
    EQ(r.time, 80);
    EQ(r.seen, fits + 11);
    EQ(r.dropped, 10);
    CU_ASSERT_FALSE(next(t, &r, data));
    tap_free(t);
}

/* Over the end of the ring and back to its begin, at all places where a record can be cut. */
static void records_go_over_the_end_of_the_ring(void)
{
    struct tapif_record r;
    struct tap *t;
    char data[65];

    begin();
    t = make(100);
    for (uint32_t i = 0; i < 3 * TAP_BYTES / sizeof r; i++) {
        char text[40] = "0123456789abcdefghijklmnopqrstuvwxyz";

        text[i % 37] = '\0';
        show(i, 1, text);
        REQUIRE(next(t, &r, data));
        EQ(r.hdr.src_port, i);
        CU_ASSERT_STRING_EQUAL(data, text);
    }
    EQ(t->dropped, 0);
    tap_free(t);
}

static void a_header_that_promises_more_than_there_is_is_not_believed(void)
{
    struct vsockif_hdr hdr = { .len = 1000 };
    struct iovec iov = { "abc", 3 };
    struct tapif_record r;
    struct tap *t;
    char data[65];

    begin();
    t = make(1000);
    tap_show(&taps, &(struct tap_packet){ TAPIF_TO_GUEST, &hdr, 0, 0, &iov, 1 }, 1);
    REQUIRE(next(t, &r, data));
    EQ(r.captured, 3);
    CU_ASSERT_STRING_EQUAL(data, "abc");
    tap_free(t);
}

static void who_shows_them_may_go_first(void)
{
    struct tap *t, *other;

    begin();
    t = make(0);
    other = make(0);
    tap_leave(other);
    tap_let_go(&taps);
    EQ(gone, 1);
    CU_ASSERT_TRUE(list_is_empty(&taps));
    tap_free(t);
    tap_free(other);
    tap_free(NULL);
}

static const struct test tests[] = {
    TEST(a_packet_is_copied_up_to_the_snap_length), TEST(either_port_of_a_packet_may_be_in_the_filter), TEST(what_has_no_room_is_dropped_and_counted),
    TEST(records_go_over_the_end_of_the_ring), TEST(a_header_that_promises_more_than_there_is_is_not_believed), TEST(who_shows_them_may_go_first)
};

int main(int argc, char **argv)
{
    return harness_run("tap", tests, sizeof tests / sizeof *tests, argc, argv);
}
