/* SPDX-License-Identifier: MIT */
/* test_backend_bucket.c: so much a second, by a table of what is asked for when; and what a guest's limits make of it. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "limits.h"

/* ---- the bucket ---- */

enum what { TAKE, NOT, PAY, LEVEL, WHEN };

static void a_table_of_what_is_asked_for_when(void)
{
    static const struct { uint64_t per_second, burst; struct { uint64_t at; enum what what; uint64_t n, is; } step[12]; } tables[] = {
        /* It begins full, and has so many a second from then on. */
        { 10, 5, { { 0, TAKE, 5, 0 }, { 0, NOT, 1, 0 }, { 99, NOT, 1, 0 }, { 100, TAKE, 1, 0 }, { 199, NOT, 1, 0 }, { 200, TAKE, 1, 0 },
                   { 10000, LEVEL, 0, 5 }, { 10000, NOT, 6, 0 }, { 10000, TAKE, 5, 0 } } },
        /* What a millisecond has besides whole ones is not lost. */
        { 3, 2, { { 0, TAKE, 2, 0 }, { 333, NOT, 1, 0 }, { 334, TAKE, 1, 0 }, { 667, TAKE, 1, 0 }, { 999, NOT, 1, 0 }, { 1000, TAKE, 1, 0 } } },
        /* What is paid and was not there is owed. */
        { 1000, 100, { { 0, PAY, 300, 0 }, { 0, LEVEL, 0, 0 }, { 0, WHEN, 1, 201 }, { 200, LEVEL, 0, 0 }, { 200, NOT, 1, 0 }, { 201, LEVEL, 0, 1 },
                       { 201, WHEN, 100, 300 }, { 201, WHEN, 5000, 300 }, { 300, LEVEL, 0, 100 }, { 300, WHEN, 5, 300 } } },
        /* Time that goes back is none that passes. */
        { 1000, 10, { { 100, TAKE, 10, 0 }, { 50, NOT, 1, 0 }, { 100, NOT, 1, 0 }, { 101, TAKE, 1, 0 } } },
        /* The largest that there are. */
        { BUCKET_MOST, BUCKET_MOST, { { 0, PAY, UINT64_MAX, 0 }, { 0, LEVEL, 0, 0 }, { UINT64_MAX - 1, LEVEL, 0, BUCKET_MOST } } },
        { 1, 1, { { 0, PAY, UINT64_MAX, 0 }, { 1000, LEVEL, 0, 0 }, { UINT64_MAX - 1, TAKE, 1, 0 } } },
        /* Without a limit. */
        { 0, 0, { { 0, TAKE, UINT64_MAX, 0 }, { 0, PAY, UINT64_MAX, 0 }, { 0, LEVEL, 0, UINT64_MAX }, { 5, WHEN, 7, 5 } } },
    };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct bucket b = { 0 };

        bucket_set(&b, tables[i].per_second, tables[i].burst, 0);
        for (size_t j = 0; j < 12 && (j == 0 || tables[i].step[j].n || tables[i].step[j].what == LEVEL); j++) {
            uint64_t at = tables[i].step[j].at, n = tables[i].step[j].n, is = tables[i].step[j].is, got = 0;

            switch (tables[i].step[j].what) {
            case TAKE:  got = !bucket_take(&b, n, at); break;
            case NOT:   got = bucket_take(&b, n, at); break;
            case PAY:   bucket_pay(&b, n, at); break;
            case LEVEL: got = bucket_level(&b, at); break;
            case WHEN:  got = bucket_when(&b, n, at); break;
            }
            if (got != is)
                printf("    table %zu, step %zu: %llu, not %llu\n", i, j, (unsigned long long)got, (unsigned long long)is);
            EQ(got, is);
        }
    }
}

/* However it is asked for: no more than the burst, and what the time has given. */
static void no_more_than_its_rate_over_any_time(void)
{
    uint64_t taken = 0, seed = 12345;
    struct bucket b = { 0 };

    bucket_set(&b, 777, 50, 0);
    for (uint64_t now = 0; now < 100000; now += seed >> 33 & 7) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (bucket_take(&b, 1 + (seed >> 40 & 15), now))
            taken += 1 + (seed >> 40 & 15);
        CU_ASSERT_TRUE(taken <= 50 + now * 777 / 1000);
    }
    CU_ASSERT_TRUE(taken >= 77000);
}

static void a_new_limit_keeps_what_is_owed_and_no_more_than_fits(void)
{
    struct bucket b = { 0 };

    bucket_set(&b, 10, 100, 0);
    bucket_set(&b, 10, 5, 0);
    EQ(bucket_level(&b, 0), 5);
    bucket_pay(&b, 25, 0);
    bucket_set(&b, 1000, 1000, 0);
    EQ(bucket_when(&b, 1, 0), 21);
    bucket_set(&b, 0, 0, 0);
    CU_ASSERT_TRUE(bucket_take(&b, 1000000, 0));
    bucket_set(&b, 10, 7, 0);
    EQ(bucket_level(&b, 0), 7);
}

/* ---- a guest's limits ---- */

static const struct settings_limits none = { .connects.per_second = SETTINGS_NO_LIMIT, .bytes.per_second = SETTINGS_NO_LIMIT };
static const struct settings_limits some = { .connects = { 2, 3 }, .bytes = { 100000, 50000 } };
static const struct settings_limits more = { .connects = { 2, 3 }, .bytes = { 200000, 50000 } };

static void connections_beyond_the_rate_are_refused_and_counted(void)
{
    struct limits l = { 0 };

    limits_set(&l, &none, 0);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_TRUE(limits_connect(&l, 0));
    limits_set(&l, &some, 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_TRUE(limits_connect(&l, 0));
    CU_ASSERT_FALSE(limits_connect(&l, 0));
    CU_ASSERT_FALSE(limits_connect(&l, 499));
    CU_ASSERT_TRUE(limits_connect(&l, 500));
    EQ(l.refused, 2);
}

/* What was moved before there was a limit is not paid for. */
static void bytes_beyond_the_rate_wait_until_they_are_paid_for(void)
{
    struct limits l = { 0 };

    limits_set(&l, &none, 0);
    limits_begin(&l, 0);
    limits_set(&l, &some, 0);
    EQ(limits_pay(&l, 70000000, 4000, 0), 4000);
    EQ(limits_pay(&l, 70000000, 400000, 0), 50000);
    CU_ASSERT_FALSE(limits_hold(&l));
    EQ(limits_pay(&l, 70060000, 400000, 0), 0);         /* 10,000 are owed, and 20 ms have 2,000 */
    CU_ASSERT_TRUE(limits_hold(&l));
    EQ(l.again_at, 120);
    EQ(limits_pay(&l, 70060000, 400000, 119), 0);
    EQ(limits_pay(&l, 70060000, 400000, 120), 2000);
    CU_ASSERT_FALSE(limits_hold(&l));
    EQ(l.holds, 1);
    /* Moved by others meanwhile. */
    EQ(limits_pay(&l, 70062000, 400000, 120), 0);
    EQ(l.holds, 2);
    /* Another limit: they look at once what that allows. */
    limits_set(&l, &more, 121);
    CU_ASSERT_TRUE(limits_hold(&l) && l.again_at <= 121);
    /* None, which nobody looks at any more. */
    limits_set(&l, &none, 121);
    CU_ASSERT_FALSE(limits_hold(&l));
}

static const struct test tests[] = {
    TEST(a_table_of_what_is_asked_for_when), TEST(no_more_than_its_rate_over_any_time),
    TEST(a_new_limit_keeps_what_is_owed_and_no_more_than_fits), TEST(connections_beyond_the_rate_are_refused_and_counted),
    TEST(bytes_beyond_the_rate_wait_until_they_are_paid_for)
};

int main(int argc, char **argv)
{
    return harness_run("bucket", tests, sizeof tests / sizeof *tests, argc, argv);
}
