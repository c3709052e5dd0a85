/* SPDX-License-Identifier: MIT */
/* test_backend_promise.c: what all streams of a guest are promised together. */
#include <string.h>

#include "harness.h"
#include "promise.h"

#define BUDGET (4u << 20)

static struct promises all;
static uint16_t waits;          /* in the guest, for memory */

static bool takes(struct promise *p, uint32_t len)
{
    return promise_taken(&all, p, len) && promise_proven(&all, p, waits, true);
}

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

    promises_init(&all, BUDGET, 200);
    EQ(promise_make(&all, &p), 100);
    EQ(promise_socket(&p), PROMISE_LEAST / 4 * 3);
}

static void a_small_pool_bounds_each_of_them(void)
{
    struct promise p = { 0 };

    promises_init(&all, BUDGET, 16384);
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
    CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF - 1));
    CU_ASSERT_TRUE(takes(&p, 1));
    EQ(p.bytes, 2 * PROMISE_LEAST);
    for (int i = 0; i < 100; i++)
        takes(&p, PROMISE_PROOF);
    EQ(p.bytes, PROMISE_MOST);
}

static void a_reader_that_stands_still_begins_anew(void)
{
    struct promise p = { 0 };

    promises_init(&all, 0, UINT32_MAX);
    promise_make(&all, &p);
    p.bytes = PROMISE_MOST;
    all.given = PROMISE_MOST + PROMISE_SOCKET;
    takes(&p, 100);
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
                takes(&p[i], PROMISE_PROOF);
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
            takes(&p[i], PROMISE_PROOF);
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
        takes(&p[9999], PROMISE_PROOF);
    EQ(p[9999].bytes, PROMISE_MOST);
}

/* ---- who is nearly alone ---- */

#define POOL (960u << 10)       /* the library's usual one */
#define WIDE (896u << 10)

/* One that has half of the pool, after a reader that reads. */
static void begin_with_half(struct promise *p)
{
    promises_init(&all, BUDGET - BUDGET / 8, POOL);
    promise_make(&all, p);
    CU_ASSERT_TRUE(takes(p, PROMISE_PROOF));
    EQ(p->bytes, POOL / 2);
}

static void begin_with_wide(struct promise *p)
{
    begin_with_half(p);
    CU_ASSERT_TRUE(takes(p, PROMISE_PROOF));
    EQ(p->bytes, WIDE);
}

static void who_is_alone_gets_all_of_the_pool_but_a_packet(void)
{
    struct promise p = { 0 };

    begin_with_half(&p);
    CU_ASSERT_FALSE(promise_is_wide(&all, &p));
    CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF - 1));
    CU_ASSERT_TRUE(takes(&p, 1));
    EQ(p.bytes, WIDE);
    EQ(promise_socket(&p), PROMISE_SOCKET);
    CU_ASSERT_TRUE(promise_is_wide(&all, &p));
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_FALSE(takes(&p, 65536));
    promise_end(&all, &p);
    EQ(all.given, 0);
    EQ(all.raised, 0);
}

static void a_large_pool_is_not_all_for_one_and_a_small_one_leaves_half(void)
{
    static const struct {
        uint32_t pool, bytes;
    } cases[] = { { 2u << 20, PROMISE_WIDEST }, { 512u << 10, 448u << 10 }, { 508u << 10, 254u << 10 }, { 65536, 32768 } };

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct promise p = { 0 };

        promises_init(&all, BUDGET, cases[c].pool);
        promise_make(&all, &p);
        for (int i = 0; i < 10; i++)
            takes(&p, PROMISE_PROOF);
        EQ(p.bytes, cases[c].bytes);
    }
}

static void whoever_takes_an_eighth_of_it_is_company(void)
{
    struct promise p = { 0 }, other = { 0 };

    begin_with_half(&p);
    promise_make(&all, &other);
    for (int i = 0; i < 100; i++) {
        takes(&other, PROMISE_PROOF / 8 + 1);
        CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF));
    }
    takes(&other, PROMISE_PROOF / 8);
    CU_ASSERT_TRUE(takes(&p, PROMISE_PROOF));
    EQ(p.bytes, WIDE);
}

/* …and however much the others take then: that they wait for nothing is what counts. */
static void who_waits_for_memory_takes_it_back(void)
{
    struct promise p = { 0 }, other = { 0 };

    begin_with_wide(&p);
    promise_make(&all, &other);
    takes(&other, PROMISE_PROOF);
    CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF));
    waits++;
    CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF - 1));
    CU_ASSERT_TRUE(takes(&p, 1));
    EQ(p.bytes, POOL / 2);
    for (unsigned i = 0; i < PROMISE_REST; i++)
        CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF));
    CU_ASSERT_TRUE(takes(&p, PROMISE_PROOF));
    EQ(p.bytes, WIDE);
}

static void nobody_becomes_wide_while_others_wait(void)
{
    struct promise p = { 0 };

    begin_with_half(&p);
    for (int i = 0; i < 100; i++) {
        waits++;
        CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF));
    }
    CU_ASSERT_TRUE(takes(&p, PROMISE_PROOF));
}

static void one_whose_data_had_to_be_moved_has_half_again(void)
{
    struct promise p = { 0 };

    begin_with_wide(&p);
    CU_ASSERT_TRUE(promise_stuck(&all, &p));
    EQ(p.bytes, POOL / 2);
    CU_ASSERT_FALSE(promise_stuck(&all, &p));
    for (unsigned i = 0; i < PROMISE_REST; i++)
        CU_ASSERT_FALSE(takes(&p, PROMISE_PROOF));
    CU_ASSERT_TRUE(takes(&p, PROMISE_PROOF));
    all.budget = 0;             /* overdrawn */
    CU_ASSERT_TRUE(promise_stuck(&all, &p));
    EQ(p.bytes, PROMISE_LEAST);
}

/* The buf_alloc of messages never goes down (vsockif.h, section 10). */
static void what_cannot_be_taken_back_is_not_given(void)
{
    struct promise p = { 0 };

    begin_with_half(&p);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_FALSE(promise_taken(&all, &p, PROMISE_PROOF) && promise_proven(&all, &p, waits, false));
    EQ(p.bytes, POOL / 2);
}

/* One that a burst has made wide and that does nothing since still has it, so those that follow find less. */
static void so_many_are_wide_as_the_budget_has_room_for(void)
{
    enum { MANY = 100 };
    static struct promise p[MANY];
    int wide = 0;

    memset(p, 0, sizeof p);
    promises_init(&all, BUDGET - BUDGET / 8, POOL);
    for (int i = 0; i < MANY; i++) {
        promise_make(&all, &p[i]);
        for (int n = 0; n < 10; n++)
            takes(&p[i], PROMISE_PROOF);
        wide += promise_is_wide(&all, &p[i]);
        CU_ASSERT_TRUE(!promise_is_wide(&all, &p[i]) || all.given <= all.budget);
    }
    EQ(wide, 3);
    for (int i = 0; i < MANY; i++)
        promise_end(&all, &p[i]);
    EQ(all.given, 0);
}

/* A thousand that come while one has most of the pool find what they would without it, but for the first few. */
static void those_who_come_beside_a_wide_one_begin_as_ever(void)
{
    static struct promise p[1000], alone = { 0 };
    uint64_t with = 0, without = 0;

    for (int round = 0; round < 2; round++) {
        uint64_t *sum = round ? &with : &without;

        memset(p, 0, sizeof p);
        memset(&alone, 0, sizeof alone);
        (round ? begin_with_wide : begin_with_half)(&alone);
        for (int i = 0; i < 1000; i++)
            *sum += promise_make(&all, &p[i]);
    }
    CU_ASSERT_TRUE(with < without && without - with <= WIDE - POOL / 2);
}

/* The model: any calls in any order, and what the sums and the bounds must be then. */
static void any_order_of_calls_keeps_the_sums_and_the_bounds(void)
{
    enum { MANY = 40 };
    struct promise p[MANY];
    uint64_t random = 88172645463325252;

    for (int run = 0; run < 200; run++) {
        uint64_t given, more;

        memset(p, 0, sizeof p);
        promises_init(&all, BUDGET >> run % 6, POOL >> run % 5);
        for (int step = 0; step < 2000; step++) {
            struct promise *one;
            uint32_t before;
            bool said = false;

            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            one = &p[random % (1 + (unsigned)run % MANY)];
            before = one->bytes;
            if (!before) {
                promise_make(&all, one);
                said = true;
            } else if (random >> 32 & 15) {
                said = takes(one, (uint32_t)(random >> 40) % (2 * PROMISE_PROOF));
                CU_ASSERT_TRUE(one->bytes <= all.most || one->bytes == before || all.given <= all.budget);
            } else if (random >> 36 & 1) {
                promise_end(&all, one);
                memset(one, 0, sizeof *one);
                said = true;
            } else if (random >> 37 & 1) {
                said = promise_stuck(&all, one);
                CU_ASSERT_FALSE(promise_is_wide(&all, one));
            } else {
                waits++;
            }
            CU_ASSERT_TRUE(said || one->bytes == before);
            CU_ASSERT_TRUE(one->bytes <= all.wide);
            given = more = 0;
            for (int i = 0; i < MANY; i++)
                if (p[i].bytes) {
                    given += p[i].bytes + (uint64_t)promise_socket(&p[i]);
                    more += raised(p[i].bytes);
                }
            EQ(all.given, given);
            EQ(all.raised, more);
        }
    }
}

static const struct test tests[] = {
    TEST(the_first_ones_get_everything), TEST(with_the_default_the_first_has_what_linux_gives),
    TEST(what_the_sockets_may_hold_is_within_the_budget), TEST(a_socket_never_has_less_than_a_few_pages), TEST(a_small_pool_bounds_each_of_them),
    TEST(the_sum_keeps_to_the_budget_until_all_are_least), TEST(a_reader_that_reads_gets_more),
    TEST(a_reader_that_stands_still_begins_anew), TEST(within_the_budget_nobody_is_cut), TEST(the_overdraft_is_bounded), TEST(the_overdraft_is_there_to_be_used),
    TEST(idle_streams_do_not_keep_readers_small),
    TEST(who_is_alone_gets_all_of_the_pool_but_a_packet), TEST(a_large_pool_is_not_all_for_one_and_a_small_one_leaves_half),
    TEST(whoever_takes_an_eighth_of_it_is_company), TEST(who_waits_for_memory_takes_it_back),
    TEST(nobody_becomes_wide_while_others_wait), TEST(one_whose_data_had_to_be_moved_has_half_again),
    TEST(what_cannot_be_taken_back_is_not_given), TEST(so_many_are_wide_as_the_budget_has_room_for),
    TEST(those_who_come_beside_a_wide_one_begin_as_ever), TEST(any_order_of_calls_keeps_the_sums_and_the_bounds)
};

int main(int argc, char **argv)
{
    return harness_run("promise", tests, sizeof tests / sizeof *tests, argc, argv);
}
