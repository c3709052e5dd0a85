/* SPDX-License-Identifier: MIT */
/* test_ring_threads.c: two threads that have nothing in common but a ring, a pool and two descriptors.
 *
 * Each end sleeps in poll() whenever it has nothing to do, so every item is a chance to lose a wake-up, and a lost
 * one is seen as a poll() that nothing ends.  The words of each buffer carry the number of its packet:
 * a buffer read too early (edge DATA) or filled too early (edge FREE) does not add up, and
 * a thread sanitizer has its say, too. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"
#include "ring.h"

#define DEADLINE_MS  20000      /* far beyond any scheduling delay: who waits this long waits for ever */
#define BUFFER_WORDS 32u
#define MAX_SLOTS    (32u << VSOCKIF_MAX_RING_PAGE_ORDER)
#define STOP         UINT32_MAX

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ITEMS 60000u
#else
#define ITEMS 300000u
#endif

struct exchange {
    uint8_t *pages;
    uint32_t *pool;                     /* a buffer of BUFFER_WORDS for each id */
    uint32_t order, items;
    uint32_t in_flight;                 /* at most, for the frontend */
    bool data_comes_back;               /* the backend fills the buffers (as in the rx ring) */
    int wakes_front, wakes_back;        /* eventfds: as an event channel, they coalesce */
    uint64_t front_slept, back_slept, front_notified, back_notified;
    _Atomic(const char *) wrong;        /* the first thing that was */
};

static void fail(struct exchange *x, const char *what)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&x->wrong, &none, what);
}

static void notify(int fd, uint64_t *count)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof one) < 0)
        abort();
    ++*count;
}

/* False when nobody came in time. */
static bool sleep_until_notified(int fd, uint64_t *slept)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint64_t n;

    ++*slept;
    return poll(&p, 1, DEADLINE_MS) == 1 && read(fd, &n, sizeof n) == sizeof n;
}

static void fill(struct exchange *x, uint32_t id, uint32_t number)
{
    for (uint32_t i = 0; i < BUFFER_WORDS; i++)
        x->pool[id * BUFFER_WORDS + i] = number + i;
}

static bool is_filled_with(const struct exchange *x, uint32_t id, uint32_t number)
{
    for (uint32_t i = 0; i < BUFFER_WORDS; i++)
        if (x->pool[id * BUFFER_WORDS + i] != number + i)
            return false;
    return true;
}

static uint32_t next_random(uint32_t *state)
{
    return (*state = *state * 1664525 + 1013904223) >> 16;
}

/* Takes requests, keeps a few, answers them in another order. */
static void *run_back(void *arg)
{
    struct exchange *x = arg;
    struct vsockif_slot held[MAX_SLOTS];
    uint32_t n = 0, random = 99;
    struct ring r;

    ring_init(&r, RING_BACK, x->pages, x->order);
    while (!x->wrong) {
        int pending = ring_pending(&r);

        if (pending < 0)
            fail(x, "back: impossible index");
        for (int i = 0; i < pending; i++) {
            ring_get(&r, 0, &held[n]);
            ring_take(&r, 1);
            if (held[n].id == STOP)
                return NULL;
            if (!x->data_comes_back && !is_filled_with(x, held[n].id, held[n].size))
                fail(x, "back: a buffer read before it was filled, or filled while it was read");
            n++;
        }
        for (uint32_t left = pending ? next_random(&random) % (n + 1) : n; left; left--) {
            uint32_t at = next_random(&random) % n;

            if (x->data_comes_back)
                fill(x, held[at].id, held[at].size);
            ring_put(&r, &held[at]);
            held[at] = held[--n];
        }
        if (ring_publish(&r))
            notify(x->wakes_front, &x->back_notified);
        if (!n && ring_arm(&r, 1) && !sleep_until_notified(x->wakes_back, &x->back_slept))
            fail(x, "back: not woken up");
    }
    return NULL;
}

static void run_front(struct exchange *x, struct ring *r)
{
    uint32_t sent = 0, received = 0, free_ids[MAX_SLOTS], n = 0, number[MAX_SLOTS] = { 0 }, random = 7;
    struct vsockif_slot slot;

    for (uint32_t id = 0; id < x->in_flight; id++)
        free_ids[n++] = id;
    while (received < x->items && !x->wrong) {
        int pending = ring_pending(r);
        uint32_t batch = n ? next_random(&random) % n + 1 : 0, waits;

        if (pending < 0)
            fail(x, "front: impossible index");
        for (int i = 0; i < pending; i++) {
            ring_get(r, (uint32_t)i, &slot);
            if (slot.id >= x->in_flight || !number[slot.id] || slot.size != number[slot.id])
                fail(x, "front: a response that was not asked for");
            else if (x->data_comes_back && !is_filled_with(x, slot.id, slot.size))
                fail(x, "front: a buffer read before it was filled, or filled while it was read");
            else
                number[slot.id] = 0;
            free_ids[n++ % MAX_SLOTS] = slot.id;
            received++;
        }
        if (pending > 0)
            ring_take(r, (uint32_t)pending);
        for (; batch && n && sent < x->items && !x->wrong; batch--) {
            slot = (struct vsockif_slot){ .id = free_ids[--n], .size = ++sent };
            number[slot.id] = sent;
            if (!x->data_comes_back)
                fill(x, slot.id, sent);
            ring_put(r, &slot);
        }
        if (ring_publish(r))
            notify(x->wakes_back, &x->front_notified);
        waits = sent - received;
        if (waits && (sent == x->items || !n) && ring_arm(r, 1 + next_random(&random) % waits) &&
            !sleep_until_notified(x->wakes_front, &x->front_slept))
            fail(x, "front: not woken up");
    }
}

static void exchange(uint32_t order, uint32_t items, uint32_t in_flight, bool data_comes_back)
{
    struct exchange x = { .order = order, .items = items, .in_flight = in_flight, .data_comes_back = data_comes_back };
    struct vsockif_slot stop = { .id = STOP };
    struct ring front;
    pthread_t thread;

    x.pages = aligned_alloc(4096, (size_t)VSOCKIF_PAGE_SIZE << order);
    x.pool = calloc(in_flight, BUFFER_WORDS * sizeof *x.pool);
    x.wakes_front = eventfd(0, EFD_CLOEXEC);
    x.wakes_back = eventfd(0, EFD_CLOEXEC);
    REQUIRE(x.pages && x.pool && x.wakes_front >= 0 && x.wakes_back >= 0);
    memset(x.pages, 0, (size_t)VSOCKIF_PAGE_SIZE << order);
    ring_init(&front, RING_FRONT, x.pages, order);
    REQUIRE(pthread_create(&thread, NULL, run_back, &x) == 0);
    run_front(&x, &front);
    ring_put(&front, &stop);
    (void)ring_publish(&front);
    notify(x.wakes_back, &x.front_notified);
    pthread_join(thread, NULL);
    if (x.wrong)
        printf("  %s\n", (const char *)x.wrong);
    CU_ASSERT_PTR_NULL((const char *)x.wrong);
    printf("# %u items, %u in flight: front slept %llu notified %llu, back slept %llu notified %llu\n", items, in_flight,
           (unsigned long long)x.front_slept, (unsigned long long)x.front_notified, (unsigned long long)x.back_slept,
           (unsigned long long)x.back_notified);
    CU_ASSERT_TRUE(x.front_slept > 0 && x.back_slept > 0);      /* or nothing was proved */
    CU_ASSERT_TRUE(x.front_notified <= items + 1 && x.back_notified <= items);
    close(x.wakes_front);
    close(x.wakes_back);
    free(x.pages);
    free(x.pool);
}

static void one_at_a_time_sleeps_every_time(void)
{
    exchange(0, ITEMS / 6, 1, false);
}

static void a_full_ring_both_ways(void)
{
    exchange(0, ITEMS, 31, false);
}

static void a_large_ring_both_ways(void)
{
    exchange(4, ITEMS, 511, false);
}

static void a_few_in_flight_meet_in_the_middle(void)
{
    exchange(0, ITEMS, 3, false);
}

static void buffers_that_the_backend_fills(void)
{
    exchange(0, ITEMS, 4, true);
    exchange(1, ITEMS, 60, true);
}

static const struct test tests[] = {
    TEST(one_at_a_time_sleeps_every_time),
    TEST(a_full_ring_both_ways),
    TEST(a_large_ring_both_ways),
    TEST(a_few_in_flight_meet_in_the_middle),
    TEST(buffers_that_the_backend_fills),
};

int main(int argc, char **argv)
{
    return harness_run("ring, two threads", tests, sizeof tests / sizeof *tests, argc, argv);
}
