/* SPDX-License-Identifier: MIT */
/* test_pages.c: what the backend finds when it looks into the pages that it maps: what was sent to it, and nothing else.
 *
 * The library's secret is a sentence that no test sends; the test looks for it as a hostile backend would, in its own mapping of
 * the rings and pools, which it keeps when the device is closed or faulted. */
#include <sys/socket.h>

#include "lab.h"
#include "tell.h"

#define SECRET "what one program of a guest says to another"

static struct far a;
static char text[100000];       /* SECRET over and over */

static bool is_in(const void *memory, size_t len)
{
    return memmem(memory, len, SECRET, sizeof SECRET - 1) != NULL;
}

/* Whether the backend can read it anywhere. */
static bool seen(void)
{
    const struct link_memory *m = &back.link.mem;
    size_t ring = back.ring_pages * (size_t)VSOCKIF_PAGE_SIZE;

    return is_in(back.control, VSOCKIF_PAGE_SIZE) || is_in(m->tx_ring, ring) || is_in(m->rx_ring, ring) ||
           is_in(m->tx_pool, m->tx_bytes) || is_in(m->rx_pool, m->rx_bytes);
}

static void start(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = SECRET[i % (sizeof SECRET - 1)];
    lab_start();
    CU_ASSERT_FALSE(seen());
}

static void pools_are_empty_when_they_are_shared(void)
{
    const uint8_t *pool;

    start();
    pool = back.link.mem.tx_pool;
    for (uint32_t i = 0; i < back.link.mem.tx_bytes; i++)
        REQUIRE(pool[i] == 0);
    lab_stop();
}

/* The test of this test: what is sent is seen. */
static void what_is_sent_is_seen(void)
{
    struct xvs_stream *s;

    start();
    s = lab_accept(&a, 5, 1 << 20);
    EQ(xvs_send(s, text, 100, 0), 100);
    CU_ASSERT_TRUE(seen());
    lab_stop();
}

/* ---- within the guest ---- */

static void join(uint64_t cid, struct xvs_stream **s, struct xvs_stream **t)
{
    REQUIRE(xvs_connect(x, cid, PORT, s) == 0);
    REQUIRE(xvs_accept(listener, t) == 0);
    lab_events();
}

/* All ways of writing, both ways; read a little at a time, so that what waits is seen, too, if it is there. */
static void speak(struct xvs_stream *s, struct xvs_stream *t)
{
    struct iovec iov[3] = { { text, 100 }, { text, 9000 }, { text, 1 } };
    char got[70000];
    void *piece;

    EQ(xvs_send(s, text, 100, 0), 100);
    CU_ASSERT_FALSE(seen());
    EQ(xvs_send(s, text, 100, XVS_MORE), 100);
    EQ(xvs_send(s, text, 100, XVS_MORE), 100);
    CU_ASSERT_FALSE(seen());
    xvs_flush(x);
    EQ(xvs_send(s, text, sizeof text, XVS_MORE), sizeof text);
    EQ(xvs_sendv(s, iov, 3, 0), 9101);
    CU_ASSERT_FALSE(seen());
    EQ(xvs_reserve(s, 50000, &piece), 50000);
    memcpy(piece, text, 50000);
    CU_ASSERT_FALSE(seen());
    EQ(xvs_commit(s, 40000, XVS_MORE), 0);
    EQ(xvs_send_all(s, text, 10, 1000), 0);
    CU_ASSERT_FALSE(seen());
    for (ssize_t n; (n = xvs_recv(t, got, 777, 0)) > 0; )
        CU_ASSERT_FALSE(seen());
    EQ(xvs_send(s, text, 60000, 0), 60000);
    EQ(xvs_recv(t, got, sizeof got, XVS_PEEK), 60000);
    CU_ASSERT_FALSE(seen());
}

static void speaks_by(uint64_t cid)
{
    struct xvs_stream *s, *t;

    start();
    join(cid, &s, &t);
    speak(s, t);
    speak(t, s);
    xvs_stream_close(s);
    CU_ASSERT_FALSE(seen());
    xvs_stream_close(t);
    lab_process();
    CU_ASSERT_FALSE(seen());
    NO_LEAK();
    lab_stop();
}

static void what_programs_of_a_guest_say_to_each_other_is_not_seen(void)
{
    speaks_by(XVS_CID_LOCAL);
    speaks_by(CID);
}

/* Nor does the backend have a hand in it: it completes nothing, all its memory is taken and all its slots. */
static void a_backend_that_does_nothing_stops_no_stream_within_the_guest(void)
{
    struct xvs_stream *s, *t, *far;
    char got[1000] = { 0 };

    start();
    far = lab_accept(&a, 5, 64 << 20);
    join(XVS_CID_LOCAL, &s, &t);
    EQ(xvs_stream_writable(s), x->opt.buffer);
    while (xvs_send(far, got, 1, 0) == 1)
        ;
    EQ(xvs_send(far, got, 1, 0), -EAGAIN);
    EQ(xvs_stream_writable(s), x->opt.buffer);
    for (int i = 0; i < 100; i++) {
        EQ(xvs_send(s, text, sizeof got, i % 2 ? XVS_MORE : 0), sizeof got);
        xvs_flush(x);
        EQ(xvs_recv(t, got, sizeof got, 0), sizeof got);
    }
    lab_stop();
}

/* A hundred streams that gather within the guest leave all slots and all memory to the others. */
static void gathering_within_the_guest_keeps_no_slot(void)
{
    struct xvs_stream *s[100], *t[100], *far;
    char nothing[1000] = { 0 };

    lab_stop();
    options.tx_pool = options.rx_pool = 64u << 10;
    start();
    xvs_listener_close(listener);
    REQUIRE(xvs_listen(x, PORT, 128, &listener) == 0);
    for (int i = 0; i < 100; i++) {
        join(XVS_CID_LOCAL, &s[i], &t[i]);
        EQ(xvs_send(s[i], text, 100, XVS_MORE), 100);
    }
    EQ(x->trunk.gather_count, 100);
    EQ(slots_kept(&x->trunk), 0);
    far = lab_accept(&a, 5, 1 << 20);
    EQ(xvs_send(far, nothing, 1000, XVS_MORE), 1000);
    EQ(slots_kept(&x->trunk), 1);
    xvs_flush(x);
    EQ(x->trunk.gather_count, 0);
    EQ(x->trunk.local_count, 0);
    for (int i = 0; i < 100; i++) {
        EQ(xvs_stream_readable(t[i]), 100);
        xvs_stream_close(s[i]);
        xvs_stream_reset(t[i]);
    }
    CU_ASSERT_FALSE(seen());
    lab_take(&a, false);
    EQ(a.got, 1000);
    lab_close(&a, far);
    NO_LEAK();
    lab_stop();
}

/* The other end goes by a call for that one, which may be another part of the program: the place that was reserved is good until
 * the commit. */
static void a_reserved_place_outlives_the_other_end_within_the_guest(void)
{
    for (int how = 0; how < 4; how++) {
        struct xvs_stream *s, *t;
        void *piece;

        start();
        join(XVS_CID_LOCAL, &s, &t);
        EQ(xvs_send(s, text, 10, XVS_MORE), 10);
        EQ(xvs_reserve(s, 50000, &piece) > 1000, true);
        xvs_stream_reset(t);
        xvs_flush(x);
        EQ(x->trunk.gather_count, 0);
        memset(piece, 'x', 1000);
        if (how == 0)
            EQ(xvs_commit(s, 1000, 0), -ECONNRESET);
        if (how == 1)
            EQ(xvs_send(s, text, 10, 0), -ECONNRESET);
        if (how == 2)
            EQ(xvs_reserve(s, 10, &piece), -ECONNRESET);
        xvs_stream_close(s);
        lab_process();
        NO_LEAK();
        lab_stop();
    }
}

/* ---- gathered for the backend, and not sent ---- */

/* Gathers the secret, by XVS_MORE or in a reserved place that is not committed yet. */
static void gather(struct xvs_stream *s, bool reserve)
{
    void *piece;

    EQ(xvs_send(s, text, 500, XVS_MORE), 500);
    if (reserve) {
        ssize_t room = xvs_reserve(s, 65536, &piece);

        REQUIRE(room > 5000);
        memcpy(piece, text, (size_t)room);
    }
    CU_ASSERT_TRUE(seen());
}

static bool reserves;           /* how this round gathers */

static void peer_resets(struct xvs_stream *s)
{
    (void)s;
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
}

static void peer_reads_no_more(struct xvs_stream *s)
{
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_RCV);
    lab_process();
    EQ(xvs_send(s, "", 0, 0) <= 0, true);
}

static void we_reset(struct xvs_stream *s)
{
    xvs_stream_reset(s);
}

static void the_device_closes(struct xvs_stream *s)
{
    (void)s;
    xvs_close(x);
    x = NULL;
}

static void the_backend_breaks_the_protocol(struct xvs_stream *s)
{
    (void)s;
    ((struct vsockif_ring *)back.link.mem.rx_ring)->rsp_prod += 1000;
    lab_process();
    CU_ASSERT_FALSE(xvs_is_up(x));
}

/* …and the program closes before the library has done anything about it. */
static void the_backend_breaks_the_protocol_and_the_device_closes(struct xvs_stream *s)
{
    (void)s;
    x->trunk.up = false;
    bus_fault(&x->bus, "told so");
    the_device_closes(s);
}

static void the_backend_stops(struct xvs_stream *s)
{
    lab_settle();                       /* before it is gathered, for that sends */
    gather(s, reserves);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    lab_process();
    CU_ASSERT_FALSE(xvs_is_up(x));
}

static void there_is_no_memory_for_what_came(struct xvs_stream *s)
{
    tell_failed(&x->trunk, s, ENOMEM);
}

static void what_is_gathered_and_dropped_is_not_seen(void)
{
    static void (*const ends[])(struct xvs_stream *) = {
        peer_resets, peer_reads_no_more, we_reset, the_device_closes, the_backend_breaks_the_protocol,
        the_backend_breaks_the_protocol_and_the_device_closes, the_backend_stops, there_is_no_memory_for_what_came
    };

    for (size_t i = 0; i < 2 * sizeof ends / sizeof *ends; i++) {
        struct xvs_stream *s;

        start();
        s = lab_accept(&a, 5, 1 << 20);
        reserves = i % 2;
        if (ends[i / 2] != the_backend_stops)
            gather(s, reserves);
        ends[i / 2](s);
        if (seen())
            fprintf(stderr, "end %zu, %s\n", i / 2, i % 2 ? "reserved" : "gathered");
        CU_ASSERT_FALSE(seen());
        lab_stop();
    }
}

/* A commit that comes too late is the same. */
static void what_is_committed_too_late_is_not_seen(void)
{
    struct xvs_stream *s;
    void *piece;

    start();
    s = lab_accept(&a, 5, 1 << 20);
    EQ(xvs_reserve(s, 3000, &piece), 3000);
    memcpy(piece, text, 3000);
    vmux_abort(x->trunk.mux, &s->v, ECONNRESET, REASON(NONE));              /* the end has not been told to the stream yet */
    EQ(xvs_commit(s, 3000, 0), -ECONNRESET);
    CU_ASSERT_FALSE(seen());
    lab_stop();
}

/* What was dropped is not seen behind the end of something shorter that is sent from the same place later. */
static void a_short_packet_shows_nothing_behind_its_end(void)
{
    struct xvs_stream *s, *t;
    struct far b;
    uint8_t *pool;

    start();
    s = lab_accept(&a, 5, 1 << 20);
    t = lab_accept(&b, 6, 1 << 20);
    gather(s, true);
    xvs_stream_reset(s);
    EQ(xvs_send(t, "short", 5, 0), 5);
    CU_ASSERT_FALSE(seen());
    pool = back.link.mem.tx_pool;
    for (uint32_t i = 5; i < back.link.mem.tx_bytes; i++)
        REQUIRE(pool[i] == 0);
    lab_stop();
}

/* A place that is given up, by another call that writes or reserves, or because there is no credit left. */
static void what_was_reserved_and_given_up_is_not_seen(void)
{
    struct xvs_stream *s;
    void *piece;

    for (int how = 0; how < 4; how++) {
        start();
        s = lab_accept(&a, 5, 1 << 20);
        EQ(xvs_send(s, "begin", 5, XVS_MORE), 5);
        EQ(xvs_reserve(s, 3000, &piece), 3000);
        memcpy(piece, text, 3000);
        CU_ASSERT_TRUE(seen());
        if (how == 0)
            EQ(xvs_send(s, "short", 5, 0), 5);
        if (how == 1)
            EQ(xvs_sendv(s, &(struct iovec){ "short", 5 }, 1, XVS_MORE), 5);
        if (how == 2)
            EQ(xvs_reserve(s, 10, &piece), 10);
        if (how == 3) {
            a.alloc = 5;                        /* the peer shrinks its buffer to what is gathered */
            lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
            lab_process();
            CU_ASSERT_TRUE(seen());
            EQ(xvs_reserve(s, 10, &piece), -EAGAIN);
            lab_take(&a, false);
            EQ(a.got, 5);
        }
        CU_ASSERT_FALSE(seen());
        lab_stop();
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(pools_are_empty_when_they_are_shared),
        TEST(what_is_sent_is_seen),
        TEST(what_programs_of_a_guest_say_to_each_other_is_not_seen),
        TEST(a_backend_that_does_nothing_stops_no_stream_within_the_guest),
        TEST(gathering_within_the_guest_keeps_no_slot),
        TEST(a_reserved_place_outlives_the_other_end_within_the_guest),
        TEST(what_is_gathered_and_dropped_is_not_seen),
        TEST(what_is_committed_too_late_is_not_seen),
        TEST(what_was_reserved_and_given_up_is_not_seen),
        TEST(a_short_packet_shows_nothing_behind_its_end),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: shared pages", tests, sizeof tests / sizeof *tests, argc, argv);
}
