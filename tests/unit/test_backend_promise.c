/* SPDX-License-Identifier: MIT */
/* test_backend_promise.c: what all streams of a guest are promised together. */
#include <string.h>

#include "harness.h"
#include "promise.h"

#define BUDGET (4u << 20)

static struct promises all;

static void the_first_ones_get_everything(void)
{
    struct promise p[8] = { 0 };

    promises_init(&all, 100 * PROMISE_MOST, UINT32_MAX);
    for (int i = 0; i < 8; i++) {
        EQ(promise_make(&all, &p[i]), PROMISE_MOST);
        EQ(promise_socket(&p[i]), PROMISE_SOCKET);
    }
    EQ(all.given, 8 * (PROMISE_MOST + PROMISE_SOCKET));
}

/* The figures in promise.h. */
static void with_the_default_the_first_has_what_linux_gives(void)
{
    struct promise p[5] = { 0 };

    promises_init(&all, BUDGET - BUDGET / 8, UINT32_MAX);
    for (int i = 0; i < 5; i++)
        promise_make(&all, &p[i]);
    EQ(p[0].bytes >> 10, 256);
    EQ(promise_socket(&p[0]) >> 10, 192);
    EQ(p[4].bytes >> 10, 150);
    EQ(promise_socket(&p[4]) >> 10, 112);
}

/* A stream that nobody reads holds what it was promised, and its socket's part on top. */
static void what_the_sockets_may_hold_is_within_the_budget(void)
{
    struct promise p[20] = { 0 };
    uint64_t held = 0;

    promises_init(&all, BUDGET, UINT32_MAX);
    for (int i = 0; i < 20; i++)
        held += promise_make(&all, &p[i]) + (uint64_t)promise_socket(&p[i]);
    CU_ASSERT_TRUE(p[19].bytes > PROMISE_LEAST && held <= BUDGET);
    EQ(all.given, held);
}

/* However small a guest's pool is, an empty socket has room for what is worth a system call. */
static void a_socket_never_has_less_than_a_few_pages(void)
{
    struct promise p = { 0 };

    promises_init(&all, BUDGET, 100);
    EQ(promise_make(&all, &p), 100);
    EQ(promise_socket(&p), PROMISE_LEAST / 4 * 3);
}

static void a_small_pool_bounds_each_of_them(void)
{
    struct promise p = { 0 };

    promises_init(&all, BUDGET, 8192);
    EQ(promise_make(&all, &p), 8192);
}

static void the_sum_keeps_to_the_budget_until_all_are_least(void)
{
    struct promise p[1000] = { 0 };
    uint32_t last = UINT32_MAX;

    promises_init(&all, BUDGET, UINT32_MAX);
    for (int i = 0; i < 1000; i++) {
        uint32_t bytes = promise_make(&all, &p[i]);

        CU_ASSERT_TRUE(bytes <= last && bytes >= PROMISE_LEAST);
        CU_ASSERT_TRUE(bytes == PROMISE_LEAST || all.given <= BUDGET);
        last = bytes;
    }
    EQ(last, PROMISE_LEAST);
    for (int i = 0; i < 1000; i++)
        promise_end(&all, &p[i]);
    EQ(all.given, 0);
}

static void a_reader_that_reads_gets_more(void)
{
    struct promise p = { 0 }, others[100] = { 0 };

    promises_init(&all, BUDGET, UINT32_MAX);
    for (int i = 0; i < 100; i++)
        promise_make(&all, &others[i]);
    EQ(promise_make(&all, &p), PROMISE_LEAST);
    CU_ASSERT_FALSE(promise_taken(&all, &p, PROMISE_PROOF - 1));
    CU_ASSERT_TRUE(promise_taken(&all, &p, 1));
    EQ(p.bytes, 2 * PROMISE_LEAST);
    for (int i = 0; i < 100; i++)
        promise_taken(&all, &p, PROMISE_PROOF);
    EQ(p.bytes, PROMISE_MOST);
}

static void a_reader_that_stands_still_begins_anew(void)
{
    struct promise p = { 0 };

    promises_init(&all, 0, UINT32_MAX);
    promise_make(&all, &p);
    p.bytes = PROMISE_MOST;
    all.given = PROMISE_MOST + PROMISE_SOCKET;
    promise_taken(&all, &p, 100);
    CU_ASSERT_TRUE(promise_stuck(&all, &p));
    EQ(p.bytes, PROMISE_LEAST);
    EQ(p.proof, 0);
    EQ(all.given, PROMISE_LEAST + PROMISE_LEAST / 4 * 3);
}

static void within_the_budget_nobody_is_cut(void)
{
    struct promise p = { 0 };

    promises_init(&all, BUDGET, UINT32_MAX);
    promise_make(&all, &p);
    CU_ASSERT_FALSE(promise_stuck(&all, &p));
    EQ(p.bytes, BUDGET / 14);
}

/* What a promise of so many bytes comes to beyond the least one, with what the socket may hold. */
static uint64_t raised(uint32_t bytes)
{
    const struct promise p = { .bytes = bytes };
    uint64_t cost = bytes + (uint64_t)promise_socket(&p), least = PROMISE_LEAST + PROMISE_LEAST / 4 * 3;

    return cost > least ? cost - least : 0;
}

/* …and is used up: whoever is not promised more would go beyond it. */
static void the_overdraft_is_there_to_be_used(void)
{
    static const int counts[] = { 25, 40, 70, 500 };
    struct promise p[500];

    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int small = 0;

        memset(p, 0, sizeof p);
        promises_init(&all, BUDGET, UINT32_MAX);
        for (int i = 0; i < counts[c]; i++)
            promise_make(&all, &p[i]);
        for (int round = 0; round < 20; round++)
            for (int i = 0; i < counts[c]; i++)
                promise_taken(&all, &p[i], PROMISE_PROOF);
        for (int i = 0; i < counts[c]; i++) {
            uint32_t twice = p[i].bytes < PROMISE_MOST / 2 ? 2 * p[i].bytes : PROMISE_MOST;

            if (p[i].bytes == PROMISE_MOST)
                continue;
            small++;
            CU_ASSERT_TRUE(all.raised + raised(twice) - raised(p[i].bytes) > PROMISE_OVERDRAFT * (uint64_t)BUDGET);
        }
        CU_ASSERT_TRUE(small > 0);
    }
}

static void the_overdraft_is_bounded(void)
{
    struct promise p[2000] = { 0 };

    promises_init(&all, BUDGET, UINT32_MAX);
    for (int i = 0; i < 500; i++)
        promise_make(&all, &p[i]);
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 500; i++)
            promise_taken(&all, &p[i], PROMISE_PROOF);
    CU_ASSERT_TRUE(all.raised <= PROMISE_OVERDRAFT * BUDGET);
    CU_ASSERT_TRUE(all.given <= all.raised + 500 * (PROMISE_LEAST + PROMISE_LEAST / 4 * 3));
    for (int i = 0; i < 500; i++)
        promise_end(&all, &p[i]);
    EQ(all.given, 0);
    EQ(all.raised, 0);
}

static void idle_streams_do_not_keep_readers_small(void)
{
    static struct promise p[10000];

    promises_init(&all, BUDGET, UINT32_MAX);
    for (int i = 0; i < 10000; i++)
        promise_make(&all, &p[i]);
    for (int round = 0; round < 20; round++)
        promise_taken(&all, &p[9999], PROMISE_PROOF);
    EQ(p[9999].bytes, PROMISE_MOST);
}

static const struct test tests[] = {
    TEST(the_first_ones_get_everything), TEST(with_the_default_the_first_has_what_linux_gives),
    TEST(what_the_sockets_may_hold_is_within_the_budget), TEST(a_socket_never_has_less_than_a_few_pages), TEST(a_small_pool_bounds_each_of_them),
    TEST(the_sum_keeps_to_the_budget_until_all_are_least), TEST(a_reader_that_reads_gets_more),
    TEST(a_reader_that_stands_still_begins_anew), TEST(within_the_budget_nobody_is_cut), TEST(the_overdraft_is_bounded), TEST(the_overdraft_is_there_to_be_used),
    TEST(idle_streams_do_not_keep_readers_small)
};

int main(int argc, char **argv)
{
    return harness_run("promise", tests, sizeof tests / sizeof *tests, argc, argv);
}
