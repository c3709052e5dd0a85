/* SPDX-License-Identifier: MIT */
/* test_hostile_backend.c: the library treats its backend as untrusted.
 *
 * For each rule that a backend can break: the device goes down with a reason that names the rule, a stream that was open ends
 * with ECONNRESET, its unread data can still be read, and after a correct handshake the device works again. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "harness.h"
#include "hosted.h"
#include "rawback.h"
#include "xvs.h"

#define GUEST 1u
#define CID 1001u
#define PORT 77u
#define HOST_PORT 5000u

static struct rawback back;
static struct xvs *x;
static struct xvs_listener *listener;


/* The library opens its devices anew at each connect, as the guest that it is. */
static void process(void)
{
    hosted_become(GUEST);
    xvs_process(x);
    hosted_become(0);
}

/* Lets the library work until is_done; false if that does not come. */
static bool process_until(bool (*is_done)(void *), void *arg)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        struct pollfd pfd = { .fd = xvs_fd(x), .events = POLLIN };

        process();
        if (is_done(arg))
            return true;
        poll(&pfd, 1, 10);
    }
    return false;
}

static bool front_is_in(void *state)
{
    return rawback_front_state(&back) == *(unsigned *)state;
}

static bool is_up(void *wanted)
{
    return xvs_is_up(x) == *(bool *)wanted;
}

/* The handshake of section 3, from wherever the frontend is. */
static void connect_device(void)
{
    unsigned one = VSOCKIF_INITIALISING, three = VSOCKIF_INITIALISED;
    bool up = true;

    REQUIRE(process_until(front_is_in, &one));
    REQUIRE(rawback_offer(&back) == 0);
    REQUIRE(process_until(front_is_in, &three));
    REQUIRE(rawback_map(&back) == 0);
    REQUIRE(process_until(is_up, &up));
}

static void drain_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(x, &ev))
        ;
}

/* A stream from the host, accepted, with 'unread' bytes waiting. */
static struct xvs_stream *stream(uint32_t unread)
{
    struct vsockif_hdr hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, HOST_PORT, PORT), got;
    struct xvs_stream *s = NULL;

    REQUIRE(rawback_send(&back, &hdr) == 0);
    REQUIRE(xvs_accept_wait(listener, PATIENCE_MS, &s) == 0);
    process();
    while (rawback_recv(&back, &got) > 0)
        ;
    if (unread) {
        hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT);
        hdr.len = unread;
        REQUIRE(rawback_send(&back, &hdr) == 0);
        process();
        EQ(xvs_stream_readable(s), unread);
    }
    return s;
}

static void start(void)
{
    hosted_become(0);
    REQUIRE(rawback_open(&back, GUEST, 0, CID) == 0);
    hosted_become(GUEST);
    REQUIRE(xvs_open(NULL, &x) == 0);
    REQUIRE(xvs_listen(x, PORT, 4, &listener) == 0);
    hosted_become(0);
    connect_device();
}

static void stop(void)
{
    xvs_close(x);
    rawback_close(&back);
}

/* What every violation must lead to. */
static void expect_reset(struct xvs_stream *s, uint32_t unread, const char *words)
{
    bool up = false;
    char byte[4096];
    ssize_t n;

    rawback_kick(&back);
    CU_ASSERT_TRUE(process_until(is_up, &up));
    if (!strstr(xvs_reason(x), words)) {
        fprintf(stderr, "reason: %s (wanted: %s)\n", xvs_reason(x), words);
        CU_FAIL("the reason does not name the rule");
    }
    if (s) {
        while ((n = xvs_recv(s, byte, sizeof byte, 0)) > 0)
            unread -= (uint32_t)n;
        EQ(unread, 0);
        EQ(n, -ECONNRESET);
        EQ(xvs_stream_error(s), -ECONNRESET);
        EQ(xvs_send(s, "x", 1, 0), -ECONNRESET);
        xvs_stream_close(s);
    }
    /* It comes back after a correct handshake, and carries bytes. */
    rawback_unmap(&back);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    drain_events();
    connect_device();
    s = stream(100);
    xvs_stream_reset(s);
}

static void an_impossible_rx_index_closes_the_device(void)
{
    struct xvs_stream *s;

    start();
    s = stream(10000);
    __atomic_store_n(back.link.rx.out_prod, back.link.rx.out + 100000, __ATOMIC_SEQ_CST);
    expect_reset(s, 10000, "impossible index of rx responses");
    stop();
}

static void an_impossible_tx_index_closes_the_device(void)
{
    struct xvs_stream *s;

    start();
    s = stream(1);
    __atomic_store_n(back.link.tx.out_prod, back.link.tx.out + 3, __ATOMIC_SEQ_CST);
    expect_reset(s, 1, "impossible index of tx responses");
    stop();
}

static void an_index_that_goes_back_closes_the_device(void)
{
    struct xvs_stream *s;
    start();
    s = stream(1);
    __atomic_store_n(back.link.rx.out_prod, back.link.rx.out - 1, __ATOMIC_SEQ_CST);
    expect_reset(s, 1, "impossible index of rx responses");
    stop();
}

/* Puts one response into the rx ring by hand. */
static void put_rx(struct vsockif_hdr hdr, uint32_t id, uint32_t size, uint16_t count)
{
    struct vsockif_slot slot = { .hdr = hdr, .id = id, .size = size, .count = count };

    REQUIRE(link_back_refill(&back.link) == 0);
    ring_put(&back.link.rx, &slot);
}

static void bad_rx(uint32_t id, uint32_t size, uint16_t count, uint32_t len, const char *words)
{
    struct vsockif_hdr hdr;
    struct xvs_stream *s;

    start();
    s = stream(5);
    hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT);
    hdr.len = len;
    put_rx(hdr, id, size, count);
    expect_reset(s, 5, words);
    stop();
}

static void an_rx_id_beyond_the_ring_closes_the_device(void)
{
    bad_rx(100000, 10, 1, 10, "id that was not posted");
}

static void an_rx_size_beyond_the_buffer_closes_the_device(void)
{
    bad_rx(100, 5000, 1, 4000, "wrong size");
}

static void an_rx_count_of_zero_closes_the_device(void)
{
    bad_rx(100, 10, 0, 10, "wrong count of buffers");
}

static void an_rx_length_beyond_any_closes_the_device(void)
{
    bad_rx(100, 10, 1, 0x80000000u, "longer than any");
}

static void a_packet_published_in_parts_closes_the_device(void)
{
    bad_rx(100, 4096, 3, 3 * 4096, "published in parts");
}

static void an_rx_id_answered_twice_closes_the_device(void)
{
    struct vsockif_hdr hdr;
    struct xvs_stream *s;
    uint32_t id;

    start();
    s = stream(5);
    REQUIRE(link_back_refill(&back.link) == 0);
    id = back.link.buffer[back.link.first].id;
    hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT);
    hdr.len = 10;
    put_rx(hdr, id, 10, 1);
    put_rx(hdr, id, 10, 1);
    expect_reset(s, 15, "id that was not posted");
    stop();
}

static void a_tx_id_that_is_not_in_flight_closes_the_device(void)
{
    struct vsockif_slot slot = { .id = 5 };
    struct xvs_stream *s, *other;

    start();
    s = stream(5);
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 1, &other) == 0);
    /* One request is in flight now; the answer names another one, taken and not completed by hand. */
    for (struct link_request r; link_back_recv(&back.link, &r) > 0; )
        slot.id = r.id == 5 ? 6 : 5;
    ring_put(&back.link.tx, &slot);
    expect_reset(s, 5, "id that is not in flight");
    stop();
}

static void bad_header(struct vsockif_hdr hdr, uint32_t unread, const char *words)
{
    struct xvs_stream *s;

    s = stream(unread);
    REQUIRE(rawback_send(&back, &hdr) == 0);
    expect_reset(s, unread, words);
    stop();
}

static void another_source_than_the_host_closes_the_device(void)
{
    struct vsockif_hdr hdr;

    start();
    hdr = rawback_header(&back, VSOCKIF_OP_CREDIT_UPDATE, HOST_PORT, PORT);
    hdr.src_cid = CID;
    bad_header(hdr, 1, "addresses that are not ours");
}

static void another_destination_than_us_closes_the_device(void)
{
    struct vsockif_hdr hdr;

    start();
    hdr = rawback_header(&back, VSOCKIF_OP_CREDIT_UPDATE, HOST_PORT, PORT);
    hdr.dst_cid = CID + 1;
    bad_header(hdr, 1, "addresses that are not ours");
}

static void an_unknown_op_closes_the_device(void)
{
    start();
    bad_header(rawback_header(&back, 99, HOST_PORT, PORT), 1, "op that does not exist");
}

static void an_unknown_type_closes_the_device(void)
{
    struct vsockif_hdr hdr;

    start();
    hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT);
    hdr.type = 7;
    bad_header(hdr, 1, "neither STREAM nor SEQPACKET");
}

static void data_of_length_zero_closes_the_device(void)
{
    start();
    bad_header(rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT), 1, "RW without data");
}

static void data_beyond_the_credit_closes_the_device(void)
{
    struct vsockif_hdr hdr;
    struct xvs_stream *s;
    uint32_t sent = 0;

    start();
    s = stream(0);
    hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, PORT);
    hdr.len = 65536;
    for (; sent < 524288; sent += hdr.len) {
        REQUIRE(rawback_send(&back, &hdr) == 0);
        process();
    }
    EQ(xvs_stream_readable(s), 524288);
    REQUIRE(rawback_send(&back, &hdr) == 0);
    expect_reset(s, 524288, "beyond the credit");
    stop();
}

static bool is_failed(void *s)
{
    return xvs_stream_error(s) != 0;
}

static void credit_for_bytes_never_sent_ends_that_stream_alone(void)
{
    struct vsockif_hdr hdr, got = { .op = 0 };
    struct xvs_stream *s;

    start();
    s = stream(1);
    hdr = rawback_header(&back, VSOCKIF_OP_CREDIT_UPDATE, HOST_PORT, PORT);
    hdr.fwd_cnt = 1;
    REQUIRE(rawback_send(&back, &hdr) == 0);
    rawback_kick(&back);
    CU_ASSERT_TRUE(process_until(is_failed, s));
    EQ(xvs_stream_error(s), -ECONNRESET);
    while (got.op != VSOCKIF_OP_RST && process_until(is_failed, s) && rawback_recv(&back, &got) >= 0)
        ;
    CU_ASSERT_TRUE(xvs_is_up(x));
    xvs_stream_close(s);
    s = stream(100);
    xvs_stream_reset(s);
    stop();
}

/* Every REQUEST to a port that nobody listens on is answered once; the storm leaves no trace. */
static void a_storm_of_requests_is_answered_and_forgotten(void)
{
    struct vsockif_hdr hdr, got;
    struct xvs_stats stats = { .size = sizeof stats };
    unsigned resets = 0;

    start();
    for (uint32_t i = 0; i < 5000; i++) {
        hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, i, 9999);
        REQUIRE(rawback_send(&back, &hdr) == 0);
        process();
        while (rawback_recv(&back, &got) > 0)
            resets += got.op == VSOCKIF_OP_RST;
    }
    EQ(resets, 5000);
    xvs_get_stats(x, &stats);
    EQ(stats.streams, 0);
    CU_ASSERT_TRUE(xvs_is_up(x));
    stop();
}

static void a_backlog_is_bounded(void)
{
    struct vsockif_hdr hdr, got;
    unsigned answers = 0, resets = 0;

    start();
    for (uint32_t i = 0; i < 100; i++) {
        hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, i, PORT);
        REQUIRE(rawback_send(&back, &hdr) == 0);
        process();
        while (rawback_recv(&back, &got) > 0) {
            answers += got.op == VSOCKIF_OP_RESPONSE;
            resets += got.op == VSOCKIF_OP_RST;
        }
    }
    EQ(answers, 4);
    EQ(resets, 96);
    stop();
}

/* A backend whose process dies says nothing: the byte in the control page does. */
static void a_dead_backend_is_noticed_by_its_byte(void)
{
    struct xvs_stream *s;
    bool up = false;

    start();
    s = stream(7);
    rawback_unmap(&back);
    CU_ASSERT_TRUE(process_until(is_up, &up));
    EQ(xvs_stream_error(s), -ECONNRESET);
    xvs_stream_close(s);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    connect_device();
    xvs_stream_reset(stream(3));
    stop();
}

static void a_device_that_is_removed_and_made_again_comes_back(void)
{
    struct xvs_stream *s;
    bool up = false;

    start();
    s = stream(7);
    rawback_close(&back);
    CU_ASSERT_TRUE(process_until(is_up, &up));
    EQ(xvs_stream_error(s), -ECONNRESET);
    xvs_stream_close(s);
    REQUIRE(rawback_open(&back, GUEST, 0, CID + 5) == 0);
    connect_device();
    EQ(xvs_cid(x), CID + 5);
    xvs_stream_reset(stream(3));
    stop();
}

static void a_second_opener_is_told_who_owns_the_device(void)
{
    struct xvs *second;

    start();
    hosted_become(GUEST);
    EQ(xvs_open(NULL, &second), -EBUSY);
    hosted_become(0);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "in this process"));
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_impossible_rx_index_closes_the_device),
        TEST(an_impossible_tx_index_closes_the_device),
        TEST(an_index_that_goes_back_closes_the_device),
        TEST(an_rx_id_beyond_the_ring_closes_the_device),
        TEST(an_rx_size_beyond_the_buffer_closes_the_device),
        TEST(an_rx_count_of_zero_closes_the_device),
        TEST(an_rx_length_beyond_any_closes_the_device),
        TEST(a_packet_published_in_parts_closes_the_device),
        TEST(an_rx_id_answered_twice_closes_the_device),
        TEST(a_tx_id_that_is_not_in_flight_closes_the_device),
        TEST(another_source_than_the_host_closes_the_device),
        TEST(another_destination_than_us_closes_the_device),
        TEST(an_unknown_op_closes_the_device),
        TEST(an_unknown_type_closes_the_device),
        TEST(data_of_length_zero_closes_the_device),
        TEST(data_beyond_the_credit_closes_the_device),
        TEST(credit_for_bytes_never_sent_ends_that_stream_alone),
        TEST(a_storm_of_requests_is_answered_and_forgotten),
        TEST(a_backlog_is_bounded),
        TEST(a_dead_backend_is_noticed_by_its_byte),
        TEST(a_device_that_is_removed_and_made_again_comes_back),
        TEST(a_second_opener_is_told_who_owns_the_device),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("hostile backend", tests, sizeof tests / sizeof *tests, argc, argv);
}
