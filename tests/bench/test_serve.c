/* SPDX-License-Identifier: MIT */
/* test_serve.c: what one piece of a guest's work may cost the others (serve.h), counted and not timed.
 *
 * Guests and daemon are in this process (joined.h), and a piece of work is called by itself. */
#include "harness.h"
#include "joined.h"
#include "serve.h"
#include "xvs.h"

#define DISCARD 9u
#define FLOOD   200u

static uint64_t next_cid = 3;
static uint32_t repeats;

static void ask_for_connections(struct xvs *x, uint32_t count)
{
    struct xvs_stream *s;

    for (uint32_t i = 0; i < count; i++)
        REQUIRE(xvs_connect(x, XVS_CID_HOST, DISCARD, &s) == 0);
    xvs_flush(x);
}

/* A REQUEST costs the daemon a socket and a path, and 256 of them were one piece of work: another guest's byte waited for
 * milliseconds. */
static void a_flood_of_requests_is_taken_a_few_at_a_time(void)
{
    struct xvs *x = joined_open(next_cid);
    struct lane *lane = joined_lane(next_cid++);

    ask_for_connections(x, FLOOD);
    lane->turn.take(&lane->turn);
    EQ(vmux_count(lane->mux), SERVE_PACKETS / SERVE_REQUEST);
    joined_settle();
    EQ(vmux_count(lane->mux), FLOOD);
}

static void ask_again(struct xvs *x)
{
    repeats++;
    joined_guest(x);
    ask_for_connections(x, 4);
}

/* A guest that has more for the daemon each time that it is notified is served again and again in one piece of work; that
 * was bounded by bytes alone, and REQUESTs have none. */
static void what_comes_during_a_piece_of_work_has_no_budget_of_its_own(void)
{
    struct xvs *x = joined_open(next_cid);
    struct lane *lane = joined_lane(next_cid++);

    joined_settle();
    joined_on_notify = ask_again;
    ask_for_connections(x, 4);
    lane->turn.take(&lane->turn);
    joined_on_notify = NULL;
    CU_ASSERT_TRUE(repeats > 1);
    EQ(vmux_count(lane->mux), SERVE_PACKETS / SERVE_REQUEST);
    joined_settle();
}

/* True if a guest's piece of work, at the end of which it would be worth to wait a little for more, did wait. */
static bool gives_way(struct xvs *x, struct lane *lane)
{
    ask_for_connections(x, 1);
    lane->yields.credit = 1;
    lane->has_yielded = false;
    lane->all->next_yield = 0;
    lane->turn.take(&lane->turn);
    return lane->has_yielded;
}

static void nobody_waits_for_more_while_another_guest_waits_for_its_turn(void)
{
    struct xvs *x = joined_open(next_cid);
    struct lane *lane = joined_lane(next_cid++), *other;

    joined_open(next_cid);
    other = joined_lane(next_cid++);
    joined_settle();
    joined_settings()->spin_us = 1;
    CU_ASSERT_TRUE(gives_way(x, lane));
    turn_leave(&lane->turn);
    list_append(&lane->all->loop->round, &other->turn.link);
    CU_ASSERT_FALSE(gives_way(x, lane));
    turn_leave(&other->turn);
    turn_wait(lane->all->loop, &other->turn);
    CU_ASSERT_FALSE(gives_way(x, lane));
    joined_settings()->spin_us = 0;
    joined_settle();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_flood_of_requests_is_taken_a_few_at_a_time),
        TEST(what_comes_during_a_piece_of_work_has_no_budget_of_its_own),
        TEST(nobody_waits_for_more_while_another_guest_waits_for_its_turn),
    };

    return harness_run("serve", tests, sizeof tests / sizeof *tests, argc, argv);
}
