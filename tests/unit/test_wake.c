/* SPDX-License-Identifier: MIT */
/* test_wake.c: the library's one descriptor: what is watched, and a timer that is set no oftener than it must be. */
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "harness.h"
#include "wake.h"

#define DAY UINT64_C(86400000)

static struct wake w;

static void begin(void)
{
    wake_init(&w);
    REQUIRE(wake_open(&w) == 0);
}

/* In how many days the timer goes off, to the nearest; 0: it is off, or has gone off. */
static long days(void)
{
    struct itimerspec spec;

    timerfd_gettime(w.timer, &spec);
    return (spec.it_value.tv_sec + 43200) / 86400;
}

static unsigned taken(int timeout)
{
    unsigned fired;

    return wake_take(&w, timeout, &fired) >= 0 ? fired : ~0u;
}

static void nothing_is_held_before_it_is_opened(void)
{
    wake_init(&w);
    wake_close(&w);
    begin();
    EQ(taken(0), 0);
    EQ(days(), 0);
    wake_close(&w);
}

static void what_is_watched_takes_the_place_of_what_was(void)
{
    int old[2], new[2], slot = -1;

    begin();
    REQUIRE(pipe(old) == 0 && pipe(new) == 0);
    REQUIRE(write(old[1], "o", 1) == 1 && write(new[1], "n", 1) == 1);
    EQ(wake_watch(&w, &slot, old[0], WAKE_STORE), 0);
    EQ(slot, old[0]);
    EQ(taken(PATIENCE_MS), WAKE_STORE);
    EQ(wake_watch(&w, &slot, new[0], WAKE_EVTCHN), 0);
    EQ(taken(PATIENCE_MS), WAKE_EVTCHN);
    EQ(wake_watch(&w, &slot, new[0], WAKE_EVTCHN), 0);
    wake_again(&w);
    EQ(taken(PATIENCE_MS), WAKE_EVTCHN | WAKE_TIMER);
    EQ(wake_watch(&w, &slot, -1, WAKE_EVTCHN), 0);
    EQ(slot, -1);
    EQ(taken(0), 0);
    close(old[0]);
    CU_ASSERT_TRUE(wake_watch(&w, &slot, old[0], WAKE_STORE) < 0);
    EQ(slot, -1);
    close(old[1]);
    close(new[0]);
    close(new[1]);
    wake_close(&w);
}

static void a_new_deadline_counts_if_it_is_before_the_others(void)
{
    uint64_t now = clock_deadline_ms(0);

    begin();
    wake_by(&w, WAKE_NEVER);
    EQ(days(), 0);
    wake_by(&w, now + 8 * DAY);
    EQ(days(), 8);
    wake_by(&w, now + 4 * DAY);
    EQ(days(), 4);
    wake_by(&w, now + 8 * DAY);
    EQ(days(), 4);
    wake_by(&w, now - 1);
    EQ(taken(PATIENCE_MS), WAKE_TIMER);
    EQ(w.passed, now - 1);
    wake_close(&w);
}

/* It goes off too early then, and is set to what is next. */
static void a_deadline_that_is_pushed_back_leaves_the_timer_as_it_is(void)
{
    uint64_t now = clock_deadline_ms(0);

    begin();
    wake_at(&w, now + 4 * DAY, now);
    wake_at(&w, now + 8 * DAY, now);
    EQ(days(), 4);
    wake_at(&w, now + 2 * DAY, now);
    EQ(days(), 2);
    wake_at(&w, now - 1, now);
    EQ(taken(PATIENCE_MS), WAKE_TIMER);
    wake_at(&w, now + 8 * DAY, now);
    EQ(days(), 8);
    /* One that is over, and was not heard of: whoever asks has met it by now. */
    wake_at(&w, now - 1, now);
    wake_at(&w, WAKE_NEVER, now);
    EQ(days(), 0);
    EQ(taken(0), 0);
    wake_close(&w);
}

static void a_call_to_come_again_stands_until_it_is_heard(void)
{
    uint64_t now = clock_deadline_ms(0);

    begin();
    wake_again(&w);
    wake_at(&w, now + 4 * DAY, now);
    wake_by(&w, now + 4 * DAY);
    wake_at(&w, WAKE_NEVER, now);
    EQ(taken(PATIENCE_MS), WAKE_TIMER);
    EQ(taken(0), 0);
    wake_close(&w);
}

/* Which is its parent's, too. */
static void a_forked_child_lets_the_timer_be(void)
{
    uint64_t now = clock_deadline_ms(0);

    begin();
    wake_at(&w, now + 4 * DAY, now);
    w.orphan = true;
    wake_again(&w);
    wake_by(&w, now);
    wake_at(&w, WAKE_NEVER, now);
    EQ(days(), 4);
    EQ(taken(0), 0);
    wake_close(&w);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(nothing_is_held_before_it_is_opened),
        TEST(what_is_watched_takes_the_place_of_what_was),
        TEST(a_new_deadline_counts_if_it_is_before_the_others),
        TEST(a_deadline_that_is_pushed_back_leaves_the_timer_as_it_is),
        TEST(a_call_to_come_again_stands_until_it_is_heard),
        TEST(a_forked_child_lets_the_timer_be),
    };

    return harness_run("wake", tests, sizeof tests / sizeof *tests, argc, argv);
}
