/* SPDX-License-Identifier: MIT */
/* test_backend_account.c: who has how many of the daemon's descriptors, and whose account is whose. */
#include "account.h"
#include "harness.h"

static struct accounts all;

static uint32_t take_all(struct account *a)
{
    uint32_t n = 0;

    while (account_take_file(a))
        n++;
    return n;
}

static void give_all(struct account *a)
{
    while (a->files)
        account_give_file(a);
}

static void begin(uint64_t limit)
{
    accounts_init(&all);
    accounts_share_files(&all, limit);
}

static void one_guest_has_half_and_two_a_third_each(void)
{
    struct account *a, *b, *c;

    begin(ACCOUNT_RESERVE + 3 * ACCOUNT_DEVICE + 600);
    a = account_open(&all, "a", 0);
    b = account_open(&all, "b", 0);
    c = account_open(&all, "c", 0);
    EQ(take_all(a), 300);
    EQ(take_all(b), 150);               /* as many as are free then */
    while (a->files > 200)
        account_give_file(a);
    EQ(take_all(b), 50);
    EQ(take_all(a), 0);
    EQ(all.files, 400);
    EQ(take_all(c), 100);
    give_all(a);
    give_all(b);
    give_all(c);
    EQ(all.files, 0);
    account_close(a);
    account_close(b);
    account_close(c);
}

/* However many are greedy, who comes last finds as many as the least of them has. */
static void nobody_comes_away_with_nothing(void)
{
    struct account *a[20];
    uint32_t least = UINT32_MAX;

    begin(ACCOUNT_RESERVE + 20 * ACCOUNT_DEVICE + 10000);
    for (int i = 0; i < 20; i++)
        REQUIRE((a[i] = account_open(&all, "x", (uint32_t)i)) != NULL);
    for (bool any = true; any; ) {
        any = false;
        for (int i = 0; i < 19; i++)
            any |= account_take_file(a[i]);
    }
    for (int i = 0; i < 19; i++)
        least = a[i]->files < least ? a[i]->files : least;
    EQ(least, 500);
    CU_ASSERT_TRUE(take_all(a[19]) >= least / 2);
    for (int i = 0; i < 20; i++) {
        give_all(a[i]);
        account_close(a[i]);
    }
}

static void a_reserve_is_never_shared(void)
{
    struct account *a;

    begin(1000);
    EQ(all.files_most, 1000 - ACCOUNT_RESERVE);
    begin(100);                         /* with few, half of them */
    EQ(all.files_most, 50);
    begin(UINT64_MAX);
    EQ(all.files_most, UINT32_MAX);
    begin(2 * ACCOUNT_DEVICE);
    a = account_open(&all, "a", 0);
    CU_ASSERT_FALSE(account_take_file(a));
    account_close(a);
}

/* It is said once that a guest has its share, until it has come down from it. */
static void what_was_said_is_forgotten_at_half_a_share(void)
{
    struct account *a;

    begin(ACCOUNT_RESERVE + ACCOUNT_DEVICE + 600);
    a = account_open(&all, "a", 0);
    take_all(a);
    a->told = true;
    while (a->files > 250)
        account_give_file(a);
    CU_ASSERT_TRUE(a->told);
    while (a->files > 150)
        account_give_file(a);
    CU_ASSERT_FALSE(a->told);
    give_all(a);
    account_close(a);
}

static void a_guest_that_comes_back_finds_what_it_left(void)
{
    struct account *first, *again, *left, *other;

    begin(1000);
    first = account_open(&all, "web1", 0);
    first->held.chunks = 5;
    left = account_join(first);
    account_close(first);
    EQ(left->devices, 0);
    EQ(all.devices, 0);
    again = account_open(&all, "web1", 0);
    CU_ASSERT_PTR_EQUAL(again, left);
    EQ(again->held.chunks, 5);
    other = account_open(&all, "web1", 1);
    CU_ASSERT_PTR_NOT_EQUAL(other, left);
    account_leave(left);
    account_close(again);
    account_close(other);
    CU_ASSERT_TRUE(list_is_empty(&all.list));
    account_close(NULL);
}

static void a_stream_that_is_vouched_for_has_its_two_places_or_waits(void)
{
    struct account *a;
    uint32_t n = 0;

    begin(1000);
    a = account_open(&all, "a", 0);
    a->most = 5;
    while (account_greet(a, false))
        n++;
    EQ(n, ACCOUNT_GREETED);             /* whatever they want */
    CU_ASSERT_TRUE(account_let_in(a, true));
    CU_ASSERT_TRUE(account_let_in(a, true));
    CU_ASSERT_FALSE(account_let_in(a, true));
    EQ(a->greeted, ACCOUNT_GREETED - 2);
    EQ(a->files, ACCOUNT_GREETED);      /* who waits is as he was */
    EQ(a->kept, 2);
    CU_ASSERT_TRUE(account_let_in(a, false));
    CU_ASSERT_FALSE(account_let_in(a, false));
    CU_ASSERT_FALSE(account_take_file(a));
    CU_ASSERT_FALSE(account_keep(a));
    account_let_in_kept(a);
    EQ(a->kept, 1);
    CU_ASSERT_FALSE(account_take_file(a));
    account_give_kept(a);               /* its stream has ended */
    CU_ASSERT_TRUE(account_let_in(a, false));
    CU_ASSERT_FALSE(account_let_in(a, false));
    while (a->greeted) {
        account_turn_out(a);
        account_give_file(a);
    }
    EQ(a->files, 5);
    EQ(all.files, 5);
    give_all(a);
    EQ(all.files, 0);
    account_close(a);
}

/* …and as many as that however little of its share is left; nobody is, though, when there is nothing at all. */
static void who_has_not_said_what_he_wants_is_greeted_beside_the_share(void)
{
    struct account *a;
    uint32_t n = 0;

    begin(ACCOUNT_RESERVE + ACCOUNT_DEVICE + 200);
    a = account_open(&all, "a", 0);
    while (account_greet(a, false))
        n++;
    EQ(n, 100);
    CU_ASSERT_TRUE(account_greet(a, true));     /* another one goes for him */
    account_turn_out(a);
    account_give_file(a);
    EQ(take_all(a), 50);                /* as many as are free then */
    CU_ASSERT_FALSE(account_greet(a, false));
    while (a->greeted) {
        account_turn_out(a);
        account_give_file(a);
    }
    take_all(a);
    for (n = 0; account_greet(a, false); n++)
        ;
    EQ(n, ACCOUNT_GREETED);
    while (a->greeted) {
        account_turn_out(a);
        account_give_file(a);
    }
    give_all(a);
    account_close(a);
    begin(2 * ACCOUNT_DEVICE);
    a = account_open(&all, "a", 0);
    CU_ASSERT_FALSE(account_greet(a, false));
    account_close(a);
}

static const struct test tests[] = {
    TEST(one_guest_has_half_and_two_a_third_each), TEST(nobody_comes_away_with_nothing), TEST(a_reserve_is_never_shared),
    TEST(what_was_said_is_forgotten_at_half_a_share), TEST(a_guest_that_comes_back_finds_what_it_left),
    TEST(a_stream_that_is_vouched_for_has_its_two_places_or_waits), TEST(who_has_not_said_what_he_wants_is_greeted_beside_the_share)
};

int main(int argc, char **argv)
{
    return harness_run("account", tests, sizeof tests / sizeof *tests, argc, argv);
}
