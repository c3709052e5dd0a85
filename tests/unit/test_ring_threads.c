/* SPDX-License-Identifier: MIT */
/* test_ring_threads.c: two threads that have nothing in common but a ring, a pool and two ports.
 *
 * A port is an eventfd, or a flag to spin on: a descriptor is what the product sleeps on, a flag is so
 * quick that the ends arm and publish at the same moment a thousand times more often.
 * Each end sleeps whenever it has nothing to do, so every item is a chance to lose a wake-up, and a lost
 * one is seen as a sleep that nothing ends.  The words of each buffer carry the number of its packet:
 * a buffer read too early (edge DATA) or filled too early (edge FREE) does not add up, and
 * a thread sanitizer has its say, too. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "harness.h"
#include "ring.h"

#define BUFFER_WORDS 32u
#define MAX_SLOTS    (32u << VSOCKIF_MAX_RING_PAGE_ORDER)
#define STOP         UINT32_MAX

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ITEMS 60000u
#else
#define ITEMS 300000u
#endif

/* As an event channel, it coalesces. */
struct port {
    int fd;                             /* -1: spin on the flag */
    atomic_bool pending;
    uint64_t slept, notified;
};

struct exchange {
    uint8_t *pages;
    uint32_t *pool;                     /* a buffer of BUFFER_WORDS for each id */
    uint32_t order, items;
    uint32_t in_flight;                 /* at most, for the frontend */
    bool data_comes_back;               /* the backend fills the buffers (as in the rx ring) */
    struct port front, back;            /* front wakes the frontend */
    _Atomic(const char *) wrong;        /* the first thing that was */
};

static void fail(struct exchange *x, const char *what)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&x->wrong, &none, what);
}

static void notify(struct port *p)
{
    uint64_t one = 1;

    p->notified++;
    if (p->fd < 0)
        atomic_store_explicit(&p->pending, true, memory_order_release);
    else if (write(p->fd, &one, sizeof one) < 0)
        abort();
}

/* False when nobody came in time. */
static bool sleep_until_notified(struct port *p)
{
    struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
    uint64_t n, deadline = 0;

    p->slept++;
    if (p->fd >= 0)
        return poll(&pfd, 1, PATIENCE_MS) == 1 && read(p->fd, &n, sizeof n) == sizeof n;
    for (n = 0; !atomic_load_explicit(&p->pending, memory_order_acquire); n++)
        if (n % 4096 == 4095) {
            deadline = deadline ? deadline : clock_now_ms() + PATIENCE_MS;
            if (clock_now_ms() > deadline)
                return false;
            sched_yield();
        }
    atomic_store_explicit(&p->pending, false, memory_order_seq_cst);
    return true;
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
            notify(&x->front);
        if (!n && ring_arm(&r, 1) && !sleep_until_notified(&x->back))
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
            notify(&x->back);
        waits = sent - received;
        if (waits && (sent == x->items || !n) && ring_arm(r, 1 + next_random(&random) % waits) &&
            !sleep_until_notified(&x->front))
            fail(x, "front: not woken up");
    }
}

static void exchange(struct exchange x, bool spin)
{
    struct vsockif_slot stop = { .id = STOP };
    struct ring front;
    pthread_t thread;

    x.pages = aligned_alloc(4096, (size_t)VSOCKIF_PAGE_SIZE << x.order);
    x.pool = calloc(x.in_flight, BUFFER_WORDS * sizeof *x.pool);
    x.front.fd = spin ? -1 : eventfd(0, EFD_CLOEXEC);
    x.back.fd = spin ? -1 : eventfd(0, EFD_CLOEXEC);
    REQUIRE(x.pages && x.pool && (spin || (x.front.fd >= 0 && x.back.fd >= 0)));
    memset(x.pages, 0, (size_t)VSOCKIF_PAGE_SIZE << x.order);
    ring_init(&front, RING_FRONT, x.pages, x.order);
    REQUIRE(pthread_create(&thread, NULL, run_back, &x) == 0);
    run_front(&x, &front);
    ring_put(&front, &stop);
    (void)ring_publish(&front);
    notify(&x.back);
    pthread_join(thread, NULL);
    if (x.wrong)
        printf("  %s\n", (const char *)x.wrong);
    CU_ASSERT_PTR_NULL((const char *)x.wrong);
    printf("# %u items, %u in flight: front slept %llu, was notified %llu; back slept %llu, was notified %llu\n", x.items,
           x.in_flight, (unsigned long long)x.front.slept, (unsigned long long)x.front.notified,
           (unsigned long long)x.back.slept, (unsigned long long)x.back.notified);
    CU_ASSERT_TRUE(x.front.slept > 0 && x.back.slept > 0);      /* or nothing was proved */
    CU_ASSERT_TRUE(x.front.notified <= x.items && x.back.notified <= x.items + 1);
    if (!spin) {
        close(x.front.fd);
        close(x.back.fd);
    }
    free(x.pages);
    free(x.pool);
}

static void one_at_a_time_sleeps_every_time(void)
{
    exchange((struct exchange){ .items = ITEMS / 6, .in_flight = 1 }, false);
}

static void a_full_ring_both_ways(void)
{
    exchange((struct exchange){ .items = ITEMS, .in_flight = 31 }, false);
}

static void a_large_ring_both_ways(void)
{
    exchange((struct exchange){ .order = 4, .items = ITEMS, .in_flight = 511 }, false);
}

static void a_few_in_flight_meet_in_the_middle(void)
{
    exchange((struct exchange){ .items = ITEMS, .in_flight = 3 }, false);
}

static void buffers_that_the_backend_fills(void)
{
    exchange((struct exchange){ .items = ITEMS, .in_flight = 4, .data_comes_back = true }, false);
    exchange((struct exchange){ .order = 1, .items = ITEMS, .in_flight = 60, .data_comes_back = true }, false);
}

static void arming_and_publishing_at_the_same_moment(void)
{
    exchange((struct exchange){ .items = ITEMS, .in_flight = 2 }, true);
    exchange((struct exchange){ .items = ITEMS, .in_flight = 3, .data_comes_back = true }, true);
}

static const struct test tests[] = {
    TEST(one_at_a_time_sleeps_every_time),
    TEST(a_full_ring_both_ways),
    TEST(a_large_ring_both_ways),
    TEST(a_few_in_flight_meet_in_the_middle),
    TEST(buffers_that_the_backend_fills),
    TEST(arming_and_publishing_at_the_same_moment),
};

int main(int argc, char **argv)
{
    return harness_run("ring, two threads", tests, sizeof tests / sizeof *tests, argc, argv);
}
