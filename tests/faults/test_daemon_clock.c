/* SPDX-License-Identifier: MIT */
/* test_daemon_clock.c: the whole daemon on a mocked host (tests/mock), in the test's own time: what takes its time, and what happens
 * only when several things meet.
 *
 * A guest that stands still does so exactly as long as the test wants, and ten minutes pass at once. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "host.h"
#include "mock.h"
#include "process.h"
#include "world.h"

#define A 1u                    /* domids */
#define B 2u

#define PIECE 16384u

static struct front a, b;
static struct host_end h, k, w;
static int listener = -1;

/* ---- around a test ---- */

static void start(const char *settings)
{
    char text[300];

    process_count();
    world_new();
    snprintf(text, sizeof text, "[daemon]\nspin_us = 0\nguest_to_guest = yes\n%s", settings);
    world_settings(text);
    host_end_init(&h);
    host_end_init(&k);
    host_end_init(&w);
    front_init(&a, A, 0);
    front_init(&b, B, 0);
    a.pool_pages = 64;
    a.buffer = 4096;
    b.pool_pages = 1;
    b.buffer = 64;
    world_appear(A, "a");
    world_appear(B, "b");
    MOCK_MUST(world_daemon(), "it does not start: %s", process_log());
}

static void connect_both(void)
{
    MOCK_MUST(front_connect(&a) && front_connect(&b), "the guests do not connect: %s", process_log());
}

/* It stops in order, and leaves nothing. */
static void stop(void)
{
    host_close(&h);
    host_close(&k);
    host_close(&w);
    host_unlisten(listener);
    listener = -1;
    MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    EQ(process_status(), 0);
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    front_die(&a);
    front_die(&b);
    world_over();
}

static void kick_one(struct front *f)
{
    front_kick(f);
    process_rest();
}

static void kick(void)
{
    front_kick(&a);
    kick_one(&b);
}

/* The guest's program takes whatever comes and has come. */
static void take_all(struct front *f, struct conn *c, uint32_t alloc)
{
    for (int i = 0; i < 64; i++) {
        uint64_t before = f->packets;

        front_take(f, FRONT_SLOTS);
        front_consume(f, c, UINT32_MAX, alloc);
        kick_one(f);
        if (f->packets == before)
            return;
    }
}

static bool is_over(const struct conn *c)
{
    return c->state == CONN_FREE;
}

/* Its end came behind all data, and was no reset. */
static bool ended_in_order(const struct conn *c)
{
    return c->peer_shut & VSOCKIF_SHUTDOWN_SEND;
}

/* ---- from guest to guest, when the sender is gone ---- */

static struct conn *from, *to;

/* b has so many buffers as hold 2 KiB, and takes nothing from now on. */
static void open_relayed(void)
{
    connect_both();
    from = front_open(&a, b.cid, 77, 65536);
    kick();
    front_take(&b, FRONT_SLOTS);
    to = &b.conn[0];
    MOCK_MUST(front_answer(&b, to, 65536), "b is not asked");
    kick();
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(from->state == CONN_OPEN, "a is not answered");
}

/* a's program sends all of it, and ends in order. */
static void send_relayed(uint32_t bytes)
{
    uint32_t sent = 0;

    while (sent < bytes) {
        uint32_t n = front_send(&a, from, bytes - sent < PIECE ? bytes - sent : PIECE);

        MOCK_MUST(n, "%u bytes of %u are taken", sent, bytes);
        sent += n;
        kick();
        front_take(&a, FRONT_SLOTS);
    }
    front_shutdown(&a, from, VSOCKIF_SHUTDOWN_SEND);
    kick();
}

/* As a process that dies. */
static void a_goes(void)
{
    front_die(&a);
    front_state(&a, "5");
    process_pass(100);
    MOCK_MUST(!mock_mappings(A), "its pages are still mapped");
}

static void what_a_guest_sent_reaches_the_other_when_it_is_gone(void)
{
    start("");
    open_relayed();
    send_relayed(60000);
    a_goes();
    CU_ASSERT_TRUE(to->rx < 10000);
    take_all(&b, to, 65536);
    EQ(to->rx, 60000);
    CU_ASSERT_TRUE(ended_in_order(to));
    CU_ASSERT_TRUE(to->peer_shut & VSOCKIF_SHUTDOWN_RCV);       /* nobody would take an answer */
    stop();
}

/* Its program takes back what it had promised: the rest waits for the credit of each step. */
static void what_is_left_of_a_guest_keeps_to_the_others_credit(void)
{
    start("");
    open_relayed();
    send_relayed(60000);
    a_goes();
    while (to->rx < 60000) {
        uint32_t before = to->rx;

        take_all(&b, to, 3000);
        CU_ASSERT_TRUE_FATAL(to->rx > before);
    }
    take_all(&b, to, 3000);
    EQ(to->rx, 60000);
    CU_ASSERT_TRUE(ended_in_order(to));
    stop();
}

/* b's program stands still: at last its stream is reset, and it knows that this was not all. */
static void what_is_left_of_a_guest_is_given_up_in_time(void)
{
    start("farewell_seconds = 30\n");
    open_relayed();
    send_relayed(60000);
    a_goes();
    process_pass(29000);
    CU_ASSERT_PTR_NULL(strstr(process_log(), "given up"));
    process_pass(2000);
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "given up"));
    take_all(&b, to, 65536);
    CU_ASSERT_TRUE(is_over(to) && !ended_in_order(to));
    CU_ASSERT_TRUE(to->rx < 10000);
    stop();
}

/* A reader that takes a little now and then is waited for, however long it takes. */
static void a_reader_that_takes_something_is_waited_for(void)
{
    start("farewell_seconds = 30\n");
    open_relayed();
    send_relayed(60000);
    a_goes();
    for (int i = 0; i < 10; i++) {
        process_pass(29000);
        front_take(&b, 4);
        kick();
    }
    CU_ASSERT_PTR_NULL(strstr(process_log(), "given up"));
    take_all(&b, to, 65536);
    EQ(to->rx, 60000);
    CU_ASSERT_TRUE(ended_in_order(to));
    stop();
}

/* What a's streams have left to host programs fills its account: they have read so much that their streams were promised all that
 * there is, then they stand still, and a sends on, ends in order and goes. */
static void fill_account(void)
{
    struct host_end *end[] = { &h, &k, &w };
    struct conn *c[3];

    connect_both();
    listener = host_listen("guest/a", 5000);
    for (int i = 0; i < 3; i++) {
        c[i] = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536);
        kick();
        front_take(&a, FRONT_SLOTS);
        MOCK_MUST(host_accept(end[i], listener, 1), "nobody came");
    }
    for (int i = 0; i < 400; i++)
        for (int j = 0; j < 3; j++) {
            front_send(&a, c[j], PIECE);
            kick_one(&a);       /* b would be one that cries wolf, and be looked at more seldom */
            front_take(&a, FRONT_SLOTS);
            if (i < 200)
                host_read(end[j], UINT32_MAX);
        }
    for (int j = 0; j < 3; j++)
        front_shutdown(&a, c[j], VSOCKIF_SHUTDOWN_SEND);
    kick();
    a_goes();
    MOCK_MUST(strstr(process_log(), "are lost"), "there is more room than that");
    process_log_clear();
}

/* The account of the guest that is gone is as full as it may be: what fits is delivered, and then comes a reset, no end in order. */
static void a_part_of_what_is_left_is_no_whole(void)
{
    start("held_spill_bytes = 262144\n");
    fill_account();
    open_relayed();
    send_relayed(16000);
    a_goes();
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "are lost"));
    take_all(&b, to, 65536);
    CU_ASSERT_TRUE(is_over(to) && !ended_in_order(to));
    CU_ASSERT_TRUE(to->rx < 16000);
    stop();
}

/* b's program has closed, or b is gone too: nothing is left of it. */
static void the_reader_of_what_is_left_may_go_first(void)
{
    start("");
    open_relayed();
    send_relayed(60000);
    a_goes();
    front_reset(&b, to);
    kick();
    process_pass(1000);
    CU_ASSERT_TRUE(front_connect(&a));
    stop();
    start("");
    open_relayed();
    send_relayed(60000);
    a_goes();
    front_die(&b);
    front_state(&b, "5");
    process_pass(1000);
    CU_ASSERT_TRUE(front_connect(&a) && front_connect(&b));
    stop();
}

static void a_daemon_that_stops_resets_what_is_left_of_a_guest(void)
{
    start("");
    open_relayed();
    send_relayed(60000);
    a_goes();
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_a_guest_sent_reaches_the_other_when_it_is_gone),
        TEST(what_is_left_of_a_guest_keeps_to_the_others_credit),
        TEST(what_is_left_of_a_guest_is_given_up_in_time),
        TEST(a_reader_that_takes_something_is_waited_for),
        TEST(a_part_of_what_is_left_is_no_whole),
        TEST(the_reader_of_what_is_left_may_go_first),
        TEST(a_daemon_that_stops_resets_what_is_left_of_a_guest),
    };
    int err;

    world_open();
    process_is_loud = getenv("XVS_LOUD");
    setvbuf(stdout, NULL, _IOLBF, 0);
    err = harness_run("daemon: in the test's time", tests, sizeof tests / sizeof *tests, argc, argv);
    world_close();
    return err;
}
