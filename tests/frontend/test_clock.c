/* SPDX-License-Identifier: MIT */
/* test_clock.c: no time limit ends early, however far the cheap clock is behind, and whatever wakes the caller; and what is
 * told from two clocks is true, whenever others have the processor. */
#include <sys/epoll.h>
#include <time.h>

#include "lab.h"

#define LAG_MS 300              /* a tick is 4 or 10; a processor that a hypervisor has taken away: more */

int __real_clock_gettime(clockid_t which, struct timespec *ts);
int __wrap_clock_gettime(clockid_t which, struct timespec *ts);
int __real_epoll_wait(int ep, struct epoll_event *evs, int room, int timeout);
int __wrap_epoll_wait(int ep, struct epoll_event *evs, int room, int timeout);

static struct far a, b;
static bool behind;             /* the coarse clock is, by LAG_MS */
static uint64_t played;         /* ns: what the exact clock says, 0 for what it really says */
static uint64_t lost;           /* ns: for how long others have the processor before each look at CLOCK_BOOTTIME */
static uint64_t late;           /* …in all so far */
static uint64_t suspended;      /* ns */

static struct timespec of_ns(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
}

int __wrap_clock_gettime(clockid_t which, struct timespec *ts)
{
    int result = __real_clock_gettime(which, ts);

    if (which == CLOCK_MONOTONIC_COARSE && behind)
        *ts = of_ns((uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec - LAG_MS * UINT64_C(1000000));
    if (which == CLOCK_MONOTONIC && played)
        *ts = of_ns(played);
    if (which == CLOCK_BOOTTIME)
        late += lost;
    if ((which == CLOCK_MONOTONIC || which == CLOCK_BOOTTIME) && late)
        *ts = of_ns((uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec + late);
    if (which == CLOCK_BOOTTIME && suspended)
        *ts = of_ns((uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec + suspended);
    return result;
}

/* On the played clock each sleep ends 0.2 ms before it is over: something came that the caller does not wait for. */
int __wrap_epoll_wait(int ep, struct epoll_event *evs, int room, int timeout)
{
    if (!played || timeout <= 0)
        return __real_epoll_wait(ep, evs, room, timeout);
    played += timeout > 1 ? (uint64_t)timeout * 1000000 - 200000 : 200000;
    return 0;
}

static void a_connect_has_its_whole_time(void)
{
    struct xvs_stream *s;
    uint64_t start;

    lab_stop();
    options.connect_timeout = 50;
    lab_start();
    behind = true;
    start = clock_now_ns();
    REQUIRE(xvs_connect(x, XVS_CID_HOST, 7, &s) == 0);
    b = (struct far){ .host = 7 };
    lab_take(&b, false);
    while (!xvs_stream_error(s)) {
        REQUIRE(lab_poll(PATIENCE_MS));               /* nothing but the timer */
        lab_process();
    }
    CU_ASSERT_TRUE(clock_now_ns() - start >= UINT64_C(50) * 1000000);
    EQ(xvs_stream_error(s), -ETIMEDOUT);
    xvs_stream_close(s);
    behind = false;
    lab_stop();
}

static void a_close_has_its_whole_time(void)
{
    struct xvs_stream *s;
    uint64_t start;

    lab_start();
    behind = true;
    s = lab_accept(&a, 5, 65536);
    start = clock_now_ns();
    xvs_stream_close(s);
    CU_ASSERT_TRUE(vmux_next_deadline(x->trunk.mux) * UINT64_C(1000000) >= start + VCONN_CLOSE_MS * UINT64_C(1000000));
    behind = false;
    lab_stop();
}

/* From wherever within a ms it begins. */
static void a_wait_that_is_woken_goes_on_for_the_rest(void)
{
    struct xvs_stream *s, *t;
    char byte;

    lab_stop();
    options.spin = 0;                           /* that would be until the clock goes on */
    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_events();
    for (unsigned phase = 0; phase < 1000000; phase += 99999) {
        uint64_t start = (clock_now_ns() / 1000000 + 1000) * 1000000 + phase;

        played = start;
        EQ(xvs_wait(x, 3), 0);
        CU_ASSERT_TRUE(played >= start + 3000000);
        CU_ASSERT_TRUE(played < start + 4000000);
        played = start;
        EQ(xvs_recv_wait(s, &byte, 1, 3), -ETIMEDOUT);
        CU_ASSERT_TRUE(played >= start + 3000000);
        played = start;
        EQ(xvs_accept_wait(listener, 3, &t), -ETIMEDOUT);
        CU_ASSERT_TRUE(played >= start + 3000000);
        played = start;
        EQ(xvs_wait(x, 0), 0);
        EQ(played, start);                      /* looks, and does not sleep */
        played = 0;
    }
    lab_close(&a, s);
    NO_LEAK();
    lab_stop();
}

static void a_guest_that_waits_for_its_processor_was_not_restored(void)
{
    lab_start();
    lost = 3000000000;
    bus_judge_share(&x->bus);
    CU_ASSERT_TRUE(late > 0);
    CU_ASSERT_FALSE(x->bus.share.restored);
    lost = late = 0;
    suspended = UINT64_C(3600) * 1000000000;    /* more than this machine has ever kept us from our processor */
    bus_judge_share(&x->bus);
    CU_ASSERT_TRUE(x->bus.share.restored);
    suspended = 0;
    x->bus.share.restored = false;                  /* or what is shared stays until the process ends */
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_connect_has_its_whole_time),
        TEST(a_close_has_its_whole_time),
        TEST(a_wait_that_is_woken_goes_on_for_the_rest),
        TEST(a_guest_that_waits_for_its_processor_was_not_restored),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: time limits", tests, sizeof tests / sizeof *tests, argc, argv);
}
