/* SPDX-License-Identifier: MIT */
/* test_clock.c: what begins a time limit is not behind, what ends it is not ahead. */
#include "clock.h"
#include "harness.h"

static void a_deadline_is_not_before_its_time(void)
{
    for (int i = 0; i < 100000; i++) {
        uint64_t before = clock_now_ns(), deadline = clock_deadline_ms(7) * 1000000, after = clock_now_ns();

        if (deadline < before + 7000000 || deadline >= after + 8000000) {
            CU_FAIL("out of place");
            return;
        }
    }
}

static void the_cheap_clock_is_never_ahead(void)
{
    for (int i = 0; i < 100000; i++) {
        uint64_t cheap = clock_coarse_ms() * 1000000, exact = clock_now_ns();

        if (cheap > exact) {
            CU_FAIL("ahead");
            return;
        }
    }
}

static void what_is_left_is_never_nothing_too_early(void)
{
    uint64_t now = clock_now_ns();

    EQ(clock_left_ms(now), 0);
    while (clock_left_ms(now + 3000000))
        ;
    CU_ASSERT_TRUE(clock_now_ns() >= now + 3000000);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_deadline_is_not_before_its_time),
        TEST(the_cheap_clock_is_never_ahead),
        TEST(what_is_left_is_never_nothing_too_early),
    };

    return harness_run("clock", tests, sizeof tests / sizeof *tests, argc, argv);
}
