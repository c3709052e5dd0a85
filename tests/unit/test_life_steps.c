/* SPDX-License-Identifier: MIT */
/* test_life_steps.c: each machine of life.h alone, step by step, with a clock of its own.
 *
 * test_life.c proves what must hold in any order; this says what a reader may expect in the usual ones. */
#include <errno.h>
#include <stdio.h>

#include "harness.h"
#include "life.h"

static void look_front(struct life_front *f, unsigned peer, bool live, uint64_t now)
{
    struct life_look look = { f->own, (uint8_t)peer, live };

    life_front_look(f, &look, now);
}

static void look_back(struct life_back *b, unsigned peer, bool live, uint64_t now)
{
    struct life_look look = { b->own, (uint8_t)peer, live };

    life_back_look(b, &look, now);
}

static void back_expects(struct life_back *b, enum life_act act, uint64_t now)
{
    EQ(life_back_next(b, now), act);
    if (act != LIFE_WAIT)
        life_back_done(b, act, 0, now);
}

static void front_expects(struct life_front *f, enum life_act act, uint64_t now)
{
    EQ(life_front_next(f, now), act);
    if (act != LIFE_WAIT)
        life_front_done(f, act, 0, now);
}

static void connect_back(struct life_back *b, uint64_t now)
{
    life_back_init(b, 1, now);
    look_back(b, 1, true, now);
    back_expects(b, LIFE_OFFER, now);
    back_expects(b, LIFE_WAIT, now);
    look_back(b, 3, true, now);
    back_expects(b, LIFE_MAP, now);
    back_expects(b, LIFE_CONNECT, now);
    look_back(b, 4, true, now);
    back_expects(b, LIFE_WAIT, now);
    CU_ASSERT_TRUE(life_back_is_connected(b));
}

static void connect_front(struct life_front *f, uint64_t now)
{
    life_front_init(f, 1, now);
    look_front(f, 2, true, now);
    front_expects(f, LIFE_SHARE, now);
    front_expects(f, LIFE_WAIT, now);
    look_front(f, 4, true, now);
    front_expects(f, LIFE_CONNECT, now);
    front_expects(f, LIFE_WAIT, now);
    CU_ASSERT_TRUE(life_front_is_connected(f));
}

static void an_orderly_close_goes_5_6_6(void)
{
    struct life_front f;
    struct life_back b;

    connect_front(&f, 1000);
    life_front_close(&f);
    front_expects(&f, LIFE_RESET, 1000);
    front_expects(&f, LIFE_CLOSING, 1000);
    front_expects(&f, LIFE_WAIT, 1000);
    CU_ASSERT_FALSE(life_front_is_over(&f));
    look_front(&f, 6, false, 1000);
    front_expects(&f, LIFE_UNSHARE, 1000);
    front_expects(&f, LIFE_CLOSED, 1000);
    front_expects(&f, LIFE_WAIT, 99000);
    CU_ASSERT_TRUE(life_front_is_over(&f));
    EQ(life_front_deadline(&f), LIFE_NEVER);

    connect_back(&b, 1000);
    look_back(&b, 5, true, 1000);
    back_expects(&b, LIFE_UNMAP, 1000);
    back_expects(&b, LIFE_CLOSED, 1000);
    back_expects(&b, LIFE_WAIT, 1000);
    look_back(&b, 6, true, 1000);
    back_expects(&b, LIFE_WAIT, 1000);
    look_back(&b, 1, true, 1000 + LIFE_GAP_MS);
    back_expects(&b, LIFE_OFFER, 1000 + LIFE_GAP_MS);
}

static void a_stopping_daemon_says_5_and_offers_no_more(void)
{
    struct life_back b;

    connect_back(&b, 1000);
    CU_ASSERT_FALSE(life_back_is_over(&b));
    life_back_close(&b);
    back_expects(&b, LIFE_UNMAP, 1000);
    back_expects(&b, LIFE_CLOSING, 1000);
    CU_ASSERT_TRUE(life_back_is_over(&b));
    look_back(&b, 6, true, 1000);
    back_expects(&b, LIFE_CLOSED, 1000);
    look_back(&b, 1, true, 90000);
    back_expects(&b, LIFE_WAIT, 90000);
}

static void a_successor_says_5_to_a_frontend_in_3_or_4(void)
{
    for (unsigned peer = 3; peer <= 4; peer++)
        for (unsigned own = 1; own <= 4; own++) {
            struct life_back b;

            life_back_init(&b, own, 0);
            look_back(&b, peer, true, 0);
            back_expects(&b, LIFE_CLOSING, 0);
            back_expects(&b, LIFE_WAIT, 0);
            look_back(&b, 6, true, 0);
            back_expects(&b, LIFE_CLOSED, 0);
            look_back(&b, 1, true, 0);
            back_expects(&b, LIFE_OFFER, 0);
        }
}

static void an_offer_that_nobody_has_taken_is_made_again(void)
{
    struct life_back b;

    life_back_init(&b, 1, 1000);
    look_back(&b, 1, true, 1000);
    back_expects(&b, LIFE_OFFER, 1000);
    life_back_offer_again(&b);
    back_expects(&b, LIFE_WAIT, 1000 + LIFE_GAP_MS - 1);
    back_expects(&b, LIFE_OFFER, 1000 + LIFE_GAP_MS);
    back_expects(&b, LIFE_WAIT, 99000);

    /* Taken at the same moment: it is closed, and comes again.  One that is connected keeps what it has. */
    life_back_offer_again(&b);
    look_back(&b, 3, true, 99000);
    back_expects(&b, LIFE_CLOSING, 99000);
    connect_back(&b, 1000);
    life_back_offer_again(&b);
    back_expects(&b, LIFE_WAIT, 99000);
    CU_ASSERT_TRUE(life_back_is_connected(&b));
}

static void a_dead_domain_is_unmapped_and_not_written_to(void)
{
    struct life_back b;

    connect_back(&b, 1000);
    life_back_domain_died(&b);
    CU_ASSERT_FALSE(life_back_is_over(&b));
    back_expects(&b, LIFE_UNMAP, 1000);
    back_expects(&b, LIFE_WAIT, 1000);
    CU_ASSERT_TRUE(life_back_is_over(&b));
}

static void a_removed_directory_is_not_written_to(void)
{
    struct life_front f;
    struct life_back b;
    struct life_look nothing = { 0, 0, true };

    connect_back(&b, 1000);
    life_back_look(&b, &nothing, 1000);
    back_expects(&b, LIFE_UNMAP, 1000);
    back_expects(&b, LIFE_WAIT, 1000);
    CU_ASSERT_TRUE(life_back_is_over(&b));

    connect_front(&f, 1000);
    life_front_look(&f, &nothing, 1000);
    front_expects(&f, LIFE_RESET, 1000);
    front_expects(&f, LIFE_UNSHARE, 1000);
    front_expects(&f, LIFE_WAIT, 1000);
    CU_ASSERT_TRUE(life_front_is_gone(&f));

    /* And when the act itself finds out. */
    life_back_init(&b, 1, 0);
    look_back(&b, 1, true, 0);
    EQ(life_back_next(&b, 0), LIFE_OFFER);
    life_back_done(&b, LIFE_OFFER, -ENOENT, 0);
    CU_ASSERT_TRUE(life_back_is_over(&b));
}

static void a_frontend_that_jumps_is_refused_with_a_reason(void)
{
    static const uint8_t jumps[] = { 2, 7, 8, 255 };

    for (unsigned i = 0; i < sizeof jumps; i++) {
        struct life_back b;

        connect_back(&b, 1000);
        look_back(&b, jumps[i], true, 1000);
        CU_ASSERT_PTR_NOT_NULL(b.why);
        back_expects(&b, LIFE_UNMAP, 1000);
        back_expects(&b, LIFE_REFUSE, 1000);
        look_back(&b, jumps[i], true, 1000);
        back_expects(&b, LIFE_WAIT, 1000);
        EQ(b.strikes, 1);
    }
}

static void a_frontend_that_goes_from_4_to_3_is_refused(void)
{
    struct life_back b;

    connect_back(&b, 1000);
    look_back(&b, 3, true, 1000);
    back_expects(&b, LIFE_UNMAP, 1000);
    back_expects(&b, LIFE_REFUSE, 1000);
}

static void a_backend_that_jumps_is_closed_in_order(void)
{
    static const uint8_t jumps[] = { 2, 3, 7, 255 };

    for (unsigned i = 0; i < sizeof jumps; i++) {
        struct life_front f;

        connect_front(&f, 1000);
        look_front(&f, jumps[i], true, 1000);
        CU_ASSERT_PTR_NOT_NULL(f.why);
        front_expects(&f, LIFE_RESET, 1000);
        front_expects(&f, LIFE_CLOSING, 1000);
        front_expects(&f, LIFE_WAIT, 1000);         /* its pages are still out there */
        look_front(&f, 1, true, 1000);
        front_expects(&f, LIFE_WAIT, 1000);
        look_front(&f, 1, false, 1000);
        front_expects(&f, LIFE_UNSHARE, 1000);
        front_expects(&f, LIFE_CLOSED, 1000);
        front_expects(&f, LIFE_RESTART, 1000 + LIFE_GAP_MS);
    }
}

static void the_same_look_again_does_nothing(void)
{
    struct life_front f;
    struct life_back b;

    connect_front(&f, 1000);
    connect_back(&b, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        look_front(&f, 4, true, 1000 + i);
        look_back(&b, 4, true, 1000 + i);
        front_expects(&f, LIFE_WAIT, 1000 + i);
        back_expects(&b, LIFE_WAIT, 1000 + i);
    }
}

static void back_off_doubles_from_the_second_refusal_to_5_s(void)
{
    static const uint32_t waits[] = { 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
    struct life_back b;
    uint64_t now = 1000;

    EQ(life_backoff(0), 0);
    EQ(life_backoff(1), 0);
    EQ(life_backoff(UINT32_MAX), 5000);
    life_back_init(&b, 1, now);
    look_back(&b, 1, true, now);
    back_expects(&b, LIFE_OFFER, now);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        look_back(&b, 3, true, now);
        EQ(life_back_next(&b, now), LIFE_MAP);
        life_back_done(&b, LIFE_MAP, -EINVAL, now);
        back_expects(&b, LIFE_REFUSE, now);
        look_back(&b, 1, true, now);
        EQ(life_back_deadline(&b), now + waits[i]);
        back_expects(&b, LIFE_WAIT, now + waits[i] - 1);
        now += waits[i];
        back_expects(&b, LIFE_OFFER, now);
    }
    /* A connection that lasts forgives. */
    look_back(&b, 3, true, now);
    back_expects(&b, LIFE_MAP, now);
    back_expects(&b, LIFE_CONNECT, now);
    now += LIFE_PROVEN_MS;
    look_back(&b, 1, true, now);
    back_expects(&b, LIFE_UNMAP, now);
    back_expects(&b, LIFE_OFFER, now);
    EQ(b.strikes, 0);
}

static void a_frontend_backs_off_from_a_backend_that_breaks_rules(void)
{
    static const uint32_t waits[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
    struct life_front f;
    uint64_t now = 1000;

    life_front_init(&f, 1, now);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        look_front(&f, 2, true, now);
        front_expects(&f, LIFE_SHARE, now);
        look_front(&f, 4, true, now);
        front_expects(&f, LIFE_CONNECT, now);
        now += LIFE_PROVEN_MS - 1;                  /* not long enough to forgive */
        life_front_fault(&f, "told so", now);
        front_expects(&f, LIFE_RESET, now);
        front_expects(&f, LIFE_CLOSING, now);
        look_front(&f, 6, false, now);
        front_expects(&f, LIFE_UNSHARE, now);
        front_expects(&f, LIFE_CLOSED, now);
        EQ(life_front_deadline(&f), now + waits[i]);
        if (waits[i])
            front_expects(&f, LIFE_WAIT, now + waits[i] - 1);
        now += waits[i];
        front_expects(&f, LIFE_RESTART, now);
    }
}

/* A daemon that is restarted ten times within a minute, in order or not, connected or not yet: the frontend waits for its next 2
 * and for nothing else.  (It counted such ends against the backend, and waited up to 5 s for its own timer.) */
static void a_backend_that_goes_and_comes_back_is_never_kept_waiting(void)
{
    struct life_front f;
    uint64_t now = 1000;

    life_front_init(&f, 1, now);
    for (unsigned i = 0; i < 20; i++) {
        bool connects = i % 3 != 0, in_order = i % 2;

        look_front(&f, 2, true, now);
        front_expects(&f, LIFE_SHARE, now);
        if (connects) {
            look_front(&f, 4, true, now);
            front_expects(&f, LIFE_CONNECT, now);
        }
        now += LIFE_GAP_MS;
        /* Killed: the byte says so if it was connected, else its successor's 5. */
        look_front(&f, connects && !in_order ? 4 : 5, false, now);
        if (connects)
            front_expects(&f, LIFE_RESET, now);
        front_expects(&f, LIFE_UNSHARE, now);
        front_expects(&f, LIFE_CLOSED, now);
        front_expects(&f, LIFE_RESTART, now);
        front_expects(&f, LIFE_WAIT, now);
        EQ(life_front_deadline(&f), LIFE_NEVER);    /* no timer: the watch alone */
        EQ(f.strikes, 0);
    }
}

/* Strikes of real faults neither grow nor go with a restart of the daemon. */
static void a_restart_forgives_no_fault_and_adds_none(void)
{
    struct life_front f;

    connect_front(&f, 1000);
    f.strikes = 5;
    look_front(&f, 5, false, 1000 + LIFE_PROVEN_MS - 1);
    front_expects(&f, LIFE_RESET, 1000 + LIFE_PROVEN_MS - 1);
    front_expects(&f, LIFE_UNSHARE, 1000 + LIFE_PROVEN_MS - 1);
    EQ(f.strikes, 5);
    EQ(f.not_before, 1000 + LIFE_PROVEN_MS - 1);
    connect_front(&f, 1000);
    f.strikes = 5;
    look_front(&f, 5, false, 1000 + LIFE_PROVEN_MS);
    front_expects(&f, LIFE_RESET, 1000 + LIFE_PROVEN_MS);
    front_expects(&f, LIFE_UNSHARE, 1000 + LIFE_PROVEN_MS);
    EQ(f.strikes, 0);
}

/* A minute of a backend that offers, and closes as soon as pages are shared with it. */
static void a_mad_backend_costs_a_bounded_number_of_shares(void)
{
    struct life_front f;
    unsigned shares = 0, acts = 0;

    life_front_init(&f, 1, 0);
    for (uint64_t now = 0; now < 60000; now++)
        for (unsigned tries = 0; tries < 4; tries++) {
            enum life_act act;

            look_front(&f, f.shares ? tries & 1 ? 4 : 5 : 2, tries & 2, now);
            while ((act = life_front_next(&f, now)) != LIFE_WAIT) {
                life_front_done(&f, act, 0, now);
                shares += act == LIFE_SHARE;
                acts++;
            }
        }
    CU_ASSERT_TRUE(shares > 100);
    CU_ASSERT_TRUE(shares <= 60000 / LIFE_GAP_MS + 1);
    CU_ASSERT_TRUE(acts <= 6 * shares + 6);
}

static void a_failed_act_waits_for_its_deadline(void)
{
    struct life_back b;

    life_back_init(&b, 1, 0);
    look_back(&b, 1, true, 0);
    EQ(life_back_next(&b, 0), LIFE_OFFER);
    life_back_done(&b, LIFE_OFFER, -ECONNRESET, 0);
    back_expects(&b, LIFE_WAIT, 0);
    EQ(life_back_deadline(&b), LIFE_RETRY_MS);
    back_expects(&b, LIFE_OFFER, LIFE_RETRY_MS);
    look_back(&b, 3, true, 2000);
    EQ(life_back_next(&b, 2000), LIFE_MAP);
    life_back_done(&b, LIFE_MAP, -EAGAIN, 2000);    /* no refusal */
    EQ(b.strikes, 0);
    back_expects(&b, LIFE_WAIT, 2000);
    EQ(life_back_deadline(&b), 2000 + LIFE_GAP_MS);
}

/* What this end is short of is no fault of the frontend's: it waits where it is, and is answered when there is enough again. */
static void a_shortage_of_the_backend_s_own_is_no_refusal(void)
{
    static const int errors[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC };
    struct life_back b;
    uint64_t now = 2000;

    life_back_init(&b, 1, 0);
    look_back(&b, 1, true, 0);
    back_expects(&b, LIFE_OFFER, 0);
    look_back(&b, 3, true, now);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++, now += LIFE_RETRY_MS) {
        EQ(life_back_next(&b, now), LIFE_MAP);
        life_back_done(&b, LIFE_MAP, -errors[i], now);
        CU_ASSERT_TRUE(life_back_passes(-errors[i]));
        back_expects(&b, LIFE_WAIT, now);
        EQ(life_back_deadline(&b), now + LIFE_RETRY_MS);
    }
    EQ(b.strikes, 0);
    EQ(life_back_next(&b, now), LIFE_MAP);
    life_back_done(&b, LIFE_MAP, -EINVAL, now);
    EQ(life_back_next(&b, now), LIFE_REFUSE);
}

/* XSA-349, and "what does a guest in a tight loop cost": a minute of a guest that does its worst, once a millisecond. */
static void a_mad_guest_costs_a_bounded_number_of_acts(void)
{
    struct life_back b;
    unsigned offers = 0, acts = 0;
    uint32_t seed = 1;

    life_back_init(&b, 1, 0);
    for (uint64_t now = 0; now < 60000; now++)
        for (unsigned tries = 0; tries < 4; tries++) {
            enum life_act act;

            seed = seed * 1664525u + 1013904223u;
            /* Mostly the states that get it furthest: 1 after 5 and 6, 3 after 2. */
            look_back(&b, seed >> 28 == 0 ? seed >> 20 & 15 : b.own == 2 ? 3 : b.own == 4 ? 5 : 1, seed >> 27 & 1, now);
            while ((act = life_back_next(&b, now)) != LIFE_WAIT) {
                life_back_done(&b, act, act == LIFE_MAP && (seed >> 26 & 1) ? -EINVAL : 0, now);
                offers += act == LIFE_OFFER;
                acts++;
            }
        }
    CU_ASSERT_TRUE(offers <= 60000 / LIFE_GAP_MS + 1);
    CU_ASSERT_TRUE(acts <= 6 * offers);
    printf("# %u offers, %u acts\n", offers, acts);
}

static void every_act_and_state_has_a_name(void)
{
    CU_ASSERT_STRING_EQUAL(life_act_name(LIFE_RESTART), "RESTART");
    CU_ASSERT_STRING_EQUAL(life_act_name((enum life_act)99), "?");
    CU_ASSERT_STRING_EQUAL(life_state_name(4), "Connected");
    CU_ASSERT_STRING_EQUAL(life_state_name(7), "?");
}

static const struct test tests[] = {
    TEST(an_orderly_close_goes_5_6_6),
    TEST(a_stopping_daemon_says_5_and_offers_no_more),
    TEST(a_successor_says_5_to_a_frontend_in_3_or_4),
    TEST(an_offer_that_nobody_has_taken_is_made_again), TEST(a_dead_domain_is_unmapped_and_not_written_to),
    TEST(a_removed_directory_is_not_written_to),
    TEST(a_frontend_that_jumps_is_refused_with_a_reason),
    TEST(a_frontend_that_goes_from_4_to_3_is_refused),
    TEST(a_backend_that_jumps_is_closed_in_order),
    TEST(the_same_look_again_does_nothing),
    TEST(back_off_doubles_from_the_second_refusal_to_5_s),
    TEST(a_frontend_backs_off_from_a_backend_that_breaks_rules),
    TEST(a_backend_that_goes_and_comes_back_is_never_kept_waiting),
    TEST(a_restart_forgives_no_fault_and_adds_none),
    TEST(a_mad_backend_costs_a_bounded_number_of_shares),
    TEST(a_failed_act_waits_for_its_deadline), TEST(a_shortage_of_the_backend_s_own_is_no_refusal),
    TEST(a_mad_guest_costs_a_bounded_number_of_acts),
    TEST(every_act_and_state_has_a_name),
};

int main(int argc, char **argv)
{
    return harness_run("life steps", tests, sizeof tests / sizeof *tests, argc, argv);
}
