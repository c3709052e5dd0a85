/* SPDX-License-Identifier: MIT */
/* test_pool.c: the pool against a reference that counts on its fingers. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "pool.h"

static struct pool pool;
static bool used[POOL_MAX_UNITS];               /* the reference: a bool a unit */

static void dump(void *unused)
{
    (void)unused;
    printf("  %u units, %u free, first %u\n", pool.units, pool.free_units, pool.first);
}

static void open_units(uint32_t units)
{
    pool_init(&pool, units * POOL_UNIT);
    memset(used, 0, sizeof used);
    harness_on_failure(dump, NULL);
}

static uint32_t longest_run(void)
{
    uint32_t best = 0, run = 0;

    for (uint32_t u = 0; u < pool.units; u++) {
        run = used[u] ? 0 : run + 1;
        best = run > best ? run : best;
    }
    return best;
}

/* Takes and checks everything that can be said about it; the number of units. */
static uint32_t take(uint32_t bytes, uint32_t *unit)
{
    uint32_t offset = UINT32_MAX, want = pool_round(bytes) / POOL_UNIT, run = longest_run();
    uint32_t got = pool_take(&pool, bytes, &offset);

    EQ(got % POOL_UNIT, 0);
    got /= POOL_UNIT;
    EQ(got, want < run ? want : run);           /* all, or the largest piece there is */
    *unit = offset / POOL_UNIT;
    if (!got)
        return 0;
    EQ(offset % POOL_UNIT, 0);
    REQUIRE(*unit + got <= pool.units);
    for (uint32_t u = *unit; u < *unit + got; u++) {
        REQUIRE(!used[u]);                      /* nobody else has it */
        used[u] = true;
    }
    return got;
}

static void give(uint32_t unit, uint32_t count)
{
    pool_give(&pool, unit * POOL_UNIT, count * POOL_UNIT);
    memset(&used[unit], false, count);
}

static void check_bits(void)
{
    uint32_t free_units = 0;

    for (uint32_t u = 0; u < POOL_WORDS * 64; u++) {
        bool bit = pool.used[u / 64] >> u % 64 & 1;

        if (bit != (u >= pool.units || used[u]))
            REQUIRE(!"a bit differs from the reference");
        free_units += !bit;
    }
    EQ(pool.free_units, free_units);
    EQ(pool_free_bytes(&pool), free_units * POOL_UNIT);
}

static void a_new_pool_is_free_as_a_whole(void)
{
    static const uint32_t sizes[] = { 1, 63, 64, 65, 100, 127, 128, POOL_MAX_UNITS - 1, POOL_MAX_UNITS };
    uint32_t unit;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open_units(sizes[i]);
        check_bits();
        EQ(take(sizes[i] * POOL_UNIT, &unit), sizes[i]);
        EQ(unit, 0);
        check_bits();
        EQ(take(1, &unit), 0);
        give(0, sizes[i]);
        check_bits();
    }
}

static void bytes_are_rounded_up_to_units(void)
{
    static const struct { uint32_t bytes, units; } table[] = {
        { 0, 0 }, { 1, 1 }, { POOL_UNIT - 1, 1 }, { POOL_UNIT, 1 }, { POOL_UNIT + 1, 2 }, { 65535, 64 }, { 65536, 64 }
    };
    uint32_t unit;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_units(100);
        EQ(pool_round(table[i].bytes), table[i].units * POOL_UNIT);
        EQ(take(table[i].bytes, &unit), table[i].units);
        check_bits();
    }
}

static void a_full_pool_gives_nothing_and_takes_back(void)
{
    uint32_t unit, at[100], n = 0;

    open_units(100);
    while (take(1, &unit))
        at[n++] = unit;
    EQ(n, 100);
    EQ(pool_free_bytes(&pool), 0);
    EQ(take(65536, &unit), 0);
    give(at[37], 1);
    EQ(take(65536, &unit), 1);
    EQ(unit, at[37]);
    EQ(take(1, &unit), 0);
    check_bits();
}

static void a_pool_in_pieces_gives_the_largest(void)
{
    uint32_t unit;

    open_units(200);
    EQ(take(200 * POOL_UNIT, &unit), 200);
    give(3, 5);
    give(60, 9);                                /* across a word */
    give(150, 8);
    EQ(take(65536, &unit), 9);
    EQ(unit, 60);
    EQ(take(65536, &unit), 8);
    EQ(unit, 150);
    EQ(take(4 * POOL_UNIT, &unit), 4);          /* there is a piece large enough: not more than asked for */
    EQ(unit, 3);
    EQ(take(65536, &unit), 1);
    EQ(take(65536, &unit), 0);
    check_bits();
}

static void pieces_that_touch_become_one(void)
{
    uint32_t unit;

    open_units(130);
    EQ(take(130 * POOL_UNIT, &unit), 130);
    give(70, 10);
    give(50, 10);
    give(60, 10);
    EQ(take(30 * POOL_UNIT, &unit), 30);
    EQ(unit, 50);
    check_bits();
}

static void the_first_place_that_fits_is_taken(void)
{
    uint32_t unit;

    open_units(100);
    for (uint32_t i = 0; i < 25; i++) {         /* a reader that keeps up: always the same pages */
        EQ(take(POOL_UNIT, &unit), 1);
        EQ(unit, 0);
        give(0, 1);
    }
    EQ(take(50 * POOL_UNIT, &unit), 50);
    give(10, 5);
    EQ(take(20 * POOL_UNIT, &unit), 20);        /* behind the hole, which stays the first */
    EQ(unit, 50);
    EQ(take(3 * POOL_UNIT, &unit), 3);
    EQ(unit, 10);
    give(0, 1);
    EQ(take(3 * POOL_UNIT, &unit), 3);
    EQ(unit, 70);
    EQ(take(POOL_UNIT, &unit), 1);
    EQ(unit, 0);
    EQ(take(2 * POOL_UNIT, &unit), 2);
    EQ(unit, 13);
    check_bits();
}

static void a_part_can_be_given_back(void)
{
    uint32_t unit;

    open_units(64);
    EQ(take(64 * POOL_UNIT, &unit), 64);
    give(10, 54);                               /* a packet that was shorter than its reservation */
    EQ(pool.free_units, 54);
    EQ(take(65536, &unit), 54);
    EQ(unit, 10);
    check_bits();
}

static void every_length_fits_at_every_place_near_the_edges_of_words(void)
{
    uint32_t unit;

    for (uint32_t at = 0; at < 140; at++)
        for (uint32_t count = 1; at + count <= 200; count += count < 4 || (count > 60 && count < 68) ? 1 : 13) {
            open_units(200);
            take(200 * POOL_UNIT, &unit);
            give(at, count);
            check_bits();
            EQ(take(count * POOL_UNIT, &unit), count);
            EQ(unit, at);
            EQ(pool.free_units, 0);
        }
}

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

static void random_use_agrees_with_the_reference(void)
{
    static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 129, 500, 1024, 2000, POOL_MAX_UNITS };
    static struct { uint32_t unit, count; } held[POOL_MAX_UNITS];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t n = 0;

        random_state = 12345 + (uint32_t)i;
        open_units(sizes[i]);
        for (int step = 0; step < 4000; step++) {
            /* phases of filling and of emptying, so that both ends of the scale are seen */
            if (random_below(100) < (step / 500 % 2 ? 35 : 65)) {
                uint32_t bytes = random_below(3) ? random_below(4096) + 1 : random_below(65536) + 1;

                held[n].count = take(bytes, &held[n].unit);
                n += held[n].count > 0;
            } else if (n) {
                uint32_t k = random_below(n), count = random_below(held[k].count) + 1;

                if (random_below(4))
                    count = held[k].count;
                held[k].count -= count;
                give(held[k].unit + held[k].count, count);      /* its end, or all of it */
                if (!held[k].count)
                    held[k] = held[--n];
            }
            if (step % 16 == 0)
                check_bits();
            if (CU_get_number_of_failures())
                return;
        }
        while (n--)
            give(held[n].unit, held[n].count);
        check_bits();
        EQ(pool.free_units, sizes[i]);
    }
}

static const struct test tests[] = {
    TEST(a_new_pool_is_free_as_a_whole),
    TEST(bytes_are_rounded_up_to_units),
    TEST(a_full_pool_gives_nothing_and_takes_back),
    TEST(a_pool_in_pieces_gives_the_largest),
    TEST(pieces_that_touch_become_one),
    TEST(the_first_place_that_fits_is_taken),
    TEST(a_part_can_be_given_back),
    TEST(every_length_fits_at_every_place_near_the_edges_of_words),
    TEST(random_use_agrees_with_the_reference),
};

int main(int argc, char **argv)
{
    return harness_run("pool", tests, sizeof tests / sizeof *tests, argc, argv);
}
