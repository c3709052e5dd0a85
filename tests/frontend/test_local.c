/* SPDX-License-Identifier: MIT */
/* test_local.c: streams within the guest: both ends are the library's, and the backend never hears of them. */
#include <sys/socket.h>

#include "lab.h"

static uint8_t data[1 << 20];

/* Nothing came out of the device. */
static void expect_silence(void)
{
    struct link_request r;

    EQ(link_back_recv(&back.link, &r), 0);
}

static void join(uint64_t cid, struct xvs_stream **client, struct xvs_stream **server)
{
    REQUIRE(xvs_connect(x, cid, PORT, client) == 0);
    EQ(lab_stream_events(*client), XVS_EVENT_OPEN);
    REQUIRE(xvs_accept(listener, server) == 0);
}

static void both_ways(uint64_t cid)
{
    struct xvs_stream *s, *t;

    lab_start();
    join(cid, &s, &t);
    EQ(xvs_stream_local(t).port, PORT);
    EQ(xvs_stream_peer(t).port, xvs_stream_local(s).port);
    EQ(xvs_stream_peer(t).cid, XVS_CID_LOCAL);
    lab_fill(data, 0, 100000);
    EQ(xvs_send(s, data, 100000, 0), 100000);
    EQ(xvs_send(t, data, 50000, 0), 50000);
    memset(data, 0, sizeof data);
    EQ(xvs_recv(t, data, sizeof data, 0), 100000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 100000));
    EQ(xvs_recv(s, data, sizeof data, 0), 50000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 50000));
    EQ(xvs_send(s, data, 100, XVS_MORE), 100);
    EQ(xvs_recv(t, data, 100, 0), -EAGAIN);
    xvs_flush(x);
    EQ(lab_stream_events(t), XVS_EVENT_IN);
    EQ(xvs_recv(t, data, 100, 0), 100);
    xvs_stream_close(s);
    EQ(lab_stream_events(t), XVS_EVENT_IN | XVS_EVENT_HUP);
    EQ(xvs_stream_error(t), 0);
    EQ(xvs_recv(t, data, 100, 0), 0);
    EQ(xvs_send(t, data, 100, 0), -EPIPE);
    xvs_stream_close(t);
    lab_process();
    expect_silence();
    NO_LEAK();
    lab_stop();
}

static void bytes_go_both_ways_by_the_local_cid(void) { both_ways(XVS_CID_LOCAL); }
static void bytes_go_both_ways_by_our_own_cid(void)   { both_ways(CID); }

/* s has sent and shut, t has shut without reading; then t reads all, all but one byte, or stops: what s hears. */
static void end_after(size_t len, bool stops, int error)
{
    struct xvs_stream *s, *t;

    lab_start();
    join(XVS_CID_LOCAL, &s, &t);
    EQ(xvs_send(s, data, 1000, 0), 1000);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(xvs_shutdown(t, SHUT_WR), 0);
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_recv(s, data, 1, 0), 0);
    EQ(xvs_stream_error(s), 0);
    EQ(lab_stream_events(s), 0);                /* not over: nobody has read it yet */
    EQ(xvs_recv(t, data, len, 0), (ssize_t)len);
    if (stops)
        EQ(xvs_shutdown(t, SHUT_RD), error ? 0 : -ENOTCONN);    /* the last byte read was the end */
    else
        xvs_stream_close(t);
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), error);
    EQ(xvs_recv(s, data, 1, 0), 0);             /* t's own end was in order all the same */
    xvs_stream_close(s);
    if (stops)
        xvs_stream_close(t);
    lab_process();
    expect_silence();
    NO_LEAK();
    lab_stop();
}

static void the_end_has_no_error_only_if_all_that_was_sent_was_read(void)
{
    end_after(1000, false, 0);
    end_after(999, false, -ECONNRESET);
    end_after(1000, true, 0);
    end_after(999, true, -ECONNRESET);
}

static void a_full_stream_waits_until_the_other_end_reads(void)
{
    struct xvs_stream *s, *t;
    uint32_t sent = 0, got = 0, told = 0;

    options.buffer = 256u << 10;
    lab_start();
    join(XVS_CID_LOCAL, &s, &t);
    while (got < 3000000) {
        ssize_t n;

        for (;;) {
            lab_fill(data, sent, 65536);
            if ((n = xvs_send(s, data, 60000, 0)) < 0)
                break;
            sent += (uint32_t)n;
        }
        EQ(n, -EAGAIN);
        EQ(sent - got, 262144);
        EQ(lab_stream_events(s) & XVS_EVENT_OUT, 0);
        EQ(xvs_recv(t, data, 200000, 0), 200000);
        CU_ASSERT_TRUE(lab_matches(data, got, 200000));
        got += 200000;
        told += lab_stream_events(s) == XVS_EVENT_OUT;
    }
    EQ(told, 15);
    xvs_stream_reset(s);
    EQ(lab_stream_events(t), XVS_EVENT_HUP);
    EQ(xvs_recv(t, data, sizeof data, 0), sent - got);
    CU_ASSERT_TRUE(lab_matches(data, got, sent - got));
    EQ(xvs_recv(t, data, 1, 0), -ECONNRESET);
    xvs_stream_close(t);
    expect_silence();
    NO_LEAK();
    lab_stop();
}

static void half_a_close_leaves_the_other_half(void)
{
    struct xvs_stream *s, *t;

    lab_start();
    join(XVS_CID_LOCAL, &s, &t);
    EQ(xvs_send(s, "question", 8, XVS_MORE), 8);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(lab_stream_events(t), XVS_EVENT_IN);
    EQ(xvs_recv(t, data, 100, 0), 8);
    EQ(xvs_recv(t, data, 100, 0), 0);
    EQ(xvs_send(t, "answer", 6, 0), 6);
    EQ(xvs_recv(s, data, 100, 0), 6);
    xvs_stream_close(t);
    EQ(lab_stream_events(s), XVS_EVENT_IN | XVS_EVENT_HUP);
    EQ(xvs_recv(s, data, 100, 0), 0);
    EQ(xvs_stream_error(s), 0);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void a_port_without_a_listener_refuses(void)
{
    struct xvs_stream *s;

    lab_start();
    EQ(xvs_connect(x, XVS_CID_LOCAL, PORT + 1, &s), 0);
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

/* An ephemeral port is picked from 1024 up: the first connection to port 1024 would be one to itself. */
static void a_stream_is_never_connected_to_itself(void)
{
    struct xvs_stream *s;

    lab_start();
    for (uint32_t port = 1024; port < 1034; port++) {
        EQ(xvs_connect(x, XVS_CID_LOCAL, port, &s), 0);
        EQ(xvs_stream_error(s), -ECONNREFUSED);
        xvs_stream_close(s);
    }
    NO_LEAK();
    lab_stop();
}

static void a_full_backlog_refuses(void)
{
    struct xvs_stream *s[4], *t;
    struct xvs_listener *l;

    lab_start();
    REQUIRE(xvs_listen(x, 90, 3, &l) == 0);
    for (int i = 0; i < 4; i++) {
        EQ(xvs_connect(x, XVS_CID_LOCAL, 90, &s[i]), 0);
        EQ(lab_stream_events(s[i]), i < 3 ? XVS_EVENT_OPEN : XVS_EVENT_HUP);
    }
    EQ(xvs_stream_error(s[3]), -ECONNREFUSED);
    EQ(xvs_send(s[0], "x", 1, 0), 1);
    xvs_stream_close(s[1]);
    EQ(xvs_accept(l, &t), 0);
    EQ(lab_stream_events(t), XVS_EVENT_IN);
    EQ(xvs_recv(t, data, 10, 0), 1);
    xvs_stream_close(t);
    xvs_listener_close(l);                      /* two more wait in it */
    EQ(xvs_stream_error(s[2]), -ECONNRESET);
    xvs_stream_close(s[0]);
    xvs_stream_close(s[2]);
    xvs_stream_close(s[3]);
    NO_LEAK();
    lab_stop();
}

/* A reset of the device ends both ends; the listener stays. */
static void local_streams_end_with_the_device(void)
{
    struct xvs_stream *s, *t;

    lab_start();
    join(XVS_CID_LOCAL, &s, &t);
    lab_fill(data, 0, 1000);
    EQ(xvs_send(s, data, 1000, 0), 1000);
    EQ(xvs_send(s, data, 1000, XVS_MORE), 1000);
    lab_reset();
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_recv(t, data, sizeof data, 0), 1000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 1000));
    EQ(xvs_recv(t, data, sizeof data, 0), -ECONNRESET);
    EQ(xvs_connect(x, XVS_CID_LOCAL, PORT, &s), -ENETDOWN);
    xvs_stream_close(t);
    lab_handshake();
    join(XVS_CID_LOCAL, &s, &t);
    lab_stop();
}

static void a_thousand_streams_carry_their_own_bytes(void)
{
    static struct xvs_stream *s[1000], *t[1000];
    struct xvs_stats st = { .size = sizeof st };
    uint64_t before;

    lab_start();
    xvs_get_stats(x, &st);
    before = st.memory;
    for (int i = 0; i < 1000; i++)
        join(XVS_CID_LOCAL, &s[i], &t[i]);
    xvs_get_stats(x, &st);
    EQ(st.streams, 2000);
    EQ(st.streams_opened, 2000);
    CU_ASSERT_TRUE(st.memory - before < 2000 * 1024);
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 1000; i++) {
            lab_fill(data, i, 1 + i);
            EQ(xvs_send(s[i], data, 1 + i, i % 2 ? XVS_MORE : 0), 1 + i);
        }
    xvs_flush(x);
    for (uint32_t i = 0; i < 1000; i++) {
        EQ(xvs_recv(t[i], data, sizeof data, 0), 3 * (1 + i));
        CU_ASSERT_TRUE(lab_matches(data + 2 * (1 + i), i, 1 + i));
    }
    for (int i = 0; i < 1000; i++) {
        xvs_stream_close(i % 2 ? s[i] : t[i]);
        xvs_stream_close(i % 2 ? t[i] : s[i]);
    }
    expect_silence();
    NO_LEAK();
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(bytes_go_both_ways_by_the_local_cid),
        TEST(bytes_go_both_ways_by_our_own_cid),
        TEST(the_end_has_no_error_only_if_all_that_was_sent_was_read),
    TEST(a_full_stream_waits_until_the_other_end_reads),
        TEST(half_a_close_leaves_the_other_half),
        TEST(a_port_without_a_listener_refuses),
        TEST(a_stream_is_never_connected_to_itself),
        TEST(a_full_backlog_refuses),
        TEST(local_streams_end_with_the_device),
        TEST(a_thousand_streams_carry_their_own_bytes),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: within the guest", tests, sizeof tests / sizeof *tests, argc, argv);
}
