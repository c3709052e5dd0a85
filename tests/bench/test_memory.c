/* SPDX-License-Identifier: MIT */
/* test_memory.c: bytes of memory for each guest and each idle connection, at both ends, counted on the heap.
 *
 * The library and the daemon share this process (joined.h), so the heap's growth is that of both; what each says of
 * itself (xvs_get_stats(), the daemon's "stats") divides it, and may not be less than what is gone.  The figures
 * asserted here are those that the README states: change them together. */
#include <stdio.h>

#include "bridge.h"
#include "harness.h"
#include "joined.h"
#include "xvs.h"

#define PER_CONNECTION  512u            /* bytes at each end, data that waits left aside */
#define PER_GUEST       (32u << 10)    /* bytes in the daemon for a guest that is connected */
#define PER_DEVICE      (40u << 10)    /* bytes in the library, shared pages left aside */
#define SHARED          (2000u << 10)   /* bytes of shared pages for a device with default pools */
#define CONNECTIONS     10000u
#define DISCARD         9u

static uint64_t next_cid = 3;

static uint64_t library_bytes(const struct xvs *x)
{
    struct xvs_stats stats = { .size = sizeof stats };

    xvs_get_stats(x, &stats);
    return stats.memory;
}

static struct xvs_stream *open_one(struct xvs *x)
{
    struct xvs_stream *s = NULL;
    struct xvs_event ev;

    REQUIRE(xvs_connect(x, XVS_CID_HOST, DISCARD, &s) == 0);
    joined_settle();
    REQUIRE(xvs_next_event(x, &ev) && ev.what == XVS_EVENT_OPEN);
    return s;
}

/* A doubling of some array just before makes the most bytes for each, so it is looked at there, too. */
static void an_idle_connection_costs_at_most_512_bytes_at_each_end(void)
{
    struct xvs *x = joined_open(next_cid);
    struct lane *lane = joined_lane(next_cid++);
    double most_front = 0, most_back = 0, front = 0, back = 0, heap = 0;
    uint64_t front_before, back_before;
    size_t heap_before;

    open_one(x);                /* what the first needs alone is the device's */
    heap_before = joined_heap();
    front_before = library_bytes(x);
    back_before = vmux_memory(lane->mux);
    for (uint32_t n = 1; n <= CONNECTIONS; n++) {
        open_one(x);
        if (n < 1000 || (n != CONNECTIONS && n % 64))
            continue;
        front = (double)(library_bytes(x) - front_before) / n;
        back = (double)(vmux_memory(lane->mux) - back_before) / n;
        heap = (double)(joined_heap() - heap_before) / n;
        most_front = front > most_front ? front : most_front;
        most_back = back > most_back ? back : most_back;
    }
    printf("    %u idle connections: library %.0f bytes each, daemon %.0f (at worst %.0f and %.0f); records of %zu and %zu; "
           "on the heap %.0f for both\n",
           CONNECTIONS, front, back, most_front, most_back, front_record_size(), sizeof(struct bridge), heap);
    CU_ASSERT_TRUE(most_front <= PER_CONNECTION);
    CU_ASSERT_TRUE(most_back <= PER_CONNECTION);
    CU_ASSERT_TRUE(heap <= (front + back) * 1.02 + 8);
}

static void a_guest_costs_the_daemon_and_a_device_the_library_no_more_than_stated(void)
{
    struct xvs *x;
    size_t before = joined_heap(), after;
    uint64_t private_bytes, shared, guest;

    x = joined_open(next_cid);
    after = joined_heap();
    shared = front_shared(x);
    private_bytes = library_bytes(x) - shared;
    guest = after - before - private_bytes;
    printf("    a guest: daemon %llu bytes (device record %zu, table %zu); library %llu bytes, and %llu of shared pages\n",
           (unsigned long long)guest, joined_guest_record(), vmux_memory(joined_lane(next_cid)->mux),
           (unsigned long long)private_bytes, (unsigned long long)shared);
    next_cid++;
    CU_ASSERT_TRUE(guest <= PER_GUEST);
    CU_ASSERT_TRUE(private_bytes <= PER_DEVICE);
    CU_ASSERT_TRUE(shared <= SHARED);
}

static void traffic_and_connections_that_come_and_go_take_nothing_from_the_heap(void)
{
    static char buf[65536];
    struct xvs *x = joined_open(next_cid++);
    struct xvs_stream *s = open_one(x);
    size_t before = 0;

    for (uint32_t n = 0; n < 3000; n++) {
        if (n == 500)
            before = joined_heap();
        REQUIRE(xvs_send(s, buf, sizeof buf, 0) > 0);
        xvs_stream_close(open_one(x));
        joined_settle();
    }
    EQ(joined_heap(), before);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_idle_connection_costs_at_most_512_bytes_at_each_end),
        TEST(a_guest_costs_the_daemon_and_a_device_the_library_no_more_than_stated),
        TEST(traffic_and_connections_that_come_and_go_take_nothing_from_the_heap),
    };

    return harness_run("memory", tests, sizeof tests / sizeof *tests, argc, argv);
}
