/* SPDX-License-Identifier: MIT */
/* test_tools_holders.c: how much of the broker each user of a guest may hold. */
#include "harness.h"
#include "holders.h"

static struct holders all;

/* Takes as often as it is given, at most 'times'; how often that was. */
static unsigned take(uid_t uid, unsigned times, struct holder **holder)
{
    unsigned n = 0;

    while (n < times && (*holder = holder_take(&all, uid)))
        n++;
    return n;
}

static void give(struct holder *holder, unsigned times)
{
    while (times--)
        holder_give(&all, holder);
}

static void give_all(void)
{
    while (!list_is_empty(&all.all))
        give(container_of(all.all.next, struct holder, link), 1);
    CU_ASSERT_EQUAL(all.count, 0);
}

static void root_may_have_all_of_it(void)
{
    struct holder *h = NULL, *none = NULL;

    holders_init(&all, 10);
    CU_ASSERT_EQUAL(take(0, 100, &none), 10);
    CU_ASSERT_EQUAL(all.count, 10);
    CU_ASSERT_PTR_NULL(holder_take(&all, 0));
    CU_ASSERT_PTR_NULL(holder_take(&all, 7));
    h = container_of(all.all.next, struct holder, link);
    give(h, 10);
    CU_ASSERT_TRUE(list_is_empty(&all.all));
}

static void another_user_gets_half_and_the_next_half_of_the_rest(void)
{
    struct holder *last;
    uid_t uids[] = { 1000, 1001, 1002 };
    unsigned want[] = { 32, 16, 8 };

    holders_init(&all, 64);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(take(uids[i], 100, &last), want[i]);
    CU_ASSERT_EQUAL(all.count, 56);
    /* What is left is root's, all of it. */
    CU_ASSERT_EQUAL(take(0, 100, &last), 8);
    give_all();
}

static void what_is_given_back_is_there_for_all(void)
{
    struct holder *a, *last;

    holders_init(&all, 4);
    REQUIRE((a = holder_take(&all, 5)) != NULL);
    CU_ASSERT_PTR_EQUAL(holder_take(&all, 5), a);
    CU_ASSERT_PTR_NULL(holder_take(&all, 5));
    give(a, 1);
    CU_ASSERT_EQUAL(take(6, 100, &last), 2);
    CU_ASSERT_PTR_NULL(holder_take(&all, 5));
    CU_ASSERT_EQUAL(all.count, 3);
    give_all();
}

/* Else a user who tries in vain would leave something behind each time. */
static void who_holds_nothing_is_forgotten(void)
{
    struct holder *h;

    holders_init(&all, 1);
    REQUIRE((h = holder_take(&all, 9)) != NULL);
    CU_ASSERT_PTR_NULL(holder_take(&all, 10));
    CU_ASSERT_PTR_EQUAL(all.all.next->next, &all.all);
    give(h, 1);
    CU_ASSERT_TRUE(list_is_empty(&all.all));
    all.most = 0;
    CU_ASSERT_PTR_NULL(holder_take(&all, 0));
    CU_ASSERT_TRUE(list_is_empty(&all.all));
}

/* The settings may be read anew while there are more. */
static void less_than_is_held_already_takes_nothing_away(void)
{
    struct holder *last = NULL;

    holders_init(&all, 10);
    CU_ASSERT_EQUAL(take(3, 100, &last), 5);
    all.most = 2;
    CU_ASSERT_PTR_NULL(holder_take(&all, 3));
    CU_ASSERT_PTR_NULL(holder_take(&all, 0));
    give(container_of(all.all.next, struct holder, link), 4);
    CU_ASSERT_PTR_NOT_NULL(holder_take(&all, 0));
    CU_ASSERT_EQUAL(all.count, 2);
    give_all();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(root_may_have_all_of_it),
        TEST(another_user_gets_half_and_the_next_half_of_the_rest),
        TEST(what_is_given_back_is_there_for_all),
        TEST(who_holds_nothing_is_forgotten),
        TEST(less_than_is_held_already_takes_nothing_away),
    };

    return harness_run("holders", tests, sizeof tests / sizeof *tests, argc, argv);
}
