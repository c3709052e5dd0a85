/* SPDX-License-Identifier: MIT */
/* test_spinner.c: when spinning is tried, and for how long. */
#include "harness.h"
#include "spinner.h"

static struct spinner s;

static void reset(void)
{
    s = (struct spinner){ 0 };
}

static uint32_t tries_in(uint32_t sleeps, bool hit)
{
    uint32_t tries = 0;

    for (uint32_t i = 0; i < sleeps; i++)
        if (spinner_wants(&s)) {
            spinner_note(&s, hit);
            tries++;
        }
    return tries;
}

static void what_never_pays_is_tried_now_and_then(void)
{
    reset();
    EQ(tries_in(64 * SPINNER_PROBE, false), 64);
}

static void what_pays_is_done_each_time(void)
{
    reset();
    tries_in(SPINNER_PROBE, true);
    EQ(tries_in(1000, true), 1000);
}

static void what_no_longer_pays_is_given_up_soon(void)
{
    reset();
    tries_in(1000, true);
    CU_ASSERT_TRUE(tries_in(SPINNER_PROBE - 1, false) <= 5);
}

static void a_time_that_is_set_is_kept(void)
{
    reset();
    spinner_price(&s, 1000000);
    EQ(spinner_time(&s, 0), 0);
    EQ(spinner_time(&s, 7), 7);
}

static void the_time_follows_the_least_price(void)
{
    reset();
    EQ(spinner_time(&s, SPINNER_AUTO), SPINNER_LEAST);
    spinner_price(&s, UINT64_MAX);
    EQ(spinner_time(&s, SPINNER_AUTO), SPINNER_MOST);
    spinner_price(&s, 10000);
    EQ(spinner_time(&s, SPINNER_AUTO), 10 * SPINNER_TIMES);
    spinner_price(&s, 50000);
    EQ(spinner_time(&s, SPINNER_AUTO), 10 * SPINNER_TIMES);
    spinner_price(&s, 0);
    EQ(spinner_time(&s, SPINNER_AUTO), SPINNER_LEAST);
}

static void few_notifications_are_timed_later_on(void)
{
    uint32_t first = 0, later = 0;

    reset();
    for (uint32_t i = 0; i < SPINNER_PROBE; i++)
        first += spinner_times(&s);
    for (uint32_t i = 0; i < 10 * SPINNER_PROBE; i++)
        later += spinner_times(&s);
    EQ(first, SPINNER_PROBE);
    EQ(later, 10);
}

static void a_yield_that_took_long_is_the_last_for_a_while(void)
{
    EQ(spinner_next_yield(1000, 1000 + SPINNER_YIELD_LONG), 1000 + SPINNER_YIELD_LONG);
    EQ(spinner_next_yield(1000, 3001000), 3001000 + SPINNER_YIELD_SHARE * UINT64_C(3000000));
}

static const struct test tests[] = {
    TEST(what_never_pays_is_tried_now_and_then), TEST(what_pays_is_done_each_time),
    TEST(what_no_longer_pays_is_given_up_soon), TEST(a_time_that_is_set_is_kept),
    TEST(the_time_follows_the_least_price), TEST(few_notifications_are_timed_later_on),
    TEST(a_yield_that_took_long_is_the_last_for_a_while)
};

int main(int argc, char **argv)
{
    return harness_run("spinner", tests, sizeof tests / sizeof *tests, argc, argv);
}
