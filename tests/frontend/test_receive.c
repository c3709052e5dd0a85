/* SPDX-License-Identifier: MIT */
/* test_receive.c: reading: in place and from the heap, peek and done, credit, the two ends of a stream, events. */
#include <sys/socket.h>

#include "lab.h"

static struct far a, b;
static uint8_t data[1 << 20];

/* Sends so many bytes to the guest in packets of 64 KiB. */
static void pour(struct far *f, uint32_t len)
{
    for (uint32_t n; len; len -= n) {
        n = len < 65536 ? len : 65536;
        lab_send(f, VSOCKIF_OP_RW, n);
        lab_process();
    }
}

static void received_bytes_are_read(void)
{
    struct xvs_stream *s;
    struct xvs_stats st = { .size = sizeof st };

    lab_start();
    s = lab_accept(&a, 5, 65536);
    EQ(xvs_recv(s, data, 10, 0), -EAGAIN);
    lab_send(&a, VSOCKIF_OP_RW, 10000);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_stream_readable(s), 10000);
    xvs_get_stats(x, &st);
    EQ(st.rx_buffers_held, 3);
    EQ(xvs_recv(s, data, 10, XVS_PEEK), 10);
    EQ(xvs_stream_readable(s), 10000);
    EQ(xvs_recv(s, data, 5000, 0), 5000);
    EQ(xvs_recv(s, data + 5000, 9000, XVS_PEEK), 5000);
    EQ(xvs_recv(s, data + 5000, 9000, 0), 5000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 10000));
    EQ(xvs_recv(s, data, 10, 0), -EAGAIN);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void peek_shows_in_place_and_done_consumes(void)
{
    struct iovec iov[4];
    struct xvs_stream *s;
    size_t total = 0;
    int n;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    EQ(xvs_peek(s, iov, 4), -EAGAIN);
    lab_send(&a, VSOCKIF_OP_RW, 20000);
    lab_process();
    EQ(xvs_peek(s, iov, 0), -EINVAL);
    EQ(xvs_peek(s, iov, -1), -EINVAL);
    EQ(xvs_peek(s, iov, 4), 1);                 /* posted in order, so it is one piece */
    EQ(iov[0].iov_len, 20000);
    CU_ASSERT_TRUE(lab_matches(iov[0].iov_base, 0, 20000));
    xvs_done(s, 5000);
    EQ(xvs_stream_readable(s), 15000);
    n = xvs_peek(s, iov, 1);
    EQ(n, 1);
    CU_ASSERT_TRUE(lab_matches(iov[0].iov_base, 5000, iov[0].iov_len));
    xvs_done(s, 0);
    lab_send(&a, VSOCKIF_OP_RW, 1);
    lab_send(&a, VSOCKIF_OP_RW, 1);
    lab_process();
    n = xvs_peek(s, iov, 4);
    for (int i = 0; i < n; i++) {
        CU_ASSERT_TRUE(lab_matches(iov[i].iov_base, 5000 + total, iov[i].iov_len));
        total += iov[i].iov_len;
    }
    EQ(total, 15002);
    xvs_done(s, 1 << 30);
    EQ(xvs_stream_readable(s), 0);
    EQ(xvs_peek(s, iov, 4), -EAGAIN);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* Half of the buffers may be held by those who do not read; the rest goes round. */
static void slow_readers_hold_half_of_the_buffers(void)
{
    struct xvs_stats st = { .size = sizeof st };
    struct xvs_stream *s[4], *t;
    struct far far[4];
    uint64_t base;

    lab_stop();
    options.rx_pool = 64u << 10;
    lab_start();
    xvs_get_stats(x, &st);
    base = st.memory;
    for (uint32_t i = 0; i < 4; i++) {
        s[i] = lab_accept(&far[i], 100 + i, 65536);
        for (uint32_t n = 0; n < 262144; n += 1024) {
            lab_send(&far[i], VSOCKIF_OP_RW, 1024);
            lab_process();
        }
    }
    t = lab_accept(&a, 5, 65536);
    for (int i = 0; i < 50; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 10000);
        lab_process();
        EQ(xvs_recv(t, data, sizeof data, 0), 10000);
        CU_ASSERT_TRUE(lab_matches(data, (uint32_t)i * 10000, 10000));
    }
    xvs_get_stats(x, &st);
    EQ(st.rx_buffers_held, 8);
    CU_ASSERT_TRUE(st.memory - base <= (4 << 20) / 4 * 5 / 4 + 100000);
    for (int i = 0; i < 4; i++) {
        EQ(xvs_recv(s[i], data, sizeof data, 0), 262144);
        CU_ASSERT_TRUE(lab_matches(data, 0, 262144));
        xvs_stream_reset(s[i]);
    }
    lab_close(&a, t);
    NO_LEAK();
    lab_stop();
}

static void a_million_packets_of_a_byte_cost_no_million_headers(void)
{
    struct xvs_stream *s;

    lab_stop();
    options.rx_pool = 64u << 10;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    for (int i = 0; i < 20000; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 1);
        if (i % 7 == 0)
            lab_process();
    }
    lab_process();
    CU_ASSERT_TRUE(x->trunk.heap_bytes < 3 * 20000);
    EQ(xvs_recv(s, data, sizeof data, 0), 20000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 20000));
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void unread_data_outlives_the_device(void)
{
    struct xvs_stream *s, *t;
    struct iovec iov[4];

    lab_start();
    s = lab_accept(&a, 5, 65536);
    t = lab_accept(&b, 6, 65536);
    pour(&a, 200000);
    pour(&b, 5000);
    EQ(xvs_recv(s, data, 70000, 0), 70000);
    xvs_done(t, 100);
    lab_events();
    lab_reset();
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), -ECONNRESET);
    EQ(xvs_stream_readable(s), 130000);
    EQ(xvs_recv(s, data + 70000, 1000, XVS_PEEK), 1000);
    EQ(xvs_recv(s, data + 70000, 1 << 19, 0), 130000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 200000));
    EQ(xvs_recv(s, data, 1, 0), -ECONNRESET);
    EQ(xvs_peek(s, iov, 4), -ECONNRESET);
    lab_handshake();                            /* with the rest still in hand */
    CU_ASSERT_TRUE(xvs_peek(t, iov, 4) >= 1);
    CU_ASSERT_TRUE(lab_matches(iov[0].iov_base, 100, iov[0].iov_len));
    EQ(xvs_recv(t, data, sizeof data, 0), 4900);
    CU_ASSERT_TRUE(lab_matches(data, 100, 4900));
    xvs_stream_close(s);
    xvs_stream_close(t);
    NO_LEAK();
    lab_stop();
}

static void unread_data_outlives_the_stream(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 100);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN | XVS_EVENT_HUP);
    EQ(xvs_recv(s, data, 1000, 0), 100);
    CU_ASSERT_TRUE(lab_matches(data, 0, 100));
    EQ(xvs_recv(s, data, 1000, 0), -ECONNRESET);
    EQ(xvs_shutdown(s, SHUT_RD), -ECONNRESET);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

/* What came before the end of the stream is whole, and a reader learns that before it learns of a later reset. */
static void an_end_of_stream_is_told_before_a_reset_that_follows_it(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 100);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(xvs_recv(s, data, 1000, 0), 100);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    EQ(xvs_send(s, data, 1, 0), -ECONNRESET);
    EQ(xvs_stream_error(s), -ECONNRESET);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void half_a_close_from_there_leaves_the_other_half(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 100);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_recv(s, data, 1000, 0), 100);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    lab_fill(data, 0, 5000);
    EQ(xvs_send(s, data, 5000, 0), 5000);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    lab_take(&a, false);
    EQ(a.got, 5000);
    EQ(a.shut, VSOCKIF_SHUTDOWN_SEND);
    a.fwd = a.got;
    lab_send(&a, VSOCKIF_OP_RST, 0);            /* the far end has seen both, and read all */
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), 0);
    EQ(xvs_recv(s, data, 1, 0), 0);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void what_comes_after_we_read_no_more_is_dropped_and_never_counts_as_read(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 1000);
    EQ(xvs_recv(s, data, 300, 0), 300);
    EQ(xvs_shutdown(s, SHUT_RD), 0);
    EQ(xvs_stream_readable(s), 0);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    lab_take(&a, false);
    EQ(a.shut, VSOCKIF_SHUTDOWN_RCV);
    EQ(a.told_fwd, 300);
    lab_events();
    pour(&a, 5000);
    EQ(lab_stream_events(s), 0);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    EQ(xvs_send(s, data, 1, 0), 1);
    lab_take(&a, false);
    EQ(a.told_fwd, 300);
    EQ(xvs_shutdown(s, SHUT_RDWR), 0);
    lab_take(&a, false);
    EQ(a.shut, VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND);
    a.fwd = a.got;
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), 0);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void the_last_byte_read_may_end_the_stream(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 1000);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND | VSOCKIF_SHUTDOWN_RCV);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_recv(s, data, 999, 0), 999);
    EQ(lab_stream_events(s), 0);
    EQ(xvs_recv(s, data, 999, 0), 1);
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_recv(s, data, 1, 0), 0);
    EQ(xvs_send(s, data, 1, 0), -EPIPE);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_RST);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

/* A reader that stops before the last byte and sleeps in poll() must not keep the credit that is due. */
static void credit_that_is_due_leaves_although_data_is_left(void)
{
    struct xvs_stream *s;

    lab_stop();
    options.rx_pool = 2u << 20;
    options.buffer = 256u << 10;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    pour(&a, 262144);
    EQ(xvs_recv(s, data, 200000, 0), 200000);
    a.told_fwd = 0;
    lab_take(&a, false);
    EQ(a.told_fwd, 200000);
    EQ(xvs_recv(s, data, 10, 0), 10);           /* and no more often than that */
    a.told_fwd = 0;
    lab_take(&a, false);
    EQ(a.told_fwd, 0);
    lab_stop();
}

static void the_buffer_of_a_stream_can_be_changed(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    EQ(a.told_alloc, options.buffer);
    EQ(xvs_stream_set_buffer(s, 4095), -EINVAL);
    EQ(xvs_stream_set_buffer(s, (64 << 20) + 1), -EINVAL);
    EQ(xvs_stream_set_buffer(s, 1 << 20), 0);
    lab_take(&a, false);
    EQ(a.told_alloc, 1 << 20);
    pour(&a, 1 << 20);
    EQ(xvs_stream_set_buffer(s, 4096), 0);
    EQ(xvs_recv(s, data, 1 << 20, 0), 1 << 20);
    CU_ASSERT_TRUE(lab_matches(data, 0, 1 << 20));
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_take(&a, false);
    EQ(a.told_alloc, 4096);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void an_accepted_stream_tells_what_happened_while_it_waited(void)
{
    struct xvs_listener *l;
    struct xvs_stream *s, *t;
    struct xvs_event ev;
    int mine;

    lab_start();
    EQ(xvs_listen(x, 80, 4, &l), 0);
    xvs_listener_set_user(l, &mine);
    EQ(xvs_listener_port(l), 80);
    a = (struct far){ .host = 5, .guest = 80, .alloc = 65536 };
    b = (struct far){ .host = 6, .guest = 80, .alloc = 65536 };
    lab_events();
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    lab_process();
    REQUIRE(xvs_next_event(x, &ev));
    EQ(ev.what, XVS_EVENT_ACCEPT);
    CU_ASSERT_PTR_EQUAL(ev.listener, l);
    CU_ASSERT_PTR_EQUAL(ev.user, &mine);
    CU_ASSERT_PTR_NULL(ev.stream);
    CU_ASSERT_FALSE(xvs_next_event(x, &ev));
    CU_ASSERT_PTR_NULL(ev.listener);
    lab_send(&a, VSOCKIF_OP_RW, 500);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    lab_send(&b, VSOCKIF_OP_REQUEST, 0);
    lab_send(&b, VSOCKIF_OP_RST, 0);
    lab_process();
    while (xvs_next_event(x, &ev))
        CU_ASSERT_PTR_NULL(ev.stream);          /* nobody knows it yet */
    EQ(xvs_accept(l, &s), 0);
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_stream_peer(s).cid, XVS_CID_HOST);
    EQ(xvs_stream_peer(s).port, 5);
    EQ(xvs_stream_local(s).cid, CID);
    EQ(xvs_stream_local(s).port, 80);
    CU_ASSERT_PTR_EQUAL(xvs_stream_device(s), x);
    EQ(xvs_recv(s, data, 1000, 0), 500);
    EQ(xvs_recv(s, data, 1000, 0), 0);
    EQ(xvs_accept(l, &t), 0);
    EQ(lab_stream_events(t), XVS_EVENT_HUP);
    EQ(xvs_stream_error(t), -ECONNRESET);
    xvs_stream_close(t);
    EQ(xvs_accept(l, &t), -EAGAIN);
    CU_ASSERT_PTR_NULL(t);
    xvs_listener_close(l);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_listener_takes_what_waits_with_it(void)
{
    struct xvs_listener *l;

    lab_start();
    EQ(xvs_listen(x, 80, 0, &l), -EINVAL);
    EQ(xvs_listen(x, PORT, 1, &l), -EADDRINUSE);
    EQ(xvs_listen(x, XVS_PORT_ANY, 1, &l), 0);
    CU_ASSERT_TRUE(xvs_listener_port(l) != XVS_PORT_ANY);
    xvs_listener_close(l);
    EQ(xvs_listen(x, 80, 4, &l), 0);
    a = (struct far){ .host = 5, .guest = 80, .alloc = 65536 };
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    lab_process();
    lab_send(&a, VSOCKIF_OP_RW, 50000);
    lab_process();
    EQ(link_front_held(&x->trunk.link), 13);
    xvs_listener_close(l);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_RST);
    CU_ASSERT_FALSE(lab_stream_events(NULL) & XVS_EVENT_ACCEPT);
    xvs_listener_close(NULL);
    NO_LEAK();
    EQ(xvs_listen(x, 80, 4, &l), 0);            /* the port is free again */
    lab_stop();
}

/* Whatever is pending for a stream or listener goes with it, also while events are being taken. */
static void closing_takes_events_away(void)
{
    struct xvs_stream *s, *t;
    struct xvs_event ev;
    unsigned n = 0;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    t = lab_accept(&b, 6, 65536);
    lab_send(&a, VSOCKIF_OP_RW, 100);
    lab_send(&b, VSOCKIF_OP_RW, 100);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_send(&b, VSOCKIF_OP_RST, 0);
    lab_process();
    for (; xvs_next_event(x, &ev); n++) {
        CU_ASSERT_TRUE(ev.stream == s || ev.stream == t);
        xvs_stream_close(s);
        xvs_stream_close(t);
    }
    EQ(n, 1);
    s = lab_accept(&a, 5, 65536);
    lab_send(&a, VSOCKIF_OP_RW, 100);
    lab_process();
    EQ(xvs_recv(s, data, 1000, 0), 100);
    xvs_stream_close(s);                        /* in order: the record stays for a while */
    CU_ASSERT_FALSE(xvs_next_event(x, &ev));
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
    CU_ASSERT_FALSE(xvs_next_event(x, &ev));
    lab_take(NULL, false);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void a_close_with_unread_data_is_a_reset(void)
{
    struct xvs_stream *s, *t;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    t = lab_accept(&b, 6, 65536);
    pour(&a, 10);
    a.ops = b.ops = 0;
    xvs_stream_close(s);
    xvs_stream_close(t);
    xvs_stream_close(NULL);
    xvs_stream_reset(NULL);
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_RST);
    EQ(b.ops, 1u << VSOCKIF_OP_SHUTDOWN);
    EQ(b.shut, 3);
    EQ(vmux_count(x->trunk.mux), 1);                  /* the orderly one goes on in the background */
    lab_send(&b, VSOCKIF_OP_RW, 1000);          /* what crosses it is dropped */
    lab_send(&b, VSOCKIF_OP_RST, 0);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void connecting_is_answered_refused_or_in_time_out(void)
{
    struct xvs_stream *s, *t, *u;
    uint64_t start;

    lab_stop();
    options.connect_timeout = 150;
    lab_start();
    EQ(xvs_connect(x, 0, 1, &s), -EINVAL);
    EQ(xvs_connect(x, 2, XVS_PORT_ANY, &s), -EINVAL);
    EQ(xvs_connect(x, UINT64_C(1) << 32, 1, &s), -EINVAL);
    CU_ASSERT_PTR_NULL(s);
    s = lab_connect(&a, 5, 65536);
    EQ(xvs_stream_peer(s).port, 5);
    EQ(xvs_stream_local(s).cid, CID);
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 6, &t) == 0);
    b = (struct far){ .host = 6 };
    lab_take(&b, false);
    lab_send(&b, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(t), XVS_EVENT_HUP);
    EQ(xvs_stream_error(t), -ECONNREFUSED);
    EQ(xvs_recv(t, data, 1, 0), -ECONNREFUSED);
    EQ(xvs_send(t, data, 1, 0), -ECONNREFUSED);
    xvs_stream_close(t);
    start = clock_now_ns();
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 7, &u) == 0);
    b = (struct far){ .host = 7 };
    lab_take(&b, false);
    while (!xvs_stream_error(u)) {
        REQUIRE(lab_poll(PATIENCE_MS));                /* nothing but the timer */
        lab_process();
    }
    CU_ASSERT_TRUE(clock_now_ns() - start >= UINT64_C(150) * 1000000);
    EQ(xvs_stream_error(u), -ETIMEDOUT);
    EQ(lab_stream_events(u), XVS_EVENT_HUP);
    EQ(xvs_send(u, data, 1, 0), -ETIMEDOUT);
    lab_take(&b, false);
    CU_ASSERT_TRUE(b.ops & 1u << VSOCKIF_OP_RST);
    xvs_stream_close(u);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* The timer is set for a time-out that is answered; the next one is later, and on time. */
static void a_deadline_that_is_pushed_back_is_kept(void)
{
    struct xvs_stream *s, *t;
    unsigned wakes = 0;
    uint64_t start;

    lab_stop();
    options.connect_timeout = 200;
    lab_start();
    s = lab_connect(&a, 5, 65536);
    lab_settle();
    start = clock_now_ns();
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 7, &t) == 0);
    lab_take(NULL, false);
    for (; !xvs_stream_error(t); wakes++) {
        REQUIRE(lab_poll(PATIENCE_MS));
        lab_process();
    }
    CU_ASSERT_TRUE(clock_now_ns() - start >= UINT64_C(200) * 1000000);
    CU_ASSERT_TRUE(wakes <= 3);                 /* and without looking all the time */
    xvs_stream_close(t);
    lab_close(&a, s);
    lab_stop();
}

static void no_more_streams_than_the_options_say(void)
{
    struct xvs_stream *s, *t;

    lab_stop();
    options.max_streams = 2;
    lab_start();
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 5, &s) == 0);
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 5, &t) == 0);
    CU_ASSERT_TRUE(xvs_stream_local(s).port != xvs_stream_local(t).port);
    EQ(xvs_connect(x, XVS_CID_HOST, 5, &t), -ENOBUFS);
    a = (struct far){ .host = 9, .guest = PORT };
    lab_take(&a, false);
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    lab_process();
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_RST);
    lab_stop();
}

/* What the daemon says of a stream that is refused, and of one that is reset; and what is on no list. */
static void a_refusal_and_a_reset_tell_their_reason(void)
{
    static const struct { struct reason said; int heard; unsigned detail; } cases[] = {
        { { VSOCKIF_REASON_POLICY, 0 }, XVS_REASON_POLICY, 0 },
        { { VSOCKIF_REASON_STATUS, 28 }, XVS_REASON_STATUS, 28 },
        { { 0, 0 }, XVS_REASON_NONE, 0 },
        { { 255, 255 }, XVS_REASON_NONE, 0 },
    };
    struct xvs_stream *s;
    unsigned detail;
    struct far f;

    lab_start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t port = 40 + (uint32_t)i;

        REQUIRE(xvs_connect(x, XVS_CID_HOST, port, &s) == 0);
        EQ(xvs_stream_reason(s, &detail), XVS_REASON_NONE);
        f = (struct far){ .host = port };
        lab_take(&f, false);
        f.reason = cases[i].said;
        lab_send(&f, VSOCKIF_OP_RST, 0);
        lab_process();
        EQ(xvs_stream_error(s), -ECONNREFUSED);
        EQ(xvs_stream_reason(s, &detail), cases[i].heard);
        EQ(detail, cases[i].detail);
        xvs_stream_close(s);

        s = lab_accept(&f, 50 + (uint32_t)i, 65536);
        f.reason = cases[i].said;
        lab_send(&f, VSOCKIF_OP_RST, 0);
        lab_process();
        EQ(xvs_stream_error(s), -ECONNRESET);
        EQ(xvs_stream_reason(s, NULL), cases[i].heard);
        xvs_stream_close(s);
    }
    NO_LEAK();
    lab_stop();
}

static void a_program_says_why_it_resets(void)
{
    static const struct { int reason; unsigned detail; int err; } cases[] = {
        { XVS_REASON_STATUS, 255, 0 }, { XVS_REASON_SIGNAL, 9, 0 }, { XVS_REASON_ABORTED, 0, 0 }, { XVS_REASON_NONE, 0, 0 },
        { XVS_REASON_STATUS, 0, -EINVAL }, { XVS_REASON_STATUS, 256, -EINVAL }, { XVS_REASON_POLICY, 0, -EINVAL },
        { XVS_REASON_ABORTED, 1, -EINVAL }, { -1, 0, -EINVAL }, { 256 + XVS_REASON_ABORTED, 0, -EINVAL },
    };
    struct xvs_stream *s;
    struct far f;

    lab_start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s = lab_accept(&f, 60 + (uint32_t)i, 65536);
        EQ(xvs_stream_reset_with(s, cases[i].reason, cases[i].detail), cases[i].err);
        if (cases[i].err) {
            EQ(xvs_stream_error(s), 0);
            xvs_stream_reset(s);
        }
        lab_take(&f, false);
        CU_ASSERT_TRUE(f.ops & 1u << VSOCKIF_OP_RST);
        EQ(f.reason.code, cases[i].err ? XVS_REASON_ABORTED : cases[i].reason);
        EQ(f.reason.detail, cases[i].err ? 0 : cases[i].detail);
    }
    EQ(xvs_stream_reset_with(NULL, XVS_REASON_ABORTED, 0), 0);

    s = lab_accept(&f, 80, 65536);                      /* closed with bytes unread */
    lab_send(&f, VSOCKIF_OP_RW, 10);
    lab_process();
    xvs_stream_close(s);
    lab_take(&f, false);
    EQ(f.reason.code, XVS_REASON_UNREAD);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_refusal_and_a_reset_tell_their_reason),
        TEST(a_program_says_why_it_resets),
        TEST(received_bytes_are_read),
        TEST(peek_shows_in_place_and_done_consumes),
        TEST(slow_readers_hold_half_of_the_buffers),
        TEST(a_million_packets_of_a_byte_cost_no_million_headers),
        TEST(unread_data_outlives_the_device),
        TEST(unread_data_outlives_the_stream),
        TEST(an_end_of_stream_is_told_before_a_reset_that_follows_it),
        TEST(half_a_close_from_there_leaves_the_other_half),
        TEST(what_comes_after_we_read_no_more_is_dropped_and_never_counts_as_read),
        TEST(the_last_byte_read_may_end_the_stream),
        TEST(credit_that_is_due_leaves_although_data_is_left),
        TEST(the_buffer_of_a_stream_can_be_changed),
        TEST(an_accepted_stream_tells_what_happened_while_it_waited),
        TEST(a_listener_takes_what_waits_with_it),
        TEST(closing_takes_events_away),
        TEST(a_close_with_unread_data_is_a_reset),
        TEST(connecting_is_answered_refused_or_in_time_out),
        TEST(a_deadline_that_is_pushed_back_is_kept),
        TEST(no_more_streams_than_the_options_say),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: reading, accepting, connecting", tests, sizeof tests / sizeof *tests, argc, argv);
}
