/* SPDX-License-Identifier: MIT */
/* test_ring.c: both ends of a ring in one thread: what the indices say, and what they may not say.  The order of
 * accesses is the business of tests/model and of test_ring_threads.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"
#include "ring.h"

#define MAX_BYTES ((size_t)VSOCKIF_PAGE_SIZE << VSOCKIF_MAX_RING_PAGE_ORDER)
#define MAX_SLOTS (32u << VSOCKIF_MAX_RING_PAGE_ORDER)

static _Alignas(4096) uint8_t pages[MAX_BYTES];
static struct vsockif_ring *const shared = (void *)pages;
static struct ring front, back;

static void dump(void *unused)
{
    (void)unused;
    printf("  shared req_prod %u req_event %u rsp_prod %u rsp_event %u\n", shared->req_prod, shared->req_event,
           shared->rsp_prod, shared->rsp_event);
    for (int i = 0; i < 2; i++) {
        const struct ring *r = i ? &back : &front;

        printf("  %s out %u published %u in %u in_seen %u\n", i ? "back " : "front", r->out, r->published, r->in, r->in_seen);
    }
}

/* Two ends whose indices have already come to 'start'. */
static void open_at(uint32_t order, uint32_t start)
{
    memset(pages, 0, sizeof pages);
    ring_init(&front, RING_FRONT, pages, order);
    ring_init(&back, RING_BACK, pages, order);
    shared->req_prod = shared->rsp_prod = start;
    shared->req_event = shared->rsp_event = start + 1;
    front.out = front.published = front.in = front.in_seen = start;
    back.out = back.published = back.in = back.in_seen = start;
    harness_on_failure(dump, NULL);
}

static void put(struct ring *r, uint32_t id)
{
    struct vsockif_slot slot = { .id = id, .off = id * 64, .size = ~id };

    ring_put(r, &slot);
}

static uint32_t get(struct ring *r, uint32_t ahead)
{
    struct vsockif_slot slot;

    ring_get(r, ahead, &slot);
    EQ(slot.off, slot.id * 64);
    EQ(slot.size, ~slot.id);
    return slot.id;
}

static void send_and_take(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put(&front, i);
    ring_publish(&front);
    EQ(ring_pending(&back), count);
    ring_take(&back, count);
}

/* ---- the two ends of nothing ---- */

static void the_frontend_sets_both_events_and_nothing_else(void)
{
    struct vsockif_ring expected = { .req_event = 1, .rsp_event = 1 };

    memset(pages, 0, sizeof pages);
    ring_init(&front, RING_FRONT, pages, 4);
    EQ(memcmp(shared, &expected, sizeof expected), 0);
    for (size_t i = sizeof expected; i < sizeof pages; i++)
        if (pages[i])
            REQUIRE(!"a slot was written");
}

static void the_backend_writes_nothing_when_it_attaches(void)
{
    uint8_t *mine = mmap(NULL, VSOCKIF_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(mine != MAP_FAILED);
    ring_init(&back, RING_BACK, mine, 0);       /* a write would be the end of this program */
    EQ(ring_pending(&back), 0);
    munmap(mine, VSOCKIF_PAGE_SIZE);
}

static void each_order_has_its_slots_and_they_stay_in_the_pages(void)
{
    for (uint32_t order = 0; order <= VSOCKIF_MAX_RING_PAGE_ORDER; order++) {
        size_t bytes = (size_t)VSOCKIF_PAGE_SIZE << order;

        open_at(order, 0);
        EQ(ring_slots(&front), 32u << order);
        EQ(ring_slots(&back), 32u << order);
        EQ(ring_room(&front), 32u << order);
        EQ(ring_room(&back), 0);
        memset(pages + bytes, 0xa5, sizeof pages - bytes);
        while (ring_room(&front))
            put(&front, ring_room(&front));
        ring_publish(&front);
        EQ(ring_pending(&back), 32u << order);
        EQ(get(&back, ring_slots(&back) - 1), 1);
        for (size_t i = bytes; i < sizeof pages; i++)
            if (pages[i] != 0xa5)
                REQUIRE(!"a slot lies outside of the pages");
    }
}

static void the_two_ends_use_the_two_halves_of_the_header(void)
{
    open_at(0, 7);
    put(&front, 1);
    ring_publish(&front);
    EQ(shared->req_prod, 8);
    ring_arm(&front, 3);
    EQ(shared->rsp_event, 10);
    EQ(ring_pending(&back), 1);
    ring_take(&back, 1);
    put(&back, 1);
    ring_publish(&back);
    EQ(shared->rsp_prod, 8);
    ring_arm(&back, 4);
    EQ(shared->req_event, 12);
}

/* ---- filling, showing, reading ---- */

static void what_is_put_is_not_seen_before_it_is_published(void)
{
    open_at(0, 0);
    put(&front, 5);
    EQ(ring_pending(&back), 0);
    EQ(shared->req_prod, 0);
    ring_publish(&front);
    EQ(ring_pending(&back), 1);
    EQ(get(&back, 0), 5);
    EQ(ring_pending(&back), 1);                 /* reading is not taking */
    ring_take(&back, 1);
    EQ(ring_pending(&back), 0);
}

static void a_copied_slot_does_not_change_when_the_peer_changes_the_page(void)
{
    struct vsockif_slot copy;

    open_at(0, 0);
    put(&front, 5);
    ring_publish(&front);
    EQ(ring_pending(&back), 1);
    ring_get(&back, 0, &copy);
    memset(pages + 64, 0xff, 64);
    EQ(copy.id, 5);
    EQ(copy.off, 320);
}

static void the_front_has_room_again_when_it_took_the_response(void)
{
    open_at(0, UINT32_MAX - 3);
    for (uint32_t i = 0; i < 32; i++)
        put(&front, i);
    EQ(ring_room(&front), 0);
    ring_publish(&front);
    EQ(ring_pending(&back), 32);
    ring_take(&back, 10);
    EQ(ring_room(&back), 10);
    for (uint32_t i = 0; i < 4; i++)
        put(&back, i);
    EQ(ring_room(&back), 6);
    EQ(ring_pending(&front), 0);
    ring_publish(&back);
    EQ(ring_pending(&front), 4);
    EQ(ring_room(&front), 0);
    ring_take(&front, 3);
    EQ(ring_room(&front), 3);
    EQ(ring_pending(&front), 1);
}

static void publishing_nothing_touches_nothing(void)
{
    open_at(0, 100);
    shared->req_prod = 12345;                   /* not ours any more if it were written */
    shared->req_event = 100;
    CU_ASSERT_FALSE(ring_publish(&front));
    EQ(shared->req_prod, 12345);
}

static void responses_come_in_any_order_and_are_told_apart_by_id(void)
{
    uint32_t seed = 1;

    open_at(1, UINT32_MAX - 200);
    for (int round = 0; round < 20; round++) {
        uint32_t held[64], n = ring_slots(&front);
        uint64_t seen = 0;

        for (uint32_t id = 0; id < n; id++)
            put(&front, id);
        ring_publish(&front);
        EQ(ring_pending(&back), n);
        for (uint32_t i = 0; i < n; i++)
            held[i] = get(&back, i);
        ring_take(&back, n);
        for (uint32_t left = n; left; left--) {
            uint32_t at = (seed = seed * 1664525 + 1013904223) % left;

            put(&back, held[at]);
            held[at] = held[left - 1];
        }
        ring_publish(&back);
        EQ(ring_pending(&front), n);
        for (uint32_t i = 0; i < n; i++)
            seen |= UINT64_C(1) << get(&front, i);
        ring_take(&front, n);
        CU_ASSERT_EQUAL(seen, UINT64_MAX);
    }
}

/* ---- who is notified ---- */

static void notify_if_and_only_if_the_event_was_passed(void)
{
    static const struct { uint32_t old, new, event; bool notify; } table[] = {
        { 0, 1, 1, true },                  /* the first one, after initialisation */
        { 0, 5, 1, true },
        { 0, 1, 0, false },                 /* passed long ago */
        { 0, 1, 2, false },                 /* not yet */
        { 1, 2, 1, false },                 /* the event is where we were: it was passed by the last publish */
        { 1, 2, 2, true },
        { 1, 2, 3, false },
        { 10, 20, 10, false },
        { 10, 20, 11, true },
        { 10, 20, 15, true },
        { 10, 20, 20, true },
        { 10, 20, 21, false },
        { 10, 20, 9, false },
        { 10, 20, 10 + 0x80000000u, false },
        { UINT32_MAX, 0, 0, true },         /* round the corner */
        { UINT32_MAX, 0, UINT32_MAX, false },
        { UINT32_MAX, 0, 1, false },
        { UINT32_MAX - 2, 3, UINT32_MAX, true },
        { UINT32_MAX - 2, 3, UINT32_MAX - 2, false },
        { UINT32_MAX - 2, 3, 3, true },
        { UINT32_MAX - 2, 3, 4, false },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int s = 0; s < 2; s++) {
            struct ring *r = s ? &back : &front;

            open_at(0, table[i].old);
            *(s ? &shared->rsp_event : &shared->req_event) = table[i].event;
            r->out = table[i].new;
            EQ(ring_publish(r), table[i].notify);
            EQ(s ? shared->rsp_prod : shared->req_prod, table[i].new);
            EQ(r->published, table[i].new);
        }
}

static void a_second_publish_before_the_peer_looked_does_not_notify_again(void)
{
    open_at(0, UINT32_MAX);
    put(&front, 0);
    CU_ASSERT_TRUE(ring_publish(&front));
    put(&front, 1);
    CU_ASSERT_FALSE(ring_publish(&front));
    EQ(ring_pending(&back), 2);
    ring_take(&back, 2);
    put(&front, 2);
    CU_ASSERT_FALSE(ring_publish(&front));      /* not armed: it is awake */
    EQ(ring_pending(&back), 1);
    ring_take(&back, 1);
    CU_ASSERT_TRUE(ring_arm(&back, 1));
    put(&front, 3);
    CU_ASSERT_TRUE(ring_publish(&front));
}

static void arming_fails_when_something_is_there(void)
{
    for (uint32_t start = UINT32_MAX - 2; start != 3; start++) {
        open_at(0, start);
        CU_ASSERT_TRUE(ring_arm(&back, 1));
        EQ(shared->req_event, start + 1);
        put(&front, 0);
        CU_ASSERT_TRUE(ring_publish(&front));
        CU_ASSERT_FALSE(ring_arm(&back, 1));
        EQ(ring_pending(&back), 1);
        CU_ASSERT_FALSE(ring_arm(&back, 1));    /* seen is not taken */
        ring_take(&back, 1);
        CU_ASSERT_TRUE(ring_arm(&back, 1));
        EQ(shared->req_event, start + 2);
    }
}

static void arming_for_several_waits_for_that_many(void)
{
    for (uint32_t start = UINT32_MAX - 5; start != 3; start++) {
        open_at(0, start);
        send_and_take(8);
        CU_ASSERT_TRUE(ring_arm(&front, 4));
        for (uint32_t i = 0; i < 8; i++) {
            put(&back, i);
            EQ(ring_publish(&back), i == 3);
            EQ(ring_arm(&front, 4), i < 3);
        }
        EQ(ring_pending(&front), 8);
    }
}

/* ---- indices that cannot be ---- */

static void expect_bad(struct ring *r, uint32_t index)
{
    struct ring before = *r;

    EQ(ring_pending(r), -EPROTO);
    EQ(r->bad_index, index);
    EQ(r->in, before.in);
    EQ(r->in_seen, before.in_seen);
    EQ(r->out, before.out);
}

static void requests_beyond_the_slots_are_impossible(void)
{
    for (uint32_t order = 0; order <= VSOCKIF_MAX_RING_PAGE_ORDER; order++)
        for (uint32_t start = UINT32_MAX - 1; start != 2; start++) {
            uint32_t n = 32u << order;

            open_at(order, start);
            shared->req_prod = start + n;
            EQ(ring_pending(&back), n);
            shared->req_prod = start + n + 1;
            expect_bad(&back, start + n + 1);
            shared->req_prod = start + 0x80000000u;
            expect_bad(&back, start + 0x80000000u);
        }
}

static void requests_taken_but_not_answered_still_count(void)
{
    uint32_t start = UINT32_MAX - 10;

    open_at(0, start);
    send_and_take(20);
    shared->req_prod = start + 32;
    EQ(ring_pending(&back), 12);
    shared->req_prod = start + 33;
    expect_bad(&back, start + 33);
    put(&back, 0);                              /* answered, but the guest cannot know yet */
    expect_bad(&back, start + 33);
    ring_publish(&back);
    EQ(ring_pending(&back), 13);
}

static void responses_beyond_what_was_asked_are_impossible(void)
{
    for (uint32_t start = UINT32_MAX - 4; start != 3; start++) {
        open_at(0, start);
        shared->rsp_prod = start + 1;
        expect_bad(&front, start + 1);
        shared->rsp_prod = start;
        put(&front, 0);
        put(&front, 1);
        shared->rsp_prod = start + 1;           /* filled is not published: it could not know of them */
        expect_bad(&front, start + 1);
        ring_publish(&front);
        EQ(ring_pending(&front), 1);
        shared->rsp_prod = start + 2;
        EQ(ring_pending(&front), 2);
        ring_take(&front, 2);
        shared->rsp_prod = start + 3;
        expect_bad(&front, start + 3);
        shared->rsp_prod = start + 2 + 0x80000000u;
        expect_bad(&front, start + 2 + 0x80000000u);
    }
}

static void an_index_that_goes_back_is_impossible(void)
{
    for (int s = 0; s < 2; s++)
        for (uint32_t start = UINT32_MAX - 6; start != 3; start++) {
            struct ring *r = s ? &back : &front;
            uint32_t *prod = s ? &shared->req_prod : &shared->rsp_prod;

            open_at(0, start);
            for (uint32_t i = 0; i < 8; i++)
                put(&front, i);
            ring_publish(&front);
            *prod = start + 5;
            EQ(ring_pending(r), 5);
            *prod = start + 4;                  /* a slot that was promised and may have been read */
            expect_bad(r, start + 4);
            ring_take(r, 2);
            expect_bad(r, start + 4);
            *prod = start + 2;                  /* even to exactly what was taken */
            expect_bad(r, start + 2);
            *prod = start + 1;
            expect_bad(r, start + 1);
            *prod = start - 1;
            expect_bad(r, start - 1);
            *prod = start + 5;
            EQ(ring_pending(r), 3);
        }
}

static void nobody_sleeps_on_an_impossible_index(void)
{
    open_at(0, 50);
    shared->req_prod = 51 + 32;
    CU_ASSERT_FALSE(ring_arm(&back, 1));
    shared->req_prod = 49;
    CU_ASSERT_FALSE(ring_arm(&back, 1));
    shared->rsp_prod = 51;
    CU_ASSERT_FALSE(ring_arm(&front, 1));
}

/* ---- everything at once, against arithmetic that does not wrap ---- */

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

static void random_walks_agree_with_64_bit_counters(void)
{
    for (uint32_t order = 0; order <= VSOCKIF_MAX_RING_PAGE_ORDER; order++)
        for (uint32_t seed = 1; seed <= 8; seed++) {
            uint32_t n = 32u << order, start = seed % 2 ? UINT32_MAX - 3000 : UINT32_MAX - n / 2;
            /* counted from 0: put and published by each end, taken by each end */
            uint64_t put_by[2] = { 0 }, shown[2] = { 0 }, taken[2] = { 0 }, armed[2] = { 1, 1 };

            random_state = seed * 7919 + order;
            open_at(order, start);
            for (int step = 0; step < 20000; step++) {
                int s = (int)random_below(2);
                struct ring *r = s ? &back : &front;
                uint64_t room = s ? taken[1] - put_by[1] : n + taken[0] - put_by[0], waiting = shown[!s] - taken[s];
                uint32_t count = random_below(n) + 1;

                EQ(ring_room(r), room);
                switch (random_below(4)) {
                case 0:
                    for (uint32_t i = 0; i < count && i < room; i++)
                        put(r, (uint32_t)put_by[s]++ ^ (s ? 0x5a5a0000u : 0));
                    break;
                case 1: {
                    bool notify = armed[!s] > shown[s] && armed[!s] <= put_by[s];

                    EQ(ring_publish(r), notify);
                    shown[s] = put_by[s];
                    break;
                }
                case 2:
                    EQ(ring_pending(r), waiting);
                    for (uint32_t i = 0; i < count && i < waiting; i++) {
                        EQ(get(r, 0), (uint32_t)taken[s]++ ^ (s ? 0 : 0x5a5a0000u));
                        ring_take(r, 1);
                    }
                    break;
                default:
                    EQ(ring_arm(r, count), waiting < count);
                    armed[s] = taken[s] + count;
                    break;
                }
                if (CU_get_number_of_failures())
                    return;
            }
            REQUIRE(put_by[1] > 3000);          /* the walk went somewhere, past the corner */
        }
}

static const struct test tests[] = {
    TEST(the_frontend_sets_both_events_and_nothing_else),
    TEST(the_backend_writes_nothing_when_it_attaches),
    TEST(each_order_has_its_slots_and_they_stay_in_the_pages),
    TEST(the_two_ends_use_the_two_halves_of_the_header),
    TEST(what_is_put_is_not_seen_before_it_is_published),
    TEST(a_copied_slot_does_not_change_when_the_peer_changes_the_page),
    TEST(the_front_has_room_again_when_it_took_the_response),
    TEST(publishing_nothing_touches_nothing),
    TEST(responses_come_in_any_order_and_are_told_apart_by_id),
    TEST(notify_if_and_only_if_the_event_was_passed),
    TEST(a_second_publish_before_the_peer_looked_does_not_notify_again),
    TEST(arming_fails_when_something_is_there),
    TEST(arming_for_several_waits_for_that_many),
    TEST(requests_beyond_the_slots_are_impossible),
    TEST(requests_taken_but_not_answered_still_count),
    TEST(responses_beyond_what_was_asked_are_impossible),
    TEST(an_index_that_goes_back_is_impossible),
    TEST(nobody_sleeps_on_an_impossible_index),
    TEST(random_walks_agree_with_64_bit_counters),
};

int main(int argc, char **argv)
{
    return harness_run("ring", tests, sizeof tests / sizeof *tests, argc, argv);
}
