/* SPDX-License-Identifier: MIT */
/* test_daemon.c: the library before the daemon itself, with its services ("services = yes"): what takes two honest ends. */
#include <signal.h>
#include <sys/socket.h>

#include "daemon.h"
#include "lab.h"

#define ECHO    7u
#define DISCARD 9u
#define SOURCE  19u

static uint8_t data[1 << 20], back_data[1 << 20];

static void start(void)
{
    lab_stop();
    hosted_become(0);
    REQUIRE(daemon_start("[daemon]\nservices = yes\n[guest dom1]\ncid = 101\n") == 0);
    hosted_become(GUEST);
    REQUIRE(xvs_open(NULL, &x) == 0);
    REQUIRE(xvs_wait_up(x, PATIENCE_MS) == 0);
}

static void stop(void)
{
    xvs_close(x);
    x = NULL;
    hosted_become(0);
    daemon_stop(SIGTERM);
}

static struct xvs_stream *connect_to(uint32_t port)
{
    struct xvs_stream *s = NULL;

    REQUIRE(xvs_connect_wait(x, XVS_CID_HOST, port, PATIENCE_MS, &s) == 0);
    return s;
}

static void a_megabyte_comes_back_as_it_went(void)
{
    struct xvs_stream *s;
    size_t sent = 0, got = 0;

    start();
    s = connect_to(ECHO);
    lab_fill(data, 0, sizeof data);
    while (got < sizeof data) {
        size_t len = sizeof data - sent < 3000 ? sizeof data - sent : 3000;
        ssize_t n = len ? xvs_send(s, data + sent, len, XVS_MORE) : 0;

        if (n > 0)
            sent += (size_t)n;
        n = xvs_recv(s, back_data + got, sizeof data - got, 0);
        if (n > 0)
            got += (size_t)n;
        else if (!len || sent - got > 200000)
            REQUIRE(xvs_wait(x, PATIENCE_MS) >= 0);
        lab_events();
    }
    CU_ASSERT_TRUE(lab_matches(back_data, 0, sizeof data));
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(xvs_recv_wait(s, back_data, 1, PATIENCE_MS), 0);
    xvs_stream_close(s);
    stop();
}

/* The daemon takes promises back from streams whose readers stand still: bytes that were gathered by then are not lost.  Here
 * the guest itself is the reader that stands still, of what its writes bring back. */
static void gathered_bytes_outlive_a_smaller_promise(void)
{
    enum { STREAMS = 60 };
    static size_t sent[STREAMS], got[STREAMS];
    struct xvs_stream *s[STREAMS];

    start();
    memset(sent, 0, sizeof sent);
    memset(got, 0, sizeof got);
    lab_fill(data, 0, sizeof data);
    for (int i = 0; i < STREAMS; i++)
        s[i] = connect_to(ECHO);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < STREAMS; i++) {
            ssize_t n = xvs_send(s[i], data + sent[i], 4500, XVS_MORE);

            if (n > 0)
                sent[i] += (size_t)n;
        }
        lab_process();
        hosted_become(GUEST);
        lab_events();
    }
    for (int i = 0; i < STREAMS; i++)
        while (got[i] < sent[i]) {
            size_t want = sent[i] - got[i] < 60000 ? sent[i] - got[i] : 60000;
            ssize_t n = xvs_recv_wait(s[i], back_data, want, PATIENCE_MS);

            REQUIRE(n > 0);
            CU_ASSERT_TRUE(lab_matches(back_data, got[i], (size_t)n));
            got[i] += (size_t)n;
        }
    for (int i = 0; i < STREAMS; i++)
        xvs_stream_close(s[i]);
    stop();
}

static void send_some(struct xvs_stream *s, size_t *sent)
{
    ssize_t n;

    lab_fill(data, *sent, 65536);
    n = xvs_send(s, data, 65536, 0);
    if (n > 0)
        *sent += (size_t)n;
    else
        REQUIRE(n == -EAGAIN && xvs_wait(x, PATIENCE_MS) > 0);
    lab_events();
}

/* Reads until so many bytes of all are there. */
static void read_up_to(struct xvs_stream *s, size_t *got, size_t end)
{
    while (*got < end) {
        ssize_t n = xvs_recv_wait(s, back_data, end - *got < 65536 ? end - *got : 65536, PATIENCE_MS);

        REQUIRE(n > 0);
        CU_ASSERT_TRUE(lab_matches(back_data, *got, (size_t)n));
        *got += (size_t)n;
    }
}

/* Nobody reads any more what one stream brings back that has most of the pool, being alone; nor what the others do, who come then
 * and have more on their way than it has left. */
static void those_who_come_find_room_beside_one_that_fills_most_of_the_pool(void)
{
    enum { OTHERS = 4, BUFFER = 512 << 10 /* the library's */, MORE = 100000 };
    struct xvs_stream *s, *other[OTHERS];
    size_t sent = 0, got = 0;

    start();
    s = connect_to(ECHO);
    while (sent < 4 << 20) {
        send_some(s, &sent);
        read_up_to(s, &got, sent);
    }
    while (sent - got < BUFFER + (800 << 10))
        send_some(s, &sent);
    lab_fill(data, 0, sizeof data);
    for (int i = 0; i < OTHERS; i++) {
        other[i] = connect_to(ECHO);
        REQUIRE(xvs_send_all(other[i], data, BUFFER + MORE, PATIENCE_MS) == 0);
    }
    for (int i = 0; i < OTHERS; i++) {
        size_t came = 0;

        read_up_to(other[i], &came, BUFFER + MORE);
        xvs_stream_close(other[i]);
    }
    read_up_to(s, &got, sent);
    xvs_stream_close(s);
    stop();
}

static void an_end_of_stream_is_answered_by_one(void)
{
    struct xvs_stream *s;

    start();
    s = connect_to(DISCARD);
    EQ(xvs_send_all(s, data, sizeof data, PATIENCE_MS), 0);
    EQ(xvs_recv(s, data, 1, 0), -EAGAIN);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(xvs_recv_wait(s, data, 1, PATIENCE_MS), 0);
    EQ(xvs_stream_error(s), 0);
    xvs_stream_close(s);
    stop();
}

static void a_port_that_nobody_serves_refuses(void)
{
    struct xvs_stream *s;

    start();
    EQ(xvs_connect_wait(x, XVS_CID_HOST, 8, PATIENCE_MS, &s), -ECONNREFUSED);
    CU_ASSERT_PTR_NULL(s);
    EQ(xvs_connect_wait(x, 4711, 8, PATIENCE_MS, &s), -ECONNREFUSED);
    stop();
}

static void sources_that_nobody_reads_keep_no_other_from_going_on(void)
{
    struct xvs_stream *s[100], *t;
    struct xvs_stats st = { .size = sizeof st };

    start();
    for (int i = 0; i < 100; i++)
        s[i] = connect_to(SOURCE);
    t = connect_to(ECHO);
    for (int i = 0; i < 200; i++) {
        EQ(xvs_send_all(t, data, 1000, PATIENCE_MS), 0);
        EQ(xvs_recv_all(t, back_data, 1000, PATIENCE_MS), 1000);
    }
    xvs_get_stats(x, &st);
    CU_ASSERT_TRUE(st.memory < 101 * 524288u * 2 + (4 << 20));
    for (int i = 0; i < 100; i++) {
        while (xvs_stream_readable(s[i]) == 0) {
            REQUIRE(xvs_wait(x, PATIENCE_MS) == 1);
            lab_events();
        }
        CU_ASSERT_TRUE(xvs_stream_readable(s[i]) <= 524288);
        xvs_stream_close(s[i]);
    }
    xvs_stream_close(t);
    stop();
}

static void the_daemon_may_die_and_come_back(void)
{
    struct xvs_stream *s;
    long granted;

    start();
    granted = lab_count(GUEST, "granted");
    for (int i = 0; i < 3; i++) {
        s = connect_to(SOURCE);
        hosted_become(0);
        daemon_stop(i % 2 ? SIGTERM : SIGKILL);
        hosted_become(GUEST);
        while (xvs_is_up(x)) {
            REQUIRE(xvs_wait(x, PATIENCE_MS) >= 0);
            lab_events();
        }
        while (xvs_recv(s, data, sizeof data, 0) > 0)
            ;
        EQ(xvs_recv(s, data, 1, 0), -ECONNRESET);
        xvs_stream_close(s);
        hosted_become(0);
        REQUIRE(daemon_start("[daemon]\nservices = yes\n[guest dom1]\ncid = 101\n") == 0);
        hosted_become(GUEST);
        REQUIRE(xvs_wait_up(x, PATIENCE_MS) == 0);
        EQ(lab_count(GUEST, "granted"), granted);
        EQ(lab_count(GUEST, "revoked"), 0);
    }
    stop();
}

/* Waits without a timer of the library: the look every 10 s is put off for ever, and the life cycle has none. */
static void expect_up_without_a_timer(void)
{
    EQ(life_front_deadline(&x->bus.life), LIFE_NEVER);
    x->bus.store_check = LIFE_NEVER;
    hosted_become(0);
    REQUIRE(daemon_start("[daemon]\nservices = yes\n[guest dom1]\ncid = 101\n") == 0);
    hosted_become(GUEST);
    REQUIRE(xvs_wait_up(x, PATIENCE_MS) == 0);
    x->bus.store_check = clock_coarse_ms();
}

/* Each of these connections lasts for less than LIFE_PROVEN_MS.  That is no fault of the daemon's: the library counted it as one,
 * and came back by its own timer, up to 5 s after the daemon was there. */
static void a_daemon_that_is_restarted_often_is_back_by_its_watch_alone(void)
{
    start();
    for (int i = 0; i < 12; i++) {
        hosted_become(0);
        daemon_stop(i % 2 ? SIGTERM : SIGKILL);
        hosted_become(GUEST);
        while (x->bus.life.shares || x->bus.life.own != VSOCKIF_INITIALISING) {
            REQUIRE(xvs_wait(x, 10) >= 0);
            REQUIRE(x->bus.life.not_before <= clock_deadline_ms(LIFE_GAP_MS));
            lab_events();
        }
        expect_up_without_a_timer();
    }
    stop();
}

static void an_agent_that_was_there_before_the_daemon_needs_no_timer(void)
{
    lab_stop();
    for (int attached = 0; attached < 2; attached++) {      /* by this daemon now, or by an earlier one */
        hosted_become(GUEST);
        REQUIRE(xvs_open(NULL, &x) == 0);
        lab_settle();
        expect_up_without_a_timer();
        stop();
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_megabyte_comes_back_as_it_went),
        TEST(gathered_bytes_outlive_a_smaller_promise), TEST(those_who_come_find_room_beside_one_that_fills_most_of_the_pool),
        TEST(an_end_of_stream_is_answered_by_one),
        TEST(a_port_that_nobody_serves_refuses),
        TEST(sources_that_nobody_reads_keep_no_other_from_going_on),
        TEST(the_daemon_may_die_and_come_back),
        TEST(a_daemon_that_is_restarted_often_is_back_by_its_watch_alone),
        TEST(an_agent_that_was_there_before_the_daemon_needs_no_timer),
    };
    int status;

    if (!hosted_is_here())
        return 2;
    status = harness_run("library: before the daemon", tests, sizeof tests / sizeof *tests, argc, argv);
    if (daemon_lives())
        daemon_stop(SIGKILL);
    return status;
}
