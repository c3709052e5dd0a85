/* SPDX-License-Identifier: MIT */
/* test_send.c: writing: what is gathered, what waits for credit, memory or slots and is woken, reserve and commit, half-close.
 *
 * Where a test waits in lab_poll() and not in UNTIL(), it stands for a program that sleeps in poll() on xvs_fd(). */
#include <sys/socket.h>

#include "lab.h"

static struct far a, b, c;
static uint8_t data[1 << 20];

/* Done once, while the library notifies: the backend may be as fast as that. */
static void (*meanwhile)(void);
int __real_xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port);
int __wrap_xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port);
int __wrap_xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    void (*now)(void) = handle == back.evtchn ? NULL : meanwhile;

    if (now) {
        meanwhile = NULL;
        now();
    }
    return __real_xenevtchn_notify(handle, port);
}

/* The least device: 32 slots in each ring, of which 24 are for data.  A packet has gone and been completed, so that the
 * wake-up for the first completion, which every ring begins with, is used up. */
static void start_small(void)
{
    lab_stop();
    options.tx_pool = options.rx_pool = 64u << 10;
    lab_start();
    xvs_stream_reset(lab_accept(&a, 4, 1));
    lab_take(NULL, false);
    lab_process();
    lab_process();
}

/* Writes until there is no more room; how much it was.  The bytes go on where f's end. */
static uint32_t fill_up(struct xvs_stream *s, uint32_t at, uint32_t most)
{
    uint32_t done = 0;

    while (done < most) {
        ssize_t n;

        lab_fill(data, at + done, 65536);
        n = xvs_send(s, data, most - done < 65536 ? most - done : 65536, 0);
        if (n == -EAGAIN)
            break;
        REQUIRE(n > 0);
        done += (uint32_t)n;
    }
    return done;
}

static void sent_bytes_arrive(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 1000);
    EQ(xvs_stream_writable(s), 65536);
    EQ(xvs_send(s, data, 1000, 0), 1000);
    EQ(xvs_stream_writable(s), 64536);
    lab_take(&a, false);
    EQ(a.got, 1000);
    EQ(a.packets, 1);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_credit_of_one_byte_moves_one_byte_at_a_time(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1);
    lab_fill(data, 0, 8);
    EQ(xvs_stream_writable(s), 1);
    EQ(xvs_send(s, data, 8, 0), 1);
    for (uint32_t i = 1; i < 8; i++) {
        EQ(xvs_send(s, data + i, 8 - i, 0), -EAGAIN);
        EQ(xvs_stream_writable(s), 0);
        lab_process();
        EQ(lab_stream_events(s), 0);
        lab_take(&a, false);
        EQ(a.got, i);
        a.fwd = i;
        lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
        CU_ASSERT_TRUE(lab_poll(5000));
        lab_process();
        EQ(lab_stream_events(s), XVS_EVENT_OUT);
        EQ(xvs_send(s, data + i, 8 - i, 0), 1);
    }
    lab_take(&a, false);
    EQ(a.got, 8);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void room_is_told_only_to_those_who_found_none(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 10);
    EQ(xvs_send(s, data, 10, 0), 10);
    lab_take(&a, false);
    a.fwd = 10;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    EQ(lab_stream_events(s), 0);
    lab_stop();
}

/* The library asks when the far end may hold back what it has consumed. */
static void a_writer_without_credit_asks_for_it_once(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 2 << 20);             /* more than our own cap of 1 MiB */
    uint32_t n = fill_up(s, 0, 400000);
    lab_take(&a, false);
    lab_process();
    n += fill_up(s, n, 400000);
    lab_take(&a, false);
    lab_process();
    n += fill_up(s, n, 400000);
    EQ(n, 1 << 20);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_CREDIT_REQUEST);
    a.ops = 0;
    EQ(xvs_send(s, data, 1, 0), -EAGAIN);
    lab_take(&a, false);
    EQ(a.ops, 0);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

/* No event of its own says that our RESPONSE has left: the library owes one to whoever was told -EAGAIN before. */
static void a_writer_before_the_response_has_left_is_told_when_it_has(void)
{
    struct xvs_stream *s, *other;

    start_small();
    for (int i = 0; i < 32; i++)
        REQUIRE(xvs_connect(x, XVS_CID_HOST, 1000, &other) == 0);
    lab_take(NULL, true);
    EQ(lab_held, 32);
    a = (struct far){ .host = 5, .guest = PORT, .alloc = 65536 };
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    UNTIL(xvs_accept(listener, &s) == 0);
    lab_events();
    EQ(xvs_send(s, data, 1, 0), -EAGAIN);
    CU_ASSERT_FALSE(lab_poll(0));
    lab_complete(8);
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    EQ(xvs_send(s, data, 1, 0), -EAGAIN);       /* the last eight are not for data */
    lab_take(&a, true);
    EQ(a.ops, 1u << VSOCKIF_OP_RESPONSE);
    lab_complete(lab_held);
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    EQ(xvs_send(s, data, 1, 0), 1);
    lab_stop();
}

static void a_connect_without_a_slot_leaves_when_there_is_one(void)
{
    struct xvs_stream *s = NULL, *last = NULL;

    start_small();
    for (int i = 0; i < 32; i++)
        REQUIRE(xvs_connect(x, XVS_CID_HOST, 1000, &s) == 0);
    lab_take(NULL, true);
    lab_process();
    a = (struct far){ .host = 2000, .alloc = 1 };
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 2000, &last) == 0);
    CU_ASSERT_FALSE(lab_poll(0));
    lab_complete(1);
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_REQUEST);
    lab_stop();
}

static void take_and_complete(void)
{
    lab_complete(lab_held);
    lab_take(NULL, false);
}

/* What is owed has no slot, and all slots are given back before the library has said that it waits for one: nobody will notify it. */
static void slots_that_are_free_before_they_are_waited_for_are_found(void)
{
    struct xvs_stream *s = NULL;
    struct far nobody = { .host = 3000, .guest = 3000 };

    start_small();
    for (int i = 0; i < 31; i++)
        REQUIRE(xvs_connect(x, XVS_CID_HOST, 1000, &s) == 0);
    lab_take(NULL, true);
    for (int i = 0; i < 3; i++) {       /* each is answered with RST */
        nobody.host++;
        lab_send(&nobody, VSOCKIF_OP_RW, 1);
    }
    lab_kick();
    a = (struct far){ .host = 3003 };
    meanwhile = take_and_complete;
    lab_process();
    CU_ASSERT_PTR_NULL(meanwhile);
    EQ(lab_held, 0);
    CU_ASSERT_TRUE(lab_poll(0));
    lab_process();
    lab_take(&a, false);
    EQ(a.ops, 1u << VSOCKIF_OP_RST);
    lab_stop();
}

static void a_writer_without_memory_is_woken_in_poll(void)
{
    struct xvs_stream *s;
    uint32_t n;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    lab_process();
    n = fill_up(s, 0, sizeof data);
    EQ(n, 64 << 10);
    EQ(xvs_stream_writable(s), 0);
    lab_take(&a, true);
    CU_ASSERT_FALSE(lab_poll(0));
    CU_ASSERT_FALSE(lab_poll(10));
    lab_complete(1);
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    CU_ASSERT_TRUE(xvs_stream_writable(s) > 0);
    CU_ASSERT_TRUE(fill_up(s, n, sizeof data) > 0);
    lab_take(&a, false);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

/* What is complete by the time is found without an event. */
static void a_writer_takes_back_what_is_finished_before_it_gives_up(void)
{
    struct xvs_stream *s;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    EQ(fill_up(s, 0, 64 << 10), 64 << 10);
    lab_take(&a, false);
    EQ(fill_up(s, 64 << 10, 64 << 10), 64 << 10);
    lab_take(&a, false);
    EQ(a.got, 128 << 10);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

static void memory_that_a_commit_of_nothing_gives_back_wakes_others(void)
{
    struct xvs_stream *s, *t;
    void *piece;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    t = lab_accept(&b, 6, 1 << 20);
    EQ(xvs_reserve(s, 1 << 20, &piece), 65536);
    EQ(xvs_send(t, data, 1, 0), -EAGAIN);
    EQ(xvs_commit(s, 0, 0), 0);
    EQ(lab_stream_events(t), XVS_EVENT_OUT);
    EQ(xvs_send(t, data, 1, 0), 1);
    lab_stop();
}

static void memory_that_a_closed_stream_gives_back_wakes_others(void)
{
    struct xvs_stream *s, *t;
    void *piece;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    t = lab_accept(&b, 6, 1 << 20);
    EQ(xvs_reserve(s, 1 << 20, &piece), 65536);
    EQ(xvs_send(t, data, 1, 0), -EAGAIN);
    xvs_stream_close(s);
    EQ(lab_stream_events(t), XVS_EVENT_OUT);
    EQ(xvs_send(t, data, 1, 0), 1);
    lab_stop();
}

/* Three that always want more, and one completion at a time. */
static void every_writer_gets_its_turn(void)
{
    struct far *far[3] = { &a, &b, &c };
    struct xvs_stream *s[3];
    struct xvs_event ev;

    start_small();
    for (uint32_t i = 0; i < 3; i++) {
        s[i] = lab_accept(far[i], 5 + i, 4 << 20);
        xvs_stream_set_user(s[i], far[i]);
    }
    for (int i = 0; i < 3; i++)
        fill_up(s[i], 0, 1 << 19);
    for (int turn = 0; turn < 40; turn++) {
        lab_take(NULL, true);
        lab_complete(1);
        lab_process();
        while (xvs_next_event(x, &ev))
            if (ev.what & XVS_EVENT_OUT) {
                struct far *f = ev.user;

                lab_take(NULL, true);
                fill_up(ev.stream, f->got, 1 << 19);
            }
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(far[i]->packets >= 10);
        CU_ASSERT_FALSE(far[i]->bad);
    }
    lab_stop();
}

static void bytes_gathered_before_the_peer_shrinks_its_buffer_are_not_lost(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 8000);
    EQ(xvs_send(s, data, 8000, XVS_MORE), 8000);
    a.alloc = 4096;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    lab_take(&a, false);
    EQ(a.got, 8000);
    EQ(xvs_send(s, data, 1, 0), -EAGAIN);
    a.fwd = 8000;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    lab_fill(data, 8000, 4096);
    EQ(xvs_send(s, data, 5000, 0), 4096);
    lab_take(&a, false);
    EQ(a.got, 12096);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void small_writes_are_gathered_until_one_that_says_no_more(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 100);
    for (int i = 0; i < 99; i++)
        EQ(xvs_send(s, data + i, 1, XVS_MORE), 1);
    lab_take(&a, false);
    EQ(a.packets, 0);
    EQ(xvs_send(s, data + 99, 1, 0), 1);
    lab_take(&a, false);
    EQ(a.packets, 1);
    EQ(a.got, 100);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void gathered_bytes_leave_with(void (*what)(struct xvs_stream *s), unsigned ops)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 100);
    EQ(xvs_send(s, data, 100, XVS_MORE), 100);
    lab_take(&a, false);
    EQ(a.got, 0);
    a.ops = 0;
    what(s);
    lab_take(&a, false);
    EQ(a.got, 100);
    EQ(a.ops, 1u << VSOCKIF_OP_RW | ops);
    EQ(x->trunk.gather_count, 0);
    lab_stop();
}

static void by_nothing(struct xvs_stream *s)  { EQ(xvs_send(s, NULL, 0, 0), 0); }
static void by_flush(struct xvs_stream *s)    { (void)s; xvs_flush(x); }
static void by_process(struct xvs_stream *s)  { (void)s; lab_process(); }
static void by_wait(struct xvs_stream *s)     { (void)s; EQ(xvs_wait(x, 0), 0); }
static void by_shutdown(struct xvs_stream *s) { EQ(xvs_shutdown(s, SHUT_WR), 0); }
static void by_close(struct xvs_stream *s)    { xvs_stream_close(s); }

static void a_write_of_nothing_ends_what_is_gathered(void) { gathered_bytes_leave_with(by_nothing, 0); }
static void a_flush_ends_what_is_gathered(void)            { gathered_bytes_leave_with(by_flush, 0); }
static void processing_ends_what_is_gathered(void)         { gathered_bytes_leave_with(by_process, 0); }
static void waiting_ends_what_is_gathered(void)            { gathered_bytes_leave_with(by_wait, 0); }
static void a_shutdown_follows_what_is_gathered(void)      { gathered_bytes_leave_with(by_shutdown, 1u << VSOCKIF_OP_SHUTDOWN); }
static void a_close_follows_what_is_gathered(void)         { gathered_bytes_leave_with(by_close, 1u << VSOCKIF_OP_SHUTDOWN); }

static void full_packets_leave_although_more_is_to_come(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1 << 20);
    lab_fill(data, 0, 1 << 18);
    EQ(xvs_send(s, data, 65536, XVS_MORE), 65536);
    lab_take(&a, false);
    EQ(a.got, 65536);
    EQ(xvs_send(s, data + 65536, 100000, XVS_MORE), 100000);
    lab_take(&a, false);
    EQ(a.got, 131072);
    EQ(a.packets, 2);
    for (uint32_t i = 0; i < 100; i++)
        EQ(xvs_send(s, data + 165536 + i * 100, 100, XVS_MORE), 100);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.got > 165536);
    xvs_flush(x);
    lab_take(&a, false);
    EQ(a.got, 175536);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void gathered_bytes_fill_the_credit_and_no_more(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1000);
    lab_fill(data, 0, 2000);
    EQ(xvs_send(s, data, 600, XVS_MORE), 600);
    EQ(xvs_stream_writable(s), 400);
    EQ(xvs_send(s, data + 600, 600, XVS_MORE), 400);
    lab_take(&a, false);
    EQ(a.got, 1000);                            /* without credit there is nothing to wait for */
    EQ(xvs_send(s, data + 1000, 1, XVS_MORE), -EAGAIN);
    a.fwd = 500;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

/* Each that gathers has a slot kept for it; the next one makes them go. */
static void more_streams_than_slots_may_gather(void)
{
    struct xvs_stream *s[40];
    struct far far[40];

    lab_stop();
    options.rx_pool = 64u << 10;                /* 32 slots, and memory for all of them */
    lab_start();
    for (uint32_t i = 0; i < 40; i++) {
        if (i < 16)
            lab_process();
        s[i] = lab_accept(&far[i], 100 + i, 65536);
    }
    lab_fill(data, 0, 100);
    for (int i = 0; i < 40; i++) {
        EQ(xvs_send(s[i], data, 1, XVS_MORE), i < 24 ? 1 : -EAGAIN);
        CU_ASSERT_TRUE(x->trunk.gather_count + VSOCKIF_CONTROL_SLOTS <= x->trunk.link.free_ids);
    }
    for (int i = 0; i < 24; i++)
        CU_ASSERT_TRUE(xvs_send(s[i], data + 1, 1, XVS_MORE) != 0);
    for (struct link_request r; link_back_recv(&back.link, &r) > 0; )
        link_back_done(&back.link, r.id);
    link_back_arm(&back.link, true, 1);
    lab_kick();
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    for (int i = 24; i < 40; i++)
        EQ(xvs_send(s[i], data, 1, 0), 1);
    for (int i = 0; i < 40; i++)
        xvs_stream_reset(s[i]);
    for (int i = 0; i < 8; i++) {
        lab_take(NULL, false);
        lab_process();
    }
    NO_LEAK();
    lab_stop();
}

/* Packets without data may take the slots that are kept for them, and none that is kept for what is gathered. */
static void packets_without_data_leave_the_slots_of_what_is_gathered(void)
{
    struct xvs_stream *s[24], *t;
    struct far far[24];
    uint32_t got = 0;

    lab_stop();
    options.rx_pool = 64u << 10;                /* 32 slots */
    lab_start();
    for (uint32_t i = 0; i < 24; i++) {
        s[i] = lab_accept(&far[i], 100 + i, 65536);
        lab_process();
    }
    lab_fill(data, 0, 100);
    for (int i = 0; i < 24; i++)
        EQ(xvs_send(s[i], data, 50, XVS_MORE), 50);
    for (int i = 0; i < 12; i++)
        REQUIRE(xvs_connect(x, XVS_CID_HOST, 9, &t) == 0);
    lab_take(NULL, true);
    EQ(lab_held, 8);
    EQ(x->trunk.link.free_ids, 24);
    xvs_flush(x);
    lab_take(NULL, true);
    for (int i = 0; i < 24; i++)
        got += far[i].got;
    EQ(got, 24 * 50);
    EQ(lab_held, 32);
    lab_complete(lab_held);
    CU_ASSERT_TRUE(lab_poll(5000));
    lab_process();
    lab_take(NULL, true);
    EQ(lab_held, 4);                            /* the other four connects */
    lab_stop();
}

static void parts_from_many_places_are_one_packet(void)
{
    struct iovec iov[4] = { { data, 10 }, { data + 10, 0 }, { data + 10, 500 }, { data + 510, 90 } };
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 600);
    EQ(xvs_sendv(s, iov, 4, 0), 600);
    lab_take(&a, false);
    EQ(a.packets, 1);
    EQ(a.got, 600);
    CU_ASSERT_FALSE(a.bad);
    EQ(xvs_sendv(s, iov, 0, 0), 0);
    lab_stop();
    lab_start();
    s = lab_accept(&a, 5, 300);
    EQ(xvs_sendv(s, iov, 4, 0), 300);
    EQ(xvs_sendv(s, iov, 4, 0), -EAGAIN);
    lab_take(&a, false);
    EQ(a.got, 300);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

static void a_reserved_piece_is_filled_and_committed(void)
{
    struct xvs_stream *s;
    void *piece, *again;

    lab_start();
    s = lab_accept(&a, 5, 1 << 20);
    EQ(xvs_reserve(s, 0, &piece), -EINVAL);
    EQ(xvs_reserve(s, 1 << 20, &piece), 65536);
    lab_fill(piece, 0, 40000);
    EQ(xvs_reserve(s, 50000, &again), 50000);
    CU_ASSERT_PTR_EQUAL(again, piece);
    EQ(xvs_commit(s, 50001, 0), -EINVAL);
    EQ(xvs_commit(s, 40000, 0), 0);
    EQ(xvs_commit(s, 1, 0), -EINVAL);
    EQ(xvs_commit(s, 0, 0), -EINVAL);
    lab_take(&a, false);
    EQ(a.got, 40000);
    EQ(a.packets, 1);
    EQ(xvs_reserve(s, 100, &piece), 100);
    EQ(xvs_commit(s, 0, 0), 0);
    EQ(x->trunk.gather_count, 0);
    EQ(xvs_reserve(s, 100, &piece), 100);
    lab_fill(piece, 40000, 100);
    EQ(xvs_commit(s, 100, XVS_MORE), 0);
    EQ(xvs_reserve(s, 100, &piece), 100);
    lab_fill(piece, 40100, 100);
    EQ(xvs_commit(s, 50, 0), 0);
    lab_take(&a, false);
    EQ(a.got, 40150);
    EQ(a.packets, 2);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* A piece is whole units of the pool, and credit may be less. */
static void no_more_than_was_reserved_can_be_committed(void)
{
    struct xvs_stream *s;
    void *piece;

    lab_start();
    s = lab_accept(&a, 5, 10);
    EQ(xvs_reserve(s, 100, &piece), 10);
    EQ(xvs_commit(s, 11, 0), -EINVAL);
    lab_fill(piece, 0, 10);
    EQ(xvs_commit(s, 10, 0), 0);
    EQ(xvs_reserve(s, 1, &piece), -EAGAIN);
    lab_take(&a, false);
    EQ(a.got, 10);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

static void what_was_not_reserved_cannot_be_committed(void)
{
    struct xvs_stream *s;
    void *piece;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 100);
    EQ(xvs_send(s, data, 10, XVS_MORE), 10);
    EQ(xvs_commit(s, 100, 0), -EINVAL);
    EQ(xvs_reserve(s, 50, &piece), 50);
    EQ(xvs_send(s, data + 10, 10, XVS_MORE), 10);
    EQ(xvs_commit(s, 50, 0), -EINVAL);
    xvs_flush(x);
    lab_take(&a, false);
    EQ(a.got, 20);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

/* Others come and go; the piece stays where it is, as what is sent meanwhile must not land in it. */
static void a_reserved_piece_survives_what_others_do(void)
{
    struct xvs_stream *s, *t;
    void *piece;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    t = lab_accept(&b, 6, 1 << 20);
    EQ(xvs_reserve(s, 1000, &piece), 1000);
    lab_fill(piece, 0, 1000);
    fill_up(t, 0, 1 << 20);
    lab_process();
    lab_take(&b, false);
    EQ(xvs_commit(s, 1000, 0), 0);
    lab_take(&a, false);
    EQ(a.got, 1000);
    CU_ASSERT_FALSE(a.bad);
    CU_ASSERT_FALSE(b.bad);
    lab_close(&a, s);
    lab_close(&b, t);
    NO_LEAK();
    lab_stop();
}

static void a_reset_takes_the_reserved_piece(void)
{
    struct xvs_stream *s, *t;
    void *piece;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    t = lab_accept(&b, 6, 65536);
    REQUIRE(xvs_reserve(s, 100, &piece) == 100);
    REQUIRE(xvs_reserve(t, 100, &piece) == 100);
    lab_send(&b, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(t), XVS_EVENT_HUP);
    EQ(x->trunk.gather_count, 1);
    EQ(xvs_commit(t, 100, 0), -ECONNRESET);
    lab_reset();
    EQ(xvs_commit(s, 100, 0), -ECONNRESET);
    EQ(x->trunk.gather_count, 0);
    EQ(xvs_reserve(s, 100, &piece), -ECONNRESET);
    EQ(xvs_send(s, data, 1, 0), -ECONNRESET);
    EQ(xvs_send(s, data, 0, 0), -ECONNRESET);
    lab_handshake();
    EQ(xvs_commit(s, 100, 0), -ECONNRESET);
    xvs_stream_close(s);
    xvs_stream_close(t);
    NO_LEAK();
    lab_stop();
}

static void closing_the_device_ends_what_is_reserved(void)
{
    struct xvs_stream *s;
    void *piece;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    REQUIRE(xvs_reserve(s, 100, &piece) == 100);
    REQUIRE(xvs_send(lab_accept(&b, 6, 65536), data, 100, XVS_MORE) == 100);
    lab_stop();
}

static void a_peer_that_reads_no_more_ends_writing(void)
{
    struct xvs_stream *s, *t;
    void *piece;

    lab_start();
    s = lab_accept(&a, 5, 1);
    t = lab_accept(&b, 6, 65536);
    EQ(xvs_send(s, data, 1, 0), 1);
    EQ(xvs_send(s, data, 1, 0), -EAGAIN);
    EQ(xvs_reserve(t, 100, &piece), 100);
    lab_take(&a, false);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_RCV);
    lab_send(&b, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_RCV);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT);
    EQ(xvs_send(s, data, 1, 0), -EPIPE);
    EQ(xvs_send(s, data, 0, 0), -EPIPE);
    EQ(xvs_stream_error(s), 0);
    EQ(xvs_commit(t, 100, 0), -EPIPE);
    EQ(x->trunk.gather_count, 0);
    lab_send(&a, VSOCKIF_OP_RW, 50);            /* the other direction goes on */
    lab_process();
    EQ(xvs_recv(s, data, 100, 0), 50);
    lab_close(&a, s);
    lab_close(&b, t);
    NO_LEAK();
    lab_stop();
}

static void half_a_close_from_here_leaves_the_other_half(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_fill(data, 0, 100);
    EQ(xvs_shutdown(s, 77), -EINVAL);
    EQ(xvs_send(s, data, 100, 0), 100);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(xvs_send(s, data, 1, 0), -EPIPE);
    lab_take(&a, false);
    EQ(a.got, 100);
    EQ(a.shut, VSOCKIF_SHUTDOWN_SEND);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    lab_send(&a, VSOCKIF_OP_RW, 1000);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_recv(s, data, 2000, 0), 1000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 1000));
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_IN);     /* nobody has said that the 100 bytes were read */
    a.fwd = 100;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    EQ(xvs_recv(s, data, 1, 0), 0);
    EQ(xvs_stream_error(s), 0);
    EQ(xvs_send(s, data, 1, 0), -EPIPE);
    EQ(xvs_shutdown(s, SHUT_WR), -ENOTCONN);
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_RST);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void nothing_is_written_before_it_is_open(void)
{
    struct xvs_stream *s;
    char byte;
    void *piece;
    struct iovec iov;

    lab_start();
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 5, &s) == 0);
    EQ(xvs_send(s, data, 1, 0), -ENOTCONN);
    EQ(xvs_send(s, data, 0, 0), -ENOTCONN);
    EQ(xvs_reserve(s, 1, &piece), -ENOTCONN);
    EQ(xvs_commit(s, 1, 0), -ENOTCONN);
    EQ(xvs_recv(s, &byte, 1, 0), -ENOTCONN);
    EQ(xvs_peek(s, &iov, 1), -ENOTCONN);
    EQ(xvs_shutdown(s, SHUT_WR), -ENOTCONN);
    EQ(xvs_stream_error(s), 0);
    EQ(xvs_stream_writable(s), 0);
    xvs_stream_close(s);
    lab_take(&a, false);
    lab_process();
    NO_LEAK();
    lab_stop();
}

/* In the same call: some bytes, then the end of what there is.  A waiter hears of a reset, too. */
static void a_waiting_writer_hears_of_the_end(void)
{
    struct xvs_stream *s, *t, *u;

    start_small();
    s = lab_accept(&a, 5, 1);
    t = lab_accept(&b, 6, 1 << 20);
    u = lab_accept(&c, 7, 1 << 20);
    EQ(xvs_send(s, data, 2, 0), 1);
    fill_up(t, 0, 1 << 20);
    EQ(xvs_send(u, data, 1, 0), -EAGAIN);
    lab_take(NULL, true);
    lab_send(&c, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(u), XVS_EVENT_OUT | XVS_EVENT_HUP);
    lab_complete(1);
    lab_process();
    EQ(lab_stream_events(u), 0);                /* it waits no more */
    fill_up(t, 0, 1 << 20);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    lab_process();
    EQ(lab_stream_events(s), XVS_EVENT_OUT | XVS_EVENT_HUP);
    EQ(xvs_send(s, data, 2, 0), -ECONNRESET);
    lab_reset();
    EQ(lab_stream_events(t), XVS_EVENT_OUT | XVS_EVENT_HUP);
    EQ(xvs_send(t, data, 2, 0), -ECONNRESET);
    lab_stop();
}

static void completions_come_in_any_order(void)
{
    uint32_t at[64], n = 0;
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1 << 20);
    for (uint32_t len = 1; n < 64; len = len * 7 % 9001 + 1, n++) {
        at[n] = a.got;
        lab_fill(data, a.got, len);
        REQUIRE(xvs_send(s, data, len, 0) == (ssize_t)len);
        lab_take(&a, true);
        for (unsigned k = 0; lab_held && k < n % 3; k++)
            lab_complete_newest();
        if (n % 5 == 0 && lab_held)
            lab_complete(1);
        lab_process();
    }
    while (lab_held) {
        lab_complete_newest();
        if (lab_held)
            lab_complete(1);
    }
    lab_process();
    CU_ASSERT_TRUE(at[63] > 0);
    CU_ASSERT_FALSE(a.bad);
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

/* A backend that keeps everything: the memory runs out, and that is all. */
static void a_backend_that_never_completes_stops_nothing_but_writing(void)
{
    struct xvs_stream *s, *t;

    start_small();
    s = lab_accept(&a, 5, 1 << 20);
    t = lab_accept(&b, 6, 1 << 20);
    EQ(fill_up(s, 0, 1 << 20), 64 << 10);
    EQ(xvs_send(t, data, 1, 0), -EAGAIN);
    lab_take(NULL, true);
    for (int i = 0; i < 20; i++) {
        lab_send(&b, VSOCKIF_OP_RW, 100);
        UNTIL(xvs_recv(t, data, 100, 0) == 100);
        CU_ASSERT_TRUE(lab_matches(data, (uint32_t)i * 100, 100));
        CU_ASSERT_TRUE(i > 0 || lab_stream_events(t) & XVS_EVENT_IN);
    }
    xvs_stream_close(s);
    xvs_stream_close(t);
    lab_take(NULL, true);
    lab_complete(lab_held);
    UNTIL(pool_free_bytes(&x->trunk.link.pool) == 64 << 10);
    lab_stop();
}

static void counters_wrap(void)
{
    struct xvs_stream *s;
    const uint32_t start = UINT32_MAX - 5000;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    s->v.c.tx_cnt = s->v.c.peer_fwd = start;
    s->v.c.rx_cnt = s->v.c.fwd_cnt = s->v.c.told_fwd = start;
    a.fwd = start;
    for (uint32_t i = 0; i < 4; i++) {
        lab_fill(data, a.got, 40000);
        EQ(xvs_send(s, data, 40000, 0), 40000);
        EQ(xvs_stream_writable(s), 25536);
        lab_take(&a, false);
        a.fwd = start + a.got;
        lab_send(&a, VSOCKIF_OP_RW, 40000);
        lab_process();
        EQ(xvs_stream_writable(s), 65536);
        EQ(xvs_recv(s, data, sizeof data, 0), 40000);
        CU_ASSERT_TRUE(lab_matches(data, i * 40000, 40000));
    }
    lab_take(&a, false);
    CU_ASSERT_TRUE(a.told_fwd - start >= 120000);
    CU_ASSERT_FALSE(a.bad);
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(sent_bytes_arrive),
        TEST(a_credit_of_one_byte_moves_one_byte_at_a_time),
        TEST(room_is_told_only_to_those_who_found_none),
        TEST(a_writer_without_credit_asks_for_it_once),
        TEST(a_writer_before_the_response_has_left_is_told_when_it_has),
        TEST(a_connect_without_a_slot_leaves_when_there_is_one),
        TEST(slots_that_are_free_before_they_are_waited_for_are_found),
        TEST(a_writer_without_memory_is_woken_in_poll),
        TEST(a_writer_takes_back_what_is_finished_before_it_gives_up),
        TEST(memory_that_a_commit_of_nothing_gives_back_wakes_others),
        TEST(memory_that_a_closed_stream_gives_back_wakes_others),
        TEST(every_writer_gets_its_turn),
        TEST(bytes_gathered_before_the_peer_shrinks_its_buffer_are_not_lost),
        TEST(small_writes_are_gathered_until_one_that_says_no_more),
        TEST(a_write_of_nothing_ends_what_is_gathered),
        TEST(a_flush_ends_what_is_gathered),
        TEST(processing_ends_what_is_gathered),
        TEST(waiting_ends_what_is_gathered),
        TEST(a_shutdown_follows_what_is_gathered),
        TEST(a_close_follows_what_is_gathered),
        TEST(full_packets_leave_although_more_is_to_come),
        TEST(gathered_bytes_fill_the_credit_and_no_more),
        TEST(more_streams_than_slots_may_gather),
        TEST(packets_without_data_leave_the_slots_of_what_is_gathered),
        TEST(parts_from_many_places_are_one_packet),
        TEST(a_reserved_piece_is_filled_and_committed),
        TEST(no_more_than_was_reserved_can_be_committed),
        TEST(what_was_not_reserved_cannot_be_committed),
        TEST(a_reserved_piece_survives_what_others_do),
        TEST(a_reset_takes_the_reserved_piece),
        TEST(closing_the_device_ends_what_is_reserved),
        TEST(a_peer_that_reads_no_more_ends_writing),
        TEST(half_a_close_from_here_leaves_the_other_half),
        TEST(nothing_is_written_before_it_is_open),
        TEST(a_waiting_writer_hears_of_the_end),
        TEST(completions_come_in_any_order),
        TEST(a_backend_that_never_completes_stops_nothing_but_writing),
        TEST(counters_wrap),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: writing", tests, sizeof tests / sizeof *tests, argc, argv);
}
