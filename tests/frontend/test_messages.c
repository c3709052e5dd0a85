/* SPDX-License-Identifier: MIT */
/* test_messages.c: connections of type SEQPACKET: what one call sends one call receives, whoever is at the other end. */
#include <sys/socket.h>

#include "lab.h"

#define SEQPORT 88u
#define EOM     VSOCKIF_SEQ_EOM
#define EOR     VSOCKIF_SEQ_EOR

static struct far a;
static uint8_t data[1 << 20], got[1 << 20];
static struct xvs_listener *seq;

static void start(void)
{
    lab_stop();
    lab_features = VSOCKIF_FEATURE_SEQPACKET;
    lab_start();
    REQUIRE(xvs_listen_seqpacket(x, SEQPORT, 16, &seq) == 0);
}

/* Within the guest. */
static void join(struct xvs_stream **client, struct xvs_stream **server)
{
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_LOCAL, SEQPORT, client) == 0);
    EQ(lab_stream_events(*client), XVS_EVENT_OPEN);
    REQUIRE(xvs_accept(seq, server) == 0);
    CU_ASSERT_TRUE(xvs_stream_is_seqpacket(*client) && xvs_stream_is_seqpacket(*server));
}

/* With the backend that the test plays: a connection that the guest has asked for, open. */
static struct xvs_stream *connect_out(uint32_t host_port, uint32_t alloc)
{
    struct xvs_stream *s = NULL;

    a = (struct far){ .host = host_port, .alloc = alloc, .type = VSOCKIF_TYPE_SEQPACKET };
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_HOST, host_port, &s) == 0);
    EQ(xvs_message_max(s), 0);
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_REQUEST);
    lab_send(&a, VSOCKIF_OP_RESPONSE, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OPEN);
    return s;
}

static void send_part(uint32_t len, uint32_t flags)
{
    a.flags = flags;
    lab_send(&a, VSOCKIF_OP_RW, len);
    lab_process();
}

/* ---- the type -------------------------------------------------------------------------------------------- */

static void an_older_daemon_has_streams_alone(void)
{
    struct xvs_stream *s;

    lab_stop();
    lab_start();
    EQ(back.nodes.version, 1);
    EQ(xvs_connect_seqpacket(x, XVS_CID_HOST, 5, &s), -ESOCKTNOSUPPORT);
    CU_ASSERT_PTR_NULL(s);
    s = lab_accept(&a, 5, 65536);
    EQ(xvs_send(s, "x", 1, 0), 1);
    lab_close(&a, s);
    REQUIRE(xvs_listen_seqpacket(x, SEQPORT, 16, &seq) == 0);      /* and within the guest it needs none */
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_LOCAL, SEQPORT, &s) == 0);
    EQ(lab_stream_events(s), XVS_EVENT_OPEN);
    xvs_stream_close(s);
    lab_stop();
}

static void a_daemon_that_sends_the_type_unasked_is_left(void)
{
    lab_stop();
    lab_start();
    a = (struct far){ .host = 5, .guest = PORT, .alloc = 65536, .type = VSOCKIF_TYPE_SEQPACKET };
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    UNTIL(!xvs_is_up(x));
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "not agreed on"));
    lab_stop();
}

static void the_feature_is_agreed_on(void)
{
    start();
    EQ(back.nodes.version, VSOCKIF_VERSION_FEATURES);
    EQ(back.nodes.features, VSOCKIF_FEATURE_SEQPACKET);
    lab_reset();
    back.features = 0;                                   /* its successor is an older one */
    lab_handshake();
    EQ(back.nodes.version, 1);
    EQ(xvs_connect_seqpacket(x, XVS_CID_HOST, 5, &(struct xvs_stream *){ NULL }), -ESOCKTNOSUPPORT);
    lab_stop();
}

static void a_listener_of_the_other_type_refuses(void)
{
    struct xvs_stream *s, *t;

    start();
    REQUIRE(xvs_connect(x, XVS_CID_LOCAL, SEQPORT, &s) == 0);
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_LOCAL, PORT, &t) == 0);
    lab_process();
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_TYPE);
    EQ(xvs_stream_error(t), -ECONNREFUSED);
    EQ(xvs_stream_reason(t, NULL), XVS_REASON_TYPE);
    xvs_stream_close(s);
    xvs_stream_close(t);
    a = (struct far){ .host = 5, .guest = PORT, .alloc = 65536, .type = VSOCKIF_TYPE_SEQPACKET };
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    UNTIL((lab_take(&a, false), a.ops));
    EQ(a.ops, 1u << VSOCKIF_OP_RST);
    EQ(a.reason.code, VSOCKIF_REASON_TYPE);
    CU_ASSERT_FALSE(a.bad);
    NO_LEAK();
    lab_stop();
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static void a_message_leaves_whole_and_its_last_packet_ends_it(void)
{
    struct xvs_stream *s;
    struct iovec iov[] = { { data, 5 }, { data, 0 }, { data + 5, 100000 } };

    start();
    s = connect_out(5, 250000);
    lab_fill(data, 0, sizeof data);
    EQ(xvs_message_max(s), 250000);
    EQ(xvs_sendv(s, iov, 3, 0), 100005);
    lab_take(&a, false);
    EQ(a.got, 100005);
    EQ(a.packets, 2);
    EQ(a.messages, 1);
    EQ(a.records, 0);
    lab_fill(data, 100005, 10);
    EQ(xvs_send(s, data, 10, XVS_MORE | XVS_EOR), 10);
    lab_take(&a, false);
    EQ(a.messages, 1);                                   /* the next one follows */
    EQ(xvs_send(s, NULL, 0, 0), 0);                      /* …or not: there are no empty ones */
    lab_take(&a, false);
    EQ(a.messages, 2);
    EQ(a.records, 1);
    EQ(a.packets, 3);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_message_that_can_never_fit_is_refused(void)
{
    struct xvs_stream *s;
    struct iovec iov[] = { { data, 5000 }, { data, SIZE_MAX } };

    start();
    s = connect_out(5, 5000);
    EQ(xvs_send(s, data, 5001, 0), -EMSGSIZE);
    EQ(xvs_sendv(s, iov, 2, 0), -EMSGSIZE);
    lab_fill(data, 0, 5000);
    EQ(xvs_send(s, data, 5000, 0), 5000);
    lab_take(&a, false);
    EQ(a.messages, 1);
    a.fwd = 5000;
    a.alloc = 64u << 20;                                 /* a buffer beyond what the pool can carry */
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    EQ(xvs_message_max(s), x->trunk.link.mem.tx_bytes);
    lab_fill(data, 5000, xvs_message_max(s));
    EQ(xvs_send(s, data, xvs_message_max(s), 0), (ssize_t)xvs_message_max(s));
    lab_take(&a, false);
    EQ(a.messages, 2);
    CU_ASSERT_FALSE(a.bad);
    lab_process();
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_message_waits_for_credit_for_all_of_it(void)
{
    struct xvs_stream *s;

    start();
    s = connect_out(5, 10000);
    lab_fill(data, 0, 20000);
    EQ(xvs_send(s, data, 6000, 0), 6000);
    EQ(xvs_send(s, data + 6000, 6000, 0), -EAGAIN);
    lab_take(&a, false);
    EQ(a.got, 6000);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_CREDIT_REQUEST);        /* the peer may hold back what it has no reason to tell */
    a.fwd = 1000;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OUT);
    a.ops = 0;
    EQ(xvs_send(s, data + 6000, 6000, 0), -EAGAIN);
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_CREDIT_REQUEST);
    a.fwd = 2000;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OUT);
    EQ(xvs_send(s, data + 6000, 6000, 0), 6000);
    lab_take(&a, false);
    EQ(a.messages, 2);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_message_waits_for_memory_for_all_of_it(void)
{
    struct xvs_stream *s;

    lab_stop();
    lab_features = VSOCKIF_FEATURE_SEQPACKET;
    options.tx_pool = options.rx_pool = 64u << 10;
    lab_start();
    s = connect_out(5, 1u << 20);
    lab_fill(data, 0, sizeof data);
    EQ(xvs_message_max(s), 64u << 10);
    EQ(xvs_send(s, data, 40000, 0), 40000);
    lab_take(&a, true);
    EQ(xvs_send(s, data + 40000, 40000, 0), -EAGAIN);
    EQ(a.messages, 1);
    lab_complete(lab_held);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OUT);
    EQ(xvs_send(s, data + 40000, 40000, 0), 40000);
    lab_take(&a, false);
    EQ(a.messages, 2);
    CU_ASSERT_FALSE(a.bad);
    lab_process();
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void more_slots_than_there_are_is_waiting_too(void)
{
    struct xvs_stream *s;
    uint32_t sent = 0, slots;

    lab_stop();
    lab_features = VSOCKIF_FEATURE_SEQPACKET;
    options.tx_pool = options.rx_pool = 64u << 10;
    lab_start();
    s = connect_out(5, 1u << 20);
    slots = x->trunk.link.free_ids - VSOCKIF_CONTROL_SLOTS;
    lab_fill(data, 0, 1000);
    while (xvs_send(s, data + sent, 1, 0) == 1)
        sent++;
    EQ(sent, slots);
    lab_take(&a, false);
    EQ(a.messages, slots);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OUT);
    EQ(xvs_send(s, data + sent, 1, 0), 1);
    lab_take(&a, false);
    CU_ASSERT_FALSE(a.bad);
    lab_process();
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void there_is_no_place_to_be_reserved(void)
{
    struct xvs_stream *s;
    void *place;

    start();
    s = connect_out(5, 10000);
    EQ(xvs_reserve(s, 10, &place), -EOPNOTSUPP);
    EQ(xvs_commit(s, 0, 0), -EINVAL);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static void a_message_is_seen_when_it_is_whole(void)
{
    struct xvs_stream *s;

    start();
    s = connect_out(5, 10000);
    send_part(5000, 0);
    EQ(lab_stream_events(s), 0);
    EQ(xvs_recv(s, got, sizeof got, 0), -EAGAIN);
    EQ(xvs_stream_readable(s), 0);
    send_part(3000, EOM | EOR);
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    send_part(10, EOM);
    EQ(xvs_stream_readable(s), 8000);
    EQ(xvs_recv(s, got, sizeof got, XVS_PEEK), 8000);
    EQ(xvs_recv(s, got, sizeof got, 0), 8000);
    CU_ASSERT_TRUE(lab_matches(got, 0, 8000));
    CU_ASSERT_TRUE(xvs_message_had_eor(s));
    EQ(xvs_recv(s, got, sizeof got, 0), 10);
    CU_ASSERT_TRUE(lab_matches(got, 8000, 10));
    CU_ASSERT_FALSE(xvs_message_had_eor(s));
    EQ(xvs_recv(s, got, sizeof got, 0), -EAGAIN);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void what_does_not_fit_is_dropped_and_counts_as_read(void)
{
    struct xvs_stream *s;
    struct iovec iov[8];

    start();
    s = connect_out(5, 10000);
    send_part(5000, EOM);
    send_part(7, EOM);
    send_part(9, EOM);
    EQ(xvs_recv(s, got, 100, 0), 100);
    CU_ASSERT_TRUE(lab_matches(got, 0, 100));
    EQ(xvs_recv(s, got, 3, XVS_TRUNC), 7);
    CU_ASSERT_TRUE(lab_matches(got, 5000, 3));
    EQ(xvs_peek(s, iov, 8), 1);
    EQ(iov[0].iov_len, 9);
    CU_ASSERT_TRUE(lab_matches(iov[0].iov_base, 5007, 9));
    xvs_done(s, 0);
    EQ(xvs_stream_readable(s), 9);
    xvs_done(s, 1);
    EQ(xvs_stream_readable(s), 0);
    EQ(s->v.c.fwd_cnt, 5016);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* More than half of the posted buffers: what comes then is copied to the heap, many messages to a segment. */
static void thousands_of_small_messages_keep_their_ends_and_cost_little(void)
{
    enum { MANY = 20000 };
    struct xvs_stream *s;
    struct xvs_stats stats = { .size = sizeof stats };
    uint64_t before, at = 0;

    start();
    s = connect_out(5, 10000);
    xvs_get_stats(x, &stats);
    before = stats.memory;
    for (uint32_t i = 0; i < MANY; i++) {
        a.flags = i % 3 ? EOM : EOM | EOR;
        lab_send(&a, VSOCKIF_OP_RW, 1 + i % 5);
        if (i % 16 == 15)
            lab_process();
    }
    lab_process();
    xvs_get_stats(x, &stats);
    CU_ASSERT_TRUE(stats.memory - before < 2 * 3 * MANY);
    CU_ASSERT_TRUE(stats.rx_buffers_held <= x->trunk.link.buffers / 2 + 1);
    lab_reset();                                         /* what was in posted buffers moves, too */
    for (uint32_t i = 0; i < MANY; i++) {
        REQUIRE(xvs_recv(s, got, sizeof got, 0) == 1 + (int)i % 5);
        REQUIRE(lab_matches(got, at, 1 + i % 5));
        REQUIRE(xvs_message_had_eor(s) == !(i % 3));
        at += 1 + i % 5;
    }
    EQ(xvs_recv(s, got, sizeof got, 0), -ECONNRESET);
    xvs_stream_close(s);
    EQ(x->trunk.heap_bytes, 0);
    lab_stop();
}

static void half_a_message_is_dropped_with_the_end(void)
{
    struct xvs_stream *s;

    start();
    s = connect_out(5, 10000);
    send_part(20, EOM);
    send_part(5000, 0);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    UNTIL(lab_stream_events(s) & XVS_EVENT_IN);
    EQ(xvs_recv(s, got, sizeof got, 0), 20);
    EQ(xvs_recv(s, got, sizeof got, 0), 0);
    EQ(link_front_held(&x->trunk.link), 0);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    lab_take(&a, false);
    EQ(a.told_fwd, 20);
    lab_close(&a, s);
    s = connect_out(6, 10000);
    send_part(5000, 0);
    a.reason = REASON(ABORTED);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_HUP);
    EQ(link_front_held(&x->trunk.link), 0);
    EQ(xvs_recv(s, got, sizeof got, 0), -ECONNRESET);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void a_message_without_end_ends_its_connection_alone(void)
{
    struct xvs_stream *s;

    lab_stop();
    lab_features = VSOCKIF_FEATURE_SEQPACKET;
    options.buffer = 100000;
    lab_start();
    s = connect_out(5, 10000);
    send_part(60000, 0);
    send_part(40000, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_HUP);
    EQ(xvs_stream_error(s), -ECONNRESET);
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_SIZE);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_RST);
    EQ(a.reason.code, VSOCKIF_REASON_SIZE);
    CU_ASSERT_TRUE(xvs_is_up(x));
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

/* ---- within the guest ------------------------------------------------------------------------------------------ */

static void messages_stay_messages_within_the_guest(void)
{
    static const uint32_t sizes[] = { 1, 4096, 65536, 65537, 200000, 3 };
    struct xvs_stream *s, *t;
    uint64_t at = 0;

    start();
    join(&s, &t);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, at += sizes[i - 1]) {
        lab_fill(data, at, sizes[i]);
        EQ(xvs_send(s, data, sizes[i], i % 2 ? XVS_EOR : 0), (ssize_t)sizes[i]);
    }
    at = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, at += sizes[i - 1]) {
        EQ(xvs_recv(t, got, sizeof got, 0), (ssize_t)sizes[i]);
        CU_ASSERT_TRUE(lab_matches(got, at, sizes[i]));
        EQ(xvs_message_had_eor(t), i % 2);
    }
    EQ(xvs_send(s, data, xvs_message_max(s) + 1, 0), -EMSGSIZE);
    EQ(xvs_send(s, data, 10, 0), 10);
    EQ(xvs_shutdown(t, SHUT_RD), 0);
    EQ(xvs_recv(t, got, sizeof got, 0), 0);
    EQ(xvs_send(s, data, 10, 0), -EPIPE);
    xvs_stream_close(s);
    xvs_stream_close(t);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void a_full_connection_goes_on_when_messages_are_read(void)
{
    struct xvs_stream *s, *t;
    uint32_t sent = 0, received = 0;

    lab_stop();
    lab_features = VSOCKIF_FEATURE_SEQPACKET;
    options.buffer = 100000;
    lab_start();
    REQUIRE(xvs_listen_seqpacket(x, SEQPORT, 16, &seq) == 0);
    join(&s, &t);
    EQ(xvs_stream_set_buffer(t, 4096), 0);               /* it was told more */
    EQ(xvs_message_max(s), 100000);
    while (received < 500) {
        uint32_t len = 1 + sent * 7919 % 90000;

        if (sent < 500) {
            ssize_t n;

            memset(data, (int)sent, len);
            n = xvs_send(s, data, len, 0);
            REQUIRE(n == (ssize_t)len || n == -EAGAIN);
            sent += n > 0;
            if (n > 0)
                continue;
        }
        len = 1 + received * 7919 % 90000;
        REQUIRE(xvs_recv(t, got, sizeof got, 0) == (ssize_t)len);
        REQUIRE(got[0] == (uint8_t)received && got[len - 1] == (uint8_t)received);
        received++;
        if (sent < 500 && vconn_room(&s->v.c) >= 90000)
            CU_ASSERT_TRUE(lab_stream_events(s) & XVS_EVENT_OUT);
    }
    xvs_stream_close(s);
    xvs_stream_close(t);
    lab_process();
    NO_LEAK();
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_older_daemon_has_streams_alone),
        TEST(a_daemon_that_sends_the_type_unasked_is_left),
        TEST(the_feature_is_agreed_on),
        TEST(a_listener_of_the_other_type_refuses),
        TEST(a_message_leaves_whole_and_its_last_packet_ends_it),
        TEST(a_message_that_can_never_fit_is_refused),
        TEST(a_message_waits_for_credit_for_all_of_it),
        TEST(a_message_waits_for_memory_for_all_of_it),
        TEST(more_slots_than_there_are_is_waiting_too),
        TEST(there_is_no_place_to_be_reserved),
        TEST(a_message_is_seen_when_it_is_whole),
        TEST(what_does_not_fit_is_dropped_and_counts_as_read),
        TEST(thousands_of_small_messages_keep_their_ends_and_cost_little),
        TEST(half_a_message_is_dropped_with_the_end),
        TEST(a_message_without_end_ends_its_connection_alone),
        TEST(messages_stay_messages_within_the_guest),
        TEST(a_full_connection_goes_on_when_messages_are_read),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: messages", tests, sizeof tests / sizeof *tests, argc, argv);
}
