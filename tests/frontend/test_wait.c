/* SPDX-License-Identifier: MIT */
/* test_wait.c: waiting: xvs_wait() and the blocking helpers, with signals, time-outs, and a backend in a thread of its own.
 *
 * While that thread runs, the library opens nothing anew, so the environment (hosted.h) stays as it is. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lab.h"

static struct far a;
static uint8_t data[1 << 20];

/* ---- a backend in a thread: runs script() once, with a handle of its own on nothing but the rings ---- */

static pthread_t thread;
static void (*script)(void);

static void *run(void *arg)
{
    script();
    return arg;
}

static void begin(void (*what)(void))
{
    script = what;
    REQUIRE(pthread_create(&thread, NULL, run, NULL) == 0);
}

static void join(void)
{
    pthread_join(thread, NULL);
}

/* The thread waits for the event channel, so that it depends on the library's notifications. */
static void back_sleep(void)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(back.evtchn), .events = POLLIN };
    int port;

    if (link_back_arm(&back.link, true, 1))
        poll(&pfd, 1, PATIENCE_MS);
    while ((port = xenevtchn_pending(back.evtchn)) >= 0)
        xenevtchn_unmask(back.evtchn, (evtchn_port_t)port);
}

static void back_until_ops(unsigned op)
{
    for (int i = 0; i < 1000 && !(a.ops & 1u << op); i++) {
        lab_take(&a, false);
        if (!(a.ops & 1u << op))
            back_sleep();
    }
}

/* ---- xvs_wait() ---- */

static void waiting_for_no_time_looks_and_returns(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_events();
    for (int i = 0; i < 100; i++)               /* that it does not sleep, test_clock.c sees */
        EQ(xvs_wait(x, 0), 0);
    lab_send(&a, VSOCKIF_OP_RW, 10);
    EQ(xvs_wait(x, 0), 1);
    EQ(lab_stream_events(s), XVS_EVENT_IN);
    EQ(xvs_wait(x, 0), 0);
    lab_stop();
}

static void waiting_ends_with_the_time(void)
{
    uint64_t start;

    lab_start();
    lab_events();
    start = clock_now_ns();
    EQ(xvs_wait(x, 60), 0);
    CU_ASSERT_TRUE(clock_now_ns() - start >= UINT64_C(60) * 1000000);
    lab_stop();
}

static void send_soon(void)
{
    poll(NULL, 0, 20);
    lab_send(&a, VSOCKIF_OP_RW, 10);
}

static void waiting_ends_with_an_event(unsigned spin)
{
    struct xvs_stream *s;

    lab_stop();
    options.spin = spin;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    for (int i = 0; i < 5; i++) {
        begin(send_soon);
        EQ(xvs_wait(x, i % 2 ? -1 : PATIENCE_MS), 1);
        join();
        EQ(lab_stream_events(s), XVS_EVENT_IN);
        EQ(xvs_recv(s, data, 100, 0), 10);
    }
    lab_stop();
}

static void waiting_without_a_look_at_the_ring_ends_with_an_event(void) { waiting_ends_with_an_event(0); }
static void waiting_with_a_look_at_the_ring_ends_with_an_event(void)    { waiting_ends_with_an_event(100000); }

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
    (void)sig;
    alarms = alarms + 1;
}

static void every_ms(long us)
{
    struct itimerval it = { { 0, us }, { 0, us } };
    struct sigaction act = { .sa_handler = on_alarm };

    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
}

static void a_signal_ends_waiting(void)
{
    lab_stop();
    options.spin = 0;
    lab_start();
    lab_events();
    every_ms(5000);
    EQ(xvs_wait(x, PATIENCE_MS), -EINTR);
    every_ms(0);
    lab_stop();
}

/* The channel and the timer are looked at although there is always an event to return. */
static void a_caller_that_always_has_an_event_still_hears_of_xenstore(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    source_raise(&x->trunk.events, &s->source, XVS_EVENT_IN);
    rawback_set_state(&back, VSOCKIF_CLOSING);          /* and no word by the channel: that is still mapped */
    REQUIRE(store_check(x->bus.store) == 0);                /* the watch has fired by now */
    for (int calls = 0; xvs_is_up(x) && calls < 200; calls++)
        EQ(xvs_wait(x, 1000), 1);
    CU_ASSERT_FALSE(xvs_is_up(x));
    lab_stop();
}

/* ---- called again at once ---- */

static bool stop_flood;

static void flood(void)
{
    while (!__atomic_load_n(&stop_flood, __ATOMIC_RELAXED)) {
        if (link_back_refill(&back.link))
            break;
        for (int i = 0; i < 2 && back.link.count > 1; i++) {
            struct vsockif_hdr hdr = rawback_header(&back, VSOCKIF_OP_RST, 1000, 9);

            link_back_send(&back.link, &hdr);
        }
        if (link_back_publish(&back.link))
            xenevtchn_notify(back.evtchn, back.port);
    }
}

/* A backend that never stops: processing ends all the same, and says that there is more. */
static void processing_ends_before_the_packets_do(void)
{
    lab_start();
    stop_flood = false;
    begin(flood);
    for (int i = 0; i < 300; i++) {
        xvs_process(x);
        /* What came after it had looked is announced, and the announcement may still be on its way. */
        if (!ring_arm(&x->trunk.link.rx, 1))
            CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    }
    __atomic_store_n(&stop_flood, true, __ATOMIC_RELAXED);
    join();
    lab_process();
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_stop();
}

/* The packets that are left announce themselves no more: only the timer does. */
static void a_call_to_come_again_at_once_is_not_replaced_by_a_deadline(void)
{
    struct xvs_stream *s, *t;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_settle();
    wake_again(&x->wake);
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 5, &t) == 0);
    CU_ASSERT_TRUE(lab_poll(0));
    xvs_stream_close(t);
    xvs_stream_close(s);
    CU_ASSERT_TRUE(lab_poll(0));
    lab_process();
    CU_ASSERT_FALSE(lab_poll(0));
    lab_stop();
}

/* ---- the helpers ---- */

static void wait_up_ends_with_the_time_or_the_device(void)
{
    lab_attach();
    REQUIRE(lab_open() == 0);
    EQ(xvs_wait_up(x, 0), -ETIMEDOUT);
    EQ(xvs_wait_up(x, 30), -ETIMEDOUT);
    lab_handshake();
    EQ(xvs_wait_up(x, 0), 0);
    EQ(xvs_wait_up(x, -1), 0);
    lab_stop();
}

static void answer(void)
{
    a = (struct far){ .host = 5, .alloc = 65536 };
    back_until_ops(VSOCKIF_OP_REQUEST);
    lab_send(&a, VSOCKIF_OP_RESPONSE, 0);
}

static void connect_wait_gives_an_open_stream(void)
{
    struct xvs_stream *s;

    lab_start();
    lab_take(NULL, false);
    begin(answer);
    every_ms(1000);
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, PATIENCE_MS, &s), 0);
    every_ms(0);
    join();
    EQ(lab_stream_events(s), 0);
    EQ(xvs_send(s, data, 10, 0), 10);
    lab_stop();
}

static void refuse(void)
{
    a = (struct far){ .host = 5 };
    back_until_ops(VSOCKIF_OP_REQUEST);
    lab_send(&a, VSOCKIF_OP_RST, 0);
}

static void connect_wait_says_why_not(void)
{
    struct xvs_stream *s;

    lab_start();
    begin(refuse);
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, -1, &s), -ECONNREFUSED);
    join();
    CU_ASSERT_PTR_NULL(s);
    x->opt.connect_timeout = 50;
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, 10, &s), -ETIMEDOUT);       /* ours */
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, -1, &s), -ETIMEDOUT);       /* the option's */
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, 0, &s), -ETIMEDOUT);
    EQ(xvs_connect_wait(x, 0, 5, 10, &s), -EINVAL);
    lab_reset();
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, 20, &s), -ETIMEDOUT);
    lab_handshake();
    lab_take(NULL, false);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void answer_and_end(void)
{
    answer();
    lab_send(&a, VSOCKIF_OP_RW, 100);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    lab_send(&a, VSOCKIF_OP_RST, 0);
}

/* The answer, the data and the end may come before the caller wakes: it was connected all the same. */
static void connect_wait_keeps_what_a_short_lived_peer_said(void)
{
    struct xvs_stream *s = NULL;

    lab_start();
    begin(answer_and_end);
    poll(NULL, 0, 20);
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 5, PATIENCE_MS, &s), 0);
    join();
    REQUIRE(s != NULL);
    UNTIL(xvs_stream_error(s));
    EQ(lab_stream_events(s), XVS_EVENT_IN | XVS_EVENT_HUP);
    EQ(xvs_recv_wait(s, data, 1000, PATIENCE_MS), 100);
    EQ(xvs_recv_wait(s, data, 1000, PATIENCE_MS), 0);
    xvs_stream_close(s);
    NO_LEAK();
    lab_stop();
}

static void request(void)
{
    poll(NULL, 0, 10);
    a = (struct far){ .host = 5, .guest = PORT, .alloc = 1000 };
    lab_send(&a, VSOCKIF_OP_REQUEST, 0);
    back_until_ops(VSOCKIF_OP_RESPONSE);
}

static void accept_wait_gives_a_stream(void)
{
    struct xvs_stream *s;

    lab_start();
    EQ(xvs_accept_wait(listener, 0, &s), -ETIMEDOUT);
    EQ(xvs_accept_wait(listener, 20, &s), -ETIMEDOUT);
    CU_ASSERT_PTR_NULL(s);
    begin(request);
    every_ms(1000);
    EQ(xvs_accept_wait(listener, -1, &s), 0);
    every_ms(0);
    xvs_process(x);
    join();
    EQ(xvs_stream_peer(s).port, 5);
    lab_stop();
}

/* Reads slowly, in its own time. */
static void drain(void)
{
    while (a.got < 500000) {
        uint32_t before = a.got;

        lab_take(&a, false);
        if (a.got == before) {
            back_sleep();
            continue;
        }
        a.fwd = a.got;
        lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    }
}

static void send_all_sends_all(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 10000);
    lab_fill(data, 0, 500000);
    begin(drain);
    every_ms(1000);
    EQ(xvs_send_all(s, data, 500000, PATIENCE_MS), 0);
    every_ms(0);
    join();
    EQ(a.got, 500000);
    CU_ASSERT_FALSE(a.bad);
    CU_ASSERT_TRUE(xvs_is_up(x));
    EQ(xvs_send_all(s, data, 0, 0), 0);
    lab_stop();
}

static void send_all_ends_with_the_time_or_the_stream(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1000);
    EQ(xvs_send_all(s, data, 2000, 20), -ETIMEDOUT);
    EQ(xvs_send_all(s, data, 2000, 0), -ETIMEDOUT);
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_RCV);
    EQ(xvs_send_all(s, data, 2000, -1), -EPIPE);
    lab_send(&a, VSOCKIF_OP_RST, 0);
    EQ(xvs_recv_wait(s, data, 100, -1), -ECONNRESET);
    lab_stop();
}

static void trickle(void)
{
    for (int i = 0; i < 50; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 200);
        lab_take(&a, false);
        poll(NULL, 0, 1);
    }
    lab_send(&a, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
}

static void recv_all_reads_all_or_up_to_the_end(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1000);
    EQ(xvs_recv_wait(s, data, 100, 20), -ETIMEDOUT);
    EQ(xvs_recv_all(s, data, 100, 20), -ETIMEDOUT);
    begin(trickle);
    every_ms(1000);
    EQ(xvs_recv_all(s, data, 5000, PATIENCE_MS), 5000);
    EQ(xvs_recv_wait(s, data + 5000, 1, PATIENCE_MS), 1);
    EQ(xvs_recv_all(s, data + 5001, 9999, -1), 4999);
    every_ms(0);
    join();
    CU_ASSERT_TRUE(lab_matches(data, 0, 10000));
    EQ(xvs_recv_all(s, data, 1, -1), 0);
    EQ(xvs_recv_wait(s, data, 1, -1), 0);
    lab_stop();
}

static atomic_bool enough;

/* A byte at a time, and never the last. */
static void drip(void)
{
    while (!atomic_load(&enough)) {
        lab_send(&a, VSOCKIF_OP_RW, 1);
        lab_take(&a, false);
        poll(NULL, 0, 1);
    }
}

/* The time is for all of it, and does not begin anew with each byte. */
static void recv_all_ends_with_its_time_although_bytes_come(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    begin(drip);
    EQ(xvs_recv_all(s, data, sizeof data, 200), -ETIMEDOUT);
    atomic_store(&enough, true);
    join();
    lab_stop();
}

/* A loop of tries without time gets on: each takes in what has come. */
static void a_time_out_of_nothing_still_takes_in_what_has_come(void)
{
    struct xvs_stream *s;

    lab_start();
    s = lab_accept(&a, 5, 1000);
    EQ(xvs_recv_wait(s, data, 100, 0), -ETIMEDOUT);
    lab_send(&a, VSOCKIF_OP_RW, 50);
    EQ(xvs_recv_wait(s, data, 100, 0), 50);
    lab_send(&a, VSOCKIF_OP_RW, 50);
    EQ(xvs_recv_all(s, data, 50, 0), 50);
    EQ(xvs_send_all(s, data, 1000, 0), 0);
    EQ(xvs_send_all(s, data, 1, 0), -ETIMEDOUT);
    lab_take(&a, false);
    a.fwd = 1000;
    lab_send(&a, VSOCKIF_OP_CREDIT_UPDATE, 0);
    EQ(xvs_send_all(s, data, 1, 0), 0);
    lab_stop();
}

/* An idle device sleeps: its deadlines are met without turning round and round before them. */
static void an_idle_device_does_not_spin_before_a_deadline(void)
{
    struct xvs_stream *s;
    unsigned wakes = 0;

    lab_stop();
    options.connect_timeout = 20;
    lab_start();
    for (int i = 0; i < 10; i++) {
        REQUIRE(xvs_connect(x, XVS_CID_HOST, 5, &s) == 0);
        for (; !xvs_stream_error(s); wakes++) {
            REQUIRE(lab_poll(PATIENCE_MS));
            xvs_process(x);
        }
        EQ(xvs_stream_error(s), -ETIMEDOUT);
        xvs_stream_close(s);
        lab_take(NULL, false);
    }
    if (wakes >= 50)
        printf("# woke %u times\n", wakes);
    CU_ASSERT_TRUE(wakes < 50);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(waiting_for_no_time_looks_and_returns),
        TEST(waiting_ends_with_the_time),
        TEST(waiting_without_a_look_at_the_ring_ends_with_an_event),
        TEST(waiting_with_a_look_at_the_ring_ends_with_an_event),
        TEST(a_signal_ends_waiting),
        TEST(a_caller_that_always_has_an_event_still_hears_of_xenstore),
        TEST(processing_ends_before_the_packets_do),
        TEST(a_call_to_come_again_at_once_is_not_replaced_by_a_deadline),
        TEST(wait_up_ends_with_the_time_or_the_device),
        TEST(connect_wait_gives_an_open_stream),
        TEST(connect_wait_says_why_not),
        TEST(connect_wait_keeps_what_a_short_lived_peer_said),
        TEST(accept_wait_gives_a_stream),
        TEST(send_all_sends_all),
        TEST(send_all_ends_with_the_time_or_the_stream),
        TEST(recv_all_reads_all_or_up_to_the_end),
        TEST(recv_all_ends_with_its_time_although_bytes_come),
        TEST(a_time_out_of_nothing_still_takes_in_what_has_come),
        TEST(an_idle_device_does_not_spin_before_a_deadline),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: waiting", tests, sizeof tests / sizeof *tests, argc, argv);
}
