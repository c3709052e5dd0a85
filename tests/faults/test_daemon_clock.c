/* SPDX-License-Identifier: MIT */
/* test_daemon_clock.c: the whole daemon on a mocked host (tests/mock), in the test's own time: what takes its time, and what happens
 * only when several things meet.
 *
 * A guest that stands still does so exactly as long as the test wants, and ten minutes pass at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
static struct host_end h, k, w, admin;
static int listener = -1;
static bool warm;               /* libraries have allocated what they allocate once and keep */

/* ---- around a test ---- */

static void close_all(void)
{
    host_close(&h);
    host_close(&k);
    host_close(&w);
    host_close(&admin);
    host_unlisten(listener);
    listener = -1;
    mock_on_call = NULL;
}

static void clear(void)
{
    front_die(&a);
    front_die(&b);
    world_over();
}

static void start(const char *settings)
{
    char text[300];

    if (process_is_running()) {         /* of a test that ended early */
        close_all();
        process_end();
        clear();
    }
    process_count();
    world_new();
    snprintf(text, sizeof text, "[daemon]\nspin_us = 0\n%s", settings);
    world_settings(text);
    world_policy(WORLD_OPEN);
    host_end_init(&h);
    host_end_init(&k);
    host_end_init(&w);
    host_end_init(&admin);
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
    close_all();
    MOCK_MUST(process_end() && !process_status(), "it does not stop in order: %s", process_log());
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    clear();
    /* What failed is kept by CUnit, in memory of this process. */
    MOCK_MUST(!warm || CU_get_number_of_failure_records() || !*process_left_over(), "left over: %s", process_left_over());
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

/* ---- what the policy refuses ---- */

static void calls_and_is_refused(uint64_t cid, uint32_t port)
{
    struct conn *c = front_open(&a, cid, port, 4096);

    MOCK_MUST(c, "a has no room for one more");
    kick_one(&a);
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(is_over(c), "a is not refused");
}

static int count_in_log(const char *text)
{
    int n = 0;

    for (const char *at = process_log(); (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* One line at once, and then one a second with a count, for as long as it goes on. */
static void a_pair_that_is_refused_is_told_once_a_second(void)
{
    static const char first[] = "may not reach guest b (domid 2): port ", again[] = "may not reach guest b (domid 2): refused ";

    start("");
    world_policy("* @any @unix deny\n* @unix @any allow\n");
    raise(SIGHUP);
    connect_both();
    for (uint32_t i = 0; i < 10; i++)
        calls_and_is_refused(b.cid, 50 + i);
    EQ(count_in_log(first), 1);
    EQ(count_in_log("port 50: no line of the policy allows it"), 1);
    calls_and_is_refused(VSOCKIF_CID_HOST, 60);         /* another pair */
    EQ(count_in_log("may not reach the host: port 60: "), 1);
    process_pass(990);
    EQ(count_in_log(again), 0);
    process_pass(20);
    EQ(count_in_log("may not reach guest b (domid 2): refused 9 times more"), 1);
    EQ(count_in_log("may not reach the host: refused"), 0);
    calls_and_is_refused(b.cid, 70);
    EQ(count_in_log(first), 1);
    process_pass(1010);
    EQ(count_in_log("may not reach guest b (domid 2): refused 1 times more"), 1);
    /* A second without any, and it is news again. */
    process_pass(1010);
    EQ(count_in_log(again), 2);
    calls_and_is_refused(b.cid, 80);
    EQ(count_in_log(first), 2);
    /* What has not been told is told when it ends. */
    calls_and_is_refused(b.cid, 80);
    stop();
    EQ(count_in_log(again), 3);
}

/* ---- who comes and goes ---- */

/* Its program gives the device up. */
static void leave(struct front *f)
{
    front_die(f);
    front_state(f, "5");
    process_pass(100);
}

/* A short command in a guest is no news; a guest that stays is, once it does, and then that it has left. */
static void a_guest_that_comes_for_a_moment_has_no_line(void)
{
    start("");
    for (int i = 0; i < 3; i++) {
        connect_both();
        leave(&a);
        leave(&b);
    }
    EQ(count_in_log("connected"), 0);
    MOCK_MUST(front_connect(&b), "b does not connect: %s", process_log());
    process_pass(3900);
    EQ(count_in_log("connected"), 0);
    process_pass(1200);
    EQ(count_in_log("connected"), 1);
    EQ(count_in_log("guest b (domid 2): connected, CID "), 1);
    leave(&b);
    EQ(count_in_log("guest b (domid 2): disconnected (left); connections that end: 0"), 1);
    EQ(count_in_log("connected"), 2);
    stop();
}

/* With all that is for debugging it is one line. */
static void a_guest_that_comes_for_a_moment_has_one_line_for_debugging(void)
{
    start("log_level = debug\n");
    for (int i = 0; i < 3; i++) {
        process_log_clear();
        connect_both();
        leave(&a);
        leave(&b);
    }
    EQ(count_in_log("guest a"), 1);
    EQ(count_in_log("guest a (domid 1): it was connected for "), 1);
    EQ(count_in_log(" ms (left); connections that end: 0"), 2);
    stop();
}

/* ---- what the daemon says ---- */

/* A line that came to a client of the guest's socket or of the control socket; "" if none did, or the end. */
static const char *line_of(struct host_end *end)
{
    static char line[4096];
    size_t len = 0;

    while (len + 1 < sizeof line && recv(end->fd, line + len, 1, MSG_DONTWAIT) == 1)
        if (line[len++] == '\n')
            break;
    line[len] = '\0';
    return line;
}

/* The answer to a request at the control socket. */
static const char *answer_to(const char *request)
{
    MOCK_MUST(host_control(&admin), "the control socket is gone");
    host_say(&admin, request, (uint32_t)strlen(request));
    process_rest();
    return line_of(&admin);
}

/* ---- from guest to guest, when the sender is gone ---- */

static struct conn *from, *to;

/* b has so many buffers as hold 2 KiB, and takes nothing from now on. */
static void open_relayed_for(uint32_t alloc)
{
    connect_both();
    from = front_open(&a, b.cid, 77, 65536);
    kick();
    front_take(&b, FRONT_SLOTS);
    to = &b.conn[0];
    MOCK_MUST(front_answer(&b, to, alloc), "b is not asked");
    kick();
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(from->state == CONN_OPEN, "a is not answered");
}

static void open_relayed(void)
{
    open_relayed_for(65536);
}

/* a's program sends all of it, and ends in order.  Its packets' edges are not those of b's buffers. */
static void send_relayed(uint32_t bytes)
{
    const uint32_t piece = PIECE - 1000;
    uint32_t sent = 0;

    while (sent < bytes) {
        uint32_t n = front_send(&a, from, bytes - sent < piece ? bytes - sent : piece);

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
    EQ(front_send(&b, to, 500), 500);
    a_goes();
    EQ(front_send(&b, to, 500), 500);           /* b cannot know yet that nobody takes an answer */
    kick_one(&b);
    front_take(&b, 2 * FRONT_SLOTS);
    kick_one(&b);
    front_take(&b, 1);
    CU_ASSERT_TRUE(to->rx < 10000);
    EQ(to->peer_shut, VSOCKIF_SHUTDOWN_RCV);
    take_all(&b, to, 65536);
    EQ(to->rx, 60000);
    CU_ASSERT_TRUE(ended_in_order(to));
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

/* b's program has taken all there was, and promises no more: it is told when its time is over, and need not ask. */
static void a_reader_without_credit_is_told_when_it_is_given_up(void)
{
    start("farewell_seconds = 30\n");
    open_relayed();
    send_relayed(60000);
    a_goes();
    for (int i = 0; i < 3; i++) {
        front_take(&b, FRONT_SLOTS);
        front_consume(&b, to, UINT32_MAX, 0);
        kick_one(&b);
    }
    CU_ASSERT_TRUE(front_take(&b, FRONT_SLOTS) == 0 && !is_over(to));
    process_pass(31000);
    front_take(&b, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(to) && !ended_in_order(to));
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

static struct conn *to_host[3];

/* a has streams to host programs, and sends on all of them, again and again; they read, or stand still. */
static void send_to_host(int times, bool they_read)
{
    struct host_end *end[] = { &h, &k, &w };

    for (int i = 0; i < times; i++)
        for (int j = 0; j < 3; j++) {
            if (front_send(&a, to_host[j], PIECE))
                kick_one(&a);   /* else it would be one that cries wolf, and be looked at more seldom */
            process_pass(20);
            front_take(&a, FRONT_SLOTS);
            if (they_read)
                host_read(end[j], UINT32_MAX);
        }
}

static void open_to_host(void)
{
    struct host_end *end[] = { &h, &k, &w };

    connect_both();
    listener = host_listen("guest/a", 5000);
    for (int i = 0; i < 3; i++) {
        to_host[i] = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536);
        kick();
        front_take(&a, FRONT_SLOTS);
        MOCK_MUST(host_accept(end[i], listener, 1), "nobody came");
    }
}

/* What a's streams have left to host programs fills its account: they have read so much that their streams were promised all that
 * there is, then they stand still, and a sends on, ends in order and goes. */
static void fill_account(void)
{
    open_to_host();
    send_to_host(200, true);
    send_to_host(200, false);
    for (int j = 0; j < 3; j++)
        front_shutdown(&a, to_host[j], VSOCKIF_SHUTDOWN_SEND);
    kick();
    a_goes();
    MOCK_MUST(strstr(process_log(), "are lost"), "there is more room than that");
    process_log_clear();
}

/* Those whose readers read are promised more than there is memory for; when they all stand still, the guest is told less. */
static void a_stream_whose_reader_stands_still_is_promised_less(void)
{
    uint32_t least = UINT32_MAX, before = UINT32_MAX;

    start("held_spill_bytes = 262144\n");
    open_to_host();
    send_to_host(200, true);
    for (int i = 0; i < 3; i++)
        before = to_host[i]->peer_alloc < before ? to_host[i]->peer_alloc : before;
    send_to_host(200, false);
    for (int i = 0; i < 3; i++)
        least = to_host[i]->peer_alloc < least ? to_host[i]->peer_alloc : least;
    CU_ASSERT_TRUE(before > 2 * 16384);
    EQ(least, 16384);
    stop();
}

/* Its data is moved out of the way of others, too, and its guest still hears what the other guest has promised, not what we could
 * hold. */
static void a_relayed_stream_that_is_moved_out_of_the_way_is_promised_no_more(void)
{
    start("held_spill_bytes = 262144\n");
    open_relayed_for(4096);
    EQ(from->peer_alloc, 4096);
    EQ(front_send(&a, from, PIECE), 4096);
    kick_one(&a);
    open_to_host();
    send_to_host(200, true);
    send_to_host(200, false);
    EQ(from->peer_alloc, 4096);
    CU_ASSERT_PTR_NULL(strstr(answer_to("{\"verb\":\"dump\",\"domain\":\"a\"}\n"), "\"spilled\":0"));
    stop();
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

/* ---- from guest to guest, while both are there ---- */

/* b's buffer is larger than what a's stream was promised here: b need not tell of what it has consumed before half of its own is
 * used, and a could never send so much.  So b is asked. */
static void a_guest_with_the_larger_buffer_is_asked_what_it_has_consumed(void)
{
    uint32_t sent = 0;

    start("held_spill_bytes = 262144\n");
    b.pool_pages = 64;
    b.buffer = 4096;
    open_relayed();
    for (int round = 0; round < 10; round++) {
        uint32_t n;

        while ((n = front_send(&a, from, PIECE))) {
            sent += n;
            kick_one(&a);
            front_take(&b, FRONT_SLOTS);
            kick_one(&b);
            front_take(&a, FRONT_SLOTS);
        }
        EQ(to->rx, sent);
        CU_ASSERT_TRUE_FATAL(to->asked);
        front_consume(&b, to, UINT32_MAX, 65536);
        kick_one(&b);
        front_take(&a, FRONT_SLOTS);
    }
    CU_ASSERT_TRUE(sent > 65536);
    stop();
}

/* b reads no more, and its library tells of what it has consumed all the same: a hears the one, and the other way goes on. */
static void a_guest_that_reads_no_more_may_tell_of_credit(void)
{
    start("");
    open_relayed();
    EQ(front_send(&a, from, 1000), 1000);
    kick_one(&a);
    take_all(&b, to, 65536);
    EQ(to->rx, 1000);
    front_shutdown(&b, to, VSOCKIF_SHUTDOWN_RCV);
    front_consume(&b, to, 0, 70000);
    kick_one(&b);
    front_take(&a, FRONT_SLOTS);
    EQ(from->peer_shut, VSOCKIF_SHUTDOWN_RCV);
    front_take(&b, FRONT_SLOTS);
    EQ(front_send(&b, to, 1000), 1000);
    kick_one(&b);
    front_take(&a, FRONT_SLOTS);
    EQ(from->rx, 1000);
    stop();
}

/* b takes back what it had promised, and a has sent before it knows: that waits here, for b's program and for nobody else. */
static void what_has_no_room_any_more_waits_for_the_other_guest(void)
{
    start("");
    b.pool_pages = 64;
    b.buffer = 4096;
    open_relayed();
    EQ(front_send(&a, from, 1000), 1000);
    kick_one(&a);
    front_take(&b, FRONT_SLOTS);
    front_consume(&b, to, 0, 500);
    kick_one(&b);
    EQ(front_send(&a, from, 2000), 2000);
    kick_one(&a);
    front_take(&b, FRONT_SLOTS);
    EQ(to->rx, 1000);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer_to("{\"verb\":\"dump\",\"domain\":\"b\"}\n"),
                                  "data of the other guest's program waits for the guest's program, which does not read: 1000 bytes are"));
    take_all(&b, to, 65536);
    take_all(&b, to, 65536);
    EQ(to->rx, 3000);
    stop();
}

/* ---- the daemon's own services ---- */

/* echo, discard and chargen of RFC 862 to 864: each takes more than any buffer holds, and ends when its guest has ended. */
static void each_service_takes_all_that_is_sent_and_ends(void)
{
    static const uint32_t port[] = { 7, 9, CONN_SOURCE };

    start("services = yes\n");
    connect_both();
    for (size_t i = 0; i < sizeof port / sizeof *port; i++) {
        struct conn *c = front_open(&a, VSOCKIF_CID_HOST, port[i], 65536);
        uint32_t sent = 0;

        kick_one(&a);
        front_take(&a, FRONT_SLOTS);
        CU_ASSERT_EQUAL_FATAL(c->state, CONN_OPEN);
        for (int round = 0; round < 500 && sent < 1000000; round++) {
            sent += front_send(&a, c, PIECE);
            kick_one(&a);
            front_take(&a, FRONT_SLOTS);
            front_consume(&a, c, UINT32_MAX, 65536);
            kick_one(&a);
        }
        CU_ASSERT_TRUE_FATAL(sent >= 1000000);
        CU_ASSERT_FALSE(ended_in_order(c));
        front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
        kick_one(&a);
        take_all(&a, c, 65536);
        CU_ASSERT_TRUE(ended_in_order(c));
        if (port[i] == 7)
            EQ(c->rx, sent);
        if (port[i] == 9)
            EQ(c->rx, 0);
        if (port[i] == CONN_SOURCE)
            CU_ASSERT_TRUE(c->rx > 1000000);
        front_reset(&a, c);
        kick_one(&a);
    }
    stop();
}

/* ---- host programs ---- */

/* A client of a guest's socket that says this line. */
static void says(struct host_end *end, const char *dir, const char *line)
{
    MOCK_MUST(host_connect(end, dir, 0, 0, 1), "nobody listens in %s", dir);
    end->wants_ok = false;
    host_say(end, line, (uint32_t)strlen(line));
    process_rest();
}

static const char *watches(struct host_end *end, unsigned number)
{
    char line[40];

    snprintf(line, sizeof line, "WATCH %u\n", number);
    says(end, "guest/a", line);
    return line_of(end);
}

/* A host program connects to a, which accepts; the number of the stream. */
static unsigned connects(struct host_end *end, const char *dir, struct conn **c)
{
    unsigned number = 0;

    MOCK_MUST(host_connect(end, dir, 9, 99, 1), "nobody listens in %s", dir);
    process_rest();
    front_take(&a, FRONT_SLOTS);
    for (*c = a.conn; *c < a.conn + FRONT_CONNS && (*c)->state != CONN_OFFERED; ++*c)
        ;
    MOCK_MUST(*c < a.conn + FRONT_CONNS && front_answer(&a, *c, 65536), "a is not asked");
    kick_one(&a);
    host_read(end, 0);
    MOCK_MUST(sscanf(end->line, "OK %u", &number) == 1, "it is not told its number");
    return number;
}

static void ends(struct host_end *end, struct conn *c)
{
    host_close(end);
    process_rest();
    front_take(&a, FRONT_SLOTS);
    front_reset(&a, c);
    kick_one(&a);
}

/* The guest has sent all, and is gone before it is read: who asks for the stream's end waits as before, and hears of it. */
static void the_end_of_what_is_left_can_be_watched(void)
{
    struct conn *c;
    unsigned number, sent = 0;
    char line[40];

    start("");
    connect_both();
    number = connects(&h, "guest/a", &c);
    host_half_close(&h, SHUT_WR);
    process_rest();
    for (int i = 0; i < 40; i++) {
        sent += front_send(&a, c, PIECE);
        kick_one(&a);
        front_take(&a, FRONT_SLOTS);
    }
    front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
    kick_one(&a);
    a_goes();
    snprintf(line, sizeof line, "WATCHING %u\n", number);
    EQ(strcmp(watches(&k, number), line), 0);
    process_pass(1000);
    EQ(strcmp(line_of(&k), ""), 0);
    while (host_read(&h, PIECE))        /* it is whole when the last of it is in the socket */
        process_rest();
    EQ(h.in.bytes, sent);
    EQ(h.over, 1);
    snprintf(line, sizeof line, "ENDED %u order\n", number);
    EQ(strcmp(line_of(&k), line), 0);
    EQ(strcmp(watches(&w, number), line), 0);
    stop();
}

/* The daemon stops before all is read: who watches is told so, and the program sees no end in order. */
static void what_is_left_when_the_daemon_stops_is_cut(void)
{
    struct conn *c;
    unsigned number, sent = 0;
    char line[60];

    start("");
    connect_both();
    number = connects(&h, "guest/a", &c);
    host_half_close(&h, SHUT_WR);
    process_rest();
    for (int i = 0; i < 40; i++) {
        sent += front_send(&a, c, PIECE);
        kick_one(&a);
        front_take(&a, FRONT_SLOTS);
    }
    front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
    kick_one(&a);
    a_goes();
    snprintf(line, sizeof line, "WATCHING %u\n", number);
    EQ(strcmp(watches(&k, number), line), 0);
    MOCK_MUST(process_end(), "it does not stop");
    snprintf(line, sizeof line, "ENDED %u cut the daemon stops\n", number);
    EQ(strcmp(line_of(&k), line), 0);
    while (host_read(&h, PIECE))
        ;
    CU_ASSERT_TRUE(h.in.bytes < sent);
    stop();
}

static unsigned sends_to_fail;

static int fails_to_send(enum mock_call call)
{
    if (call != MOCK_sendmsg || !sends_to_fail)
        return 0;
    return sends_to_fail-- % 2 ? EAGAIN : EINTR;
}

/* The kernel may have less room than was thought: what is left of the guest waits, and none of it is lost. */
static void what_is_left_waits_for_a_socket_that_is_full(void)
{
    struct conn *c;
    uint32_t sent = 0;

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    host_half_close(&h, SHUT_WR);
    process_rest();
    for (int i = 0; i < 40; i++) {
        sent += front_send(&a, c, PIECE);
        kick_one(&a);
        front_take(&a, FRONT_SLOTS);
    }
    front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
    kick_one(&a);
    mock_on_call = fails_to_send;
    sends_to_fail = 6;
    a_goes();
    while (host_read(&h, PIECE))
        process_rest();
    EQ(sends_to_fail, 0);
    EQ(h.in.bytes, sent);
    EQ(h.over, 1);
    stop();
}

/* There is no memory to remember more ends for a while: the oldest are forgotten meanwhile, and none is taken for another. */
static bool no_realloc;

static int fails(enum mock_call call)
{
    return no_realloc && call == MOCK_realloc ? ENOMEM : 0;
}

static void ends_are_remembered_in_order_when_memory_comes_back(void)
{
    enum { ALL = 150, SHORT = 60, LONG = 100 };
    unsigned number[ALL];
    char line[40], first[40];
    int known = 0;

    start("");
    connect_both();
    mock_on_call = fails;
    for (int i = 0; i < ALL; i++) {
        struct conn *c;

        no_realloc = i >= SHORT && i < LONG;
        number[i] = connects(&h, "guest/a", &c);
        ends(&h, c);
    }
    no_realloc = false;
    mock_on_call = NULL;
    for (int i = ALL - 1; i >= 0; i--) {
        snprintf(line, sizeof line, "ENDED %u ", number[i]);
        if (!strncmp(watches(&w, number[i]), line, strlen(line)))
            known++;
        else
            break;
    }
    CU_ASSERT_TRUE(known >= ALL - LONG + 32 && known < ALL);
    snprintf(first, sizeof first, "UNKNOWN %u\n", number[ALL - 1 - known]);
    EQ(strcmp(watches(&w, number[ALL - 1 - known]), first), 0);
    stop();
}

/* Each has its own five seconds. */
static void who_says_nothing_is_let_go_in_turn(void)
{
    start("");
    connect_both();
    says(&h, "guest/a", "CONN");
    process_pass(3000);
    says(&k, "guest/a", "CONN");
    process_pass(2500);
    host_read(&h, 1);
    host_read(&k, 1);
    CU_ASSERT_TRUE(h.over && !k.over);
    process_pass(3000);
    host_read(&k, 1);
    CU_ASSERT_TRUE(k.over);
    stop();
}

static bool is_there(const char *below)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s", host_run_dir, below);
    return !access(path, F_OK);
}

static void rename_a(const char *name)
{
    world_name(A, name);
    process_rest();
    process_pass(1000);
}

/* A guest is renamed while programs are there by its old name: those that listen, those that are connected, and one that comes by it
 * now.  The old directory goes when none of them is left. */
static void an_old_door_stays_for_who_came_by_it(void)
{
    struct conn *c, *late;

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    listener = host_listen("guest/a", 5000);
    rename_a("new");
    CU_ASSERT_TRUE(is_there("guest/a") && is_there("guest/new"));
    connects(&k, "guest/a", &late);
    host_unlisten(listener);
    listener = -1;
    ends(&h, c);
    process_pass(6000);
    CU_ASSERT_TRUE(is_there("guest/a"));
    EQ(host_write(&k, 100), 100);
    process_rest();
    front_take(&a, FRONT_SLOTS);
    EQ(late->rx, 100);
    ends(&k, late);
    process_pass(6000);
    CU_ASSERT_FALSE(is_there("guest/a"));
    CU_ASSERT_TRUE(is_there("guest/new"));
    stop();
}

/* …and is called so again: it is the same door. */
static void a_guest_that_has_its_old_name_again_has_its_old_door(void)
{
    struct conn *c, *d;

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    rename_a("new");
    rename_a("a");
    connects(&k, "guest/a", &d);
    ends(&h, c);
    ends(&k, d);
    process_pass(6000);
    CU_ASSERT_TRUE(is_there("guest/a") && !is_there("guest/new"));
    connects(&h, "guest/a", &c);
    ends(&h, c);
    stop();
}

static unsigned messages, late_from;
static bool came;

/* What the daemon's processes say to each other is late from one message on, and somebody comes by the new name meanwhile. */
static int lets_in_and_is_late(enum mock_call call)
{
    if (call != MOCK_sendmsg || messages++ < late_from || messages > late_from + 16)
        return 0;
    if (!came && is_there("guest/new/vsock"))
        came = host_connect(&k, "guest/new", 9, 0, 1);
    return EAGAIN;
}

/* Whichever message it is before which he comes. */
static void who_comes_by_a_new_door_at_once_does_not_keep_the_old_one(void)
{
    unsigned early = 0;

    for (late_from = 0; late_from < 12; late_from++) {
        start("");
        CU_ASSERT_TRUE(host_connect(&h, "guest/a", 9, 0, 1));
        process_rest();
        messages = 0;
        came = false;
        mock_on_call = lets_in_and_is_late;
        rename_a("new");
        mock_on_call = NULL;
        early += came;
        if (!came)
            CU_ASSERT_TRUE(host_connect(&k, "guest/new", 9, 0, 1));
        process_rest();
        CU_ASSERT_TRUE(is_there("guest/a"));
        host_close(&h);
        process_pass(1000);
        CU_ASSERT_FALSE(is_there("guest/a"));
        EQ(host_read(&k, 1), 0);
        EQ(k.over, 0);
        stop();
    }
    CU_ASSERT_TRUE(early > 4);
}

/* A program of the host's calls as soon as xenstore says so, before anything that the daemon's processes say to each other then. */
static int calls_and_is_late(enum mock_call call)
{
    if (!came && !strcmp(mock_store_state(a.back), "4")) {
        came = host_connect(&h, "guest/a", 9, 99, 1);
        messages = 0;
    }
    return came && call == MOCK_sendmsg && messages++ < 16 ? EAGAIN : 0;
}

static void a_guest_that_is_connected_is_reached_at_once(void)
{
    start("");
    came = false;
    mock_on_call = calls_and_is_late;
    CU_ASSERT_TRUE(front_connect(&a));
    process_rest();
    mock_on_call = NULL;
    CU_ASSERT_TRUE(came);
    front_take(&a, FRONT_SLOTS);
    EQ(a.conn[0].state, CONN_OFFERED);
    stop();
}

static bool is_reached_by_afvsock;

static int looks_whether_it_is_reached(enum mock_call call)
{
    (void)call;
    if (!came && !strcmp(mock_store_state(a.back), "4")) {
        came = true;
        is_reached_by_afvsock = mock_vhost_has(1001);
    }
    return 0;
}

static void a_guest_that_is_connected_is_reached_by_afvsock_at_once(void)
{
    start("af_vsock = yes\n");
    mock_vhost(true, 0);
    came = is_reached_by_afvsock = false;
    mock_on_call = looks_whether_it_is_reached;
    CU_ASSERT_TRUE(front_connect(&a));
    process_rest();
    mock_on_call = NULL;
    CU_ASSERT_TRUE(came && is_reached_by_afvsock);
    stop();
}

/* Each has the other's name, at once: whoever comes by a name comes to the guest that has it now. */
static void two_guests_may_change_their_names(void)
{
    struct conn *c;

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    world_name(A, "b");
    world_name(B, "a");
    process_rest();
    process_pass(1000);
    connects(&k, "guest/b", &c);
    CU_ASSERT_TRUE(host_connect(&w, "guest/a", 9, 99, 1));
    process_rest();
    front_take(&b, FRONT_SLOTS);
    EQ(b.conn[0].state, CONN_OFFERED);
    stop();
}

/* ---- who listens to what happens, and what a verb begins ---- */

/* admin hears of everything from now on, but for what it was about. */
static void listens(void)
{
    MOCK_MUST(strstr(answer_to("{\"verb\":\"events\"}\n"), "\"ok\":true"), "it may not listen");
}

/* The next event that has this in it, of those that have come; "" if none has. */
static const char *event_with(const char *text)
{
    const char *line;

    while (*(line = line_of(&admin)) && !strstr(line, text))
        ;
    return line;
}

static void says_of(const char *event, const char *text)
{
    if (!strstr(event, text))
        printf("    \"%s\" has not \"%s\"\n", event, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(event, text));
}

/* The log has a pair once a second; who listens has it each time, with who called whom. */
static void who_listens_hears_of_each_host_program_that_is_refused(void)
{
    char ends_of[100];

    start("");
    world_policy("* @any @unix allow\n* @unix b allow\n");
    raise(SIGHUP);
    connect_both();
    listens();
    snprintf(ends_of, sizeof ends_of, "\"from\":{\"cid\":2},\"to\":{\"cid\":%llu,\"port\":9},\"reason\":\"policy\"",
             (unsigned long long)a.cid);
    for (int i = 0; i < 3; i++) {
        const char *event;

        says(&h, "guest/a", "CONNECT 9\n");
        event = event_with("\"event\":");
        says_of(event, "\"event\":\"refuse\",\"guest\":\"a\"");
        says_of(event, ends_of);
        says_of(event, "\"rule\":\"port 9: no line of the policy allows it");
    }
    EQ(count_in_log("may not reach it: port 9"), 1);
    EQ(strcmp(event_with("\"event\":"), ""), 0);
    stop();
}

/* It has as many as it may: there is not even a record of one more. */
static void a_call_beyond_the_most_is_told_of(void)
{
    char ends_of[160];
    struct conn *c;

    start("max_connections = 1\n");
    connect_both();
    listener = host_listen("guest/a", 5000);
    REQUIRE(front_open(&a, VSOCKIF_CID_HOST, 5000, 4096) != NULL);
    kick_one(&a);
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(host_accept(&h, listener, 1), "nobody came");
    listens();
    REQUIRE((c = front_open(&a, VSOCKIF_CID_HOST, 5000, 4096)) != NULL);
    snprintf(ends_of, sizeof ends_of, "\"from\":{\"cid\":%llu,\"port\":%u},\"to\":{\"cid\":2,\"port\":5000},\"reason\":\"limit\"",
             (unsigned long long)a.cid, c->port);
    kick_one(&a);
    front_take(&a, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(c));
    says_of(event_with("\"event\":\"refuse\""), ends_of);
    stop();
}

static void a_guest_that_cries_wolf_is_told_of(void)
{
    start("");
    connect_both();
    listens();
    for (int i = 0; i < 40; i++)
        kick_one(&a);
    EQ(strcmp(event_with("\"event\":\"storm\""), ""), 0);
    for (int i = 0; i < 160; i++)
        kick_one(&a);
    says_of(event_with("\"event\":\"storm\""), "\"guest\":\"a\"");
    stop();
}

static int has_no_memory_to_map(enum mock_call call)
{
    return call == MOCK_xengnttab_map ? ENOMEM : 0;
}

/* It is not its fault, and goes on by itself. */
static void a_guest_that_has_to_wait_for_us_is_told_of(void)
{
    start("");
    listens();
    mock_on_call = has_no_memory_to_map;
    front_connect(&a);
    mock_on_call = NULL;
    says_of(event_with("\"event\":\"delay\""), "\"guest\":\"a\"");
    CU_ASSERT_TRUE(front_connect(&a));
    stop();
}

/* A host program has called it, and it goes before it has answered: that is a refusal, and no reset of what never was. */
static void a_call_whose_guest_goes_is_told_as_refused(void)
{
    const char *event;

    start("");
    connect_both();
    listens();
    MOCK_MUST(host_connect(&h, "guest/a", 9, 99, 1), "nobody listens");
    process_rest();
    front_take(&a, FRONT_SLOTS);
    EQ(a.conn[0].state, CONN_OFFERED);
    a_goes();
    says_of(event_with("\"event\":\"disconnect\""), "\"guest\":\"a\"");
    event = event_with("\"event\":");
    says_of(event, "\"event\":\"refuse\"");
    says_of(event, "\"port\":9}");
    says_of(event, "\"reason\":\"left\"");
    stop();
}

/* b's library knows no messages: a program of a's is refused, and b is not asked. */
static void a_guest_without_messages_is_not_called_for_them(void)
{
    struct conn *c;

    start("");
    a.has_messages = true;
    connect_both();
    listens();
    a.opens_messages = true;
    REQUIRE((c = front_open(&a, b.cid, 77, 65536)) != NULL);
    kick();
    front_take(&a, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(c));
    EQ(front_take(&b, FRONT_SLOTS), 0);
    says_of(event_with("\"event\":\"refuse\""), "\"reason\":\"streams\"");
    REQUIRE((c = front_open(&a, b.cid, 77, 65536)) != NULL);    /* a stream finds its way */
    kick();
    EQ(front_take(&b, FRONT_SLOTS), 1);
    stop();
}

/* admin does not read any more, and says nothing: it is gone with the next that would be sent to it. */
static void is_let_go_with_the_next_call(void)
{
    host_half_close(&admin, SHUT_RD);
    process_rest();
    EQ(send(admin.fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), 1);         /* not yet */
    process_rest();
    calls_and_is_refused(VSOCKIF_CID_HOST, 60);
    process_rest();
    CU_ASSERT_TRUE(send(admin.fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE);
}

static void a_client_that_takes_no_more_is_let_go(void)
{
    start("");
    connect_both();
    listens();
    is_let_go_with_the_next_call();
    MOCK_MUST(strstr(answer_to("{\"verb\":\"capture\",\"domain\":\"a\"}\n"), "\"ok\":true"), "no capture");
    is_let_go_with_the_next_call();
    /* The others are heard as before. */
    MOCK_MUST(strstr(answer_to("{\"verb\":\"ls\"}\n"), "\"ok\":true"), "no answer");
    stop();
}

static bool no_memory;

static int fails_to_allocate(enum mock_call call)
{
    return no_memory && (call == MOCK_malloc || call == MOCK_calloc || call == MOCK_realloc) ? ENOMEM : 0;
}

/* The same client may ask again. */
static void what_a_verb_begins_may_find_no_memory(void)
{
    static const char *const requests[] = { "{\"verb\":\"events\"}\n", "{\"verb\":\"capture\",\"domain\":\"a\"}\n" };

    start("");
    connect_both();
    mock_on_call = fails_to_allocate;
    for (int i = 0; i < 2; i++) {
        MOCK_MUST(host_control(&admin), "the control socket is gone");
        process_rest();
        no_memory = true;
        host_say(&admin, requests[i], (uint32_t)strlen(requests[i]));
        process_rest();
        no_memory = false;
        says_of(line_of(&admin), i ? "\"error\":\"capture: out of memory\"" : "\"error\":\"events: out of memory\"");
        host_say(&admin, requests[i], (uint32_t)strlen(requests[i]));
        process_rest();
        says_of(line_of(&admin), "\"ok\":true");
    }
    mock_on_call = NULL;
    stop();
}

static unsigned reallocs_left;
static bool was_short;

static int fails_from_then_on(enum mock_call call)
{
    if (call != MOCK_realloc && call != MOCK_reallocarray)
        return 0;
    if (reallocs_left) {
        reallocs_left--;
        return 0;
    }
    was_short = true;
    return ENOMEM;
}

/* Wherever it is missed: what was in force stays so, and it is said why. */
static void is_not_read_without_memory(const char *policy)
{
    unsigned tried = 0;

    world_policy(policy);
    mock_on_call = fails_from_then_on;
    for (;;) {
        process_log_clear();
        reallocs_left = tried++;
        was_short = false;
        raise(SIGHUP);
        process_rest();
        reallocs_left = UINT32_MAX;
        if (!was_short)
            break;
        if (strstr(process_log(), "settings read again")) {     /* but the worker could not */
            MOCK_MUST(strstr(process_log(), "the worker is gone: it cannot have the settings"), "after %u: %s", tried - 1, process_log());
            leave(&a);
            leave(&b);
            world_policy(WORLD_OPEN);
            raise(SIGHUP);
            process_pass(1000);
            connect_both();
            world_policy(policy);
            continue;
        }
        MOCK_MUST(strstr(process_log(), " memory"), "after %u: %s", tried - 1, process_log());
        /* a may reach b as before. */
        REQUIRE(front_open(&a, b.cid, 77, 4096) != NULL);
        kick();
        EQ(front_take(&b, FRONT_SLOTS), 1);
        EQ(b.conn[0].state, CONN_OFFERED);
        front_answer(&b, &b.conn[0], 0);
        kick();
        front_take(&a, FRONT_SLOTS);
    }
    mock_on_call = NULL;
    CU_ASSERT_TRUE(tried > 10 && strstr(process_log(), "settings read again"));
    calls_and_is_refused(b.cid, 50);
    world_policy(WORLD_OPEN);
    raise(SIGHUP);
    process_rest();
}

/* With policies of some lengths, for what is behind the text may find room where that is, or not. */
static void settings_and_policy_that_find_no_memory_are_not_read(void)
{
    start("[guest c]\nchannel x = 7\nchannel y = 8\n[group g]\nguests = a, b\n");
    connect_both();
    for (int more = 0; more < 100; more += 10) {
        char policy[200];

        snprintf(policy, sizeof policy, "* @unix/user:root @any allow\n#%*s\n", more, "");
        is_not_read_without_memory(policy);
    }
    stop();
}

/* a's end is over, and b has not read everything yet: nobody is there any more to be waited for. */
static void a_stream_that_is_let_go_is_shown_as_that(void)
{
    const char *dump = "{\"verb\":\"dump\",\"domain\":\"b\"}\n";

    start("");
    open_relayed();
    EQ(front_send(&a, from, 100), 100);
    front_shutdown(&a, from, VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND);
    kick();
    front_take(&b, FRONT_SLOTS);
    front_shutdown(&b, to, VSOCKIF_SHUTDOWN_SEND);
    kick_one(&b);
    front_take(&a, FRONT_SLOTS);
    CU_ASSERT_TRUE(ended_in_order(from) && ended_in_order(to));
    front_reset(&a, from);
    kick_one(&a);
    front_take(&b, FRONT_SLOTS);
    CU_ASSERT_FALSE(is_over(to));
    says_of(answer_to(dump), "\"end\":\"released\"}");       /* and no more of it */
    take_all(&b, to, 65536);
    front_take(&b, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(to) && to->rx == 100);
    says_of(answer_to(dump), "\"streams\":[]");
    stop();
}

/* ---- host programs and messages ---- */

/* a's buffers are so small that a message of h's goes into them by parts. */
static struct conn *connects_for_messages(void)
{
    a.has_messages = true;
    a.pool_pages = 1;
    a.buffer = 64;
    connect_both();
    MOCK_MUST(host_connect_messages(&h, "guest/a", 9, 99, 1), "nobody listens");
    process_rest();
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(a.conn[0].state == CONN_OFFERED && front_answer(&a, &a.conn[0], 65536), "a is not asked");
    kick_one(&a);
    host_read(&h, 0);
    MOCK_MUST(!strncmp(h.line, "OK ", 3), "it is not let in");
    return &a.conn[0];
}

static enum mock_call call_to_fail;
static int error_of_it;
static unsigned passes;         /* so many of them go well before */

static int fails_once(enum mock_call call)
{
    int err = error_of_it;

    if (!err || call != call_to_fail || passes-- > 0)
        return 0;
    error_of_it = 0;
    return err;
}

static void will_fail(enum mock_call call, int err)
{
    mock_on_call = fails_once;
    call_to_fail = call;
    error_of_it = err;
    passes = 0;
}

/* The kernel reads nothing for now: nothing of a message is lost, or there twice. */
static void a_message_that_was_not_read_is_read_again(void)
{
    static const int errors[] = { EINTR, EAGAIN };

    for (int i = 0; i < 2; i++) {
        struct conn *c;

        start("");
        c = connects_for_messages();
        will_fail(MOCK_recvmsg, errors[i]);
        EQ(host_write(&h, 10000), 10000);
        process_rest();
        EQ(error_of_it, 0);
        EQ(host_write(&h, 300), 300);   /* news, as there would be */
        process_rest();
        take_all(&a, c, 65536);
        EQ(c->rx, 10300);
        CU_ASSERT_FALSE(is_over(c));
        stop();
    }
}

/* It cannot be looked at by parts for once: what the program sent arrives all the same, but its end is none in order any more. */
static void a_message_that_could_not_be_looked_at_is_followed_by_a_reset(void)
{
    struct conn *c;

    start("");
    c = connects_for_messages();
    will_fail(MOCK_setsockopt, ENOMEM);
    EQ(host_write(&h, 10000), 10000);
    process_rest();
    EQ(error_of_it, 0);
    take_all(&a, c, 65536);
    CU_ASSERT_TRUE(c->rx == 10000 && !is_over(c));
    host_half_close(&h, SHUT_WR);
    process_rest();
    front_take(&a, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(c) && !ended_in_order(c));
    stop();
}

/* A message of a's to h, by more parts than one call of the system takes pieces. */
enum { PARTS = 70, PART = 600, ALL_PARTS = PARTS * PART };

static void sends_by_parts(struct conn *c)
{
    for (int i = 0; i < PARTS; i++) {
        EQ(front_send_part(&a, c, PART, i + 1 < PARTS ? 0 : VSOCKIF_SEQ_EOM), PART);
        kick_one(&a);
        front_take(&a, FRONT_SLOTS);
    }
}

static struct conn *opens_for_messages(void)
{
    struct conn *c;

    a.has_messages = true;
    connect_both();
    listener = host_listen_messages("guest/a", 5000);
    a.opens_messages = true;
    MOCK_MUST((c = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536)), "a has no room for one more");
    kick_one(&a);
    front_take(&a, FRONT_SLOTS);
    MOCK_MUST(c->state == CONN_OPEN && host_accept(&h, listener, 1), "nobody came");
    return c;
}

/* It is one message there, too. */
static void a_message_of_many_parts_arrives_as_one(void)
{
    struct conn *c;

    start("");
    c = opens_for_messages();
    sends_by_parts(c);
    EQ(host_read(&h, 1), ALL_PARTS);
    EQ(front_send(&a, c, 10), 10);
    kick_one(&a);
    EQ(host_read(&h, 1), 10);
    EQ(host_read(&h, 1), 0);
    EQ(h.over, 0);
    stop();
}

/* …also when its guest is gone by then. */
static void a_message_of_many_parts_arrives_as_one_from_who_is_gone(void)
{
    uint32_t sent = 0, read = 0, n;
    struct conn *c;

    start("");
    c = opens_for_messages();
    while (conn_room(c) >= ALL_PARTS) {
        sends_by_parts(c);
        sent += ALL_PARTS;
    }
    CU_ASSERT_TRUE(sent > ALL_PARTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer_to("{\"verb\":\"dump\",\"domain\":\"a\"}\n"), "\"held\":42000,"));
    front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
    kick_one(&a);
    a_goes();
    for (; (n = host_read(&h, 1)); process_rest()) {
        EQ(n, ALL_PARTS);
        read += n;
    }
    EQ(read, sent);
    EQ(h.over, 1);
    stop();
}

/* What stands before a stream is taken out of the way later, if it cannot be now; the stream's bytes are those behind it. */
static void what_stands_before_a_stream_is_taken_away_in_the_end(void)
{
    struct conn *c;

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    will_fail(MOCK_recv, EINTR);
    EQ(host_write(&h, 1000), 1000);
    process_rest();
    EQ(error_of_it, 0);
    take_all(&a, c, 65536);
    EQ(c->rx, 1000);
    stop();
}

/* Whoever vouches for a program may say that it has failed, also when its end is told already: a guest that has not closed yet hears so. */
static void an_end_that_was_said_may_become_a_reset(void)
{
    struct conn *c;
    unsigned number;
    char line[40];

    start("");
    connect_both();
    listens();
    number = connects(&h, "guest/a", &c);
    snprintf(line, sizeof line, "VOUCH %u\n", number);
    says(&k, "guest/a", line);
    snprintf(line, sizeof line, "WATCHING %u\n", number);
    EQ(strcmp(line_of(&k), line), 0);
    EQ(host_write(&h, 1000), 1000);
    host_half_close(&h, SHUT_WR);
    host_say(&k, "END\n", 4);
    process_rest();
    take_all(&a, c, 65536);
    CU_ASSERT_TRUE(ended_in_order(c) && !is_over(c) && c->rx == 1000);
    host_say(&k, "RESET status 3\n", 15);
    process_rest();
    front_take(&a, FRONT_SLOTS);
    CU_ASSERT_TRUE(is_over(c));
    says_of(event_with("\"event\":\"reset\""), "\"by\":\"host\",\"reason\":\"status 3\"");
    snprintf(line, sizeof line, "ENDED %u ", number);
    EQ(strncmp(line_of(&k), line, strlen(line)), 0);
    stop();
}

/* ---- guests and their devices ---- */

static bool has_device(uint32_t domid)
{
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u/device/vsock/0/state", domid);
    return mock_store_read(path) != NULL;
}

/* Somebody has written the CID of one guest into another's directories: whoever has it keeps it, and the other is told why not. */
static void a_cid_that_is_in_use_is_not_shared(void)
{
    start("attach = manual\n");
    MOCK_MUST(strstr(answer_to("{\"verb\":\"attach\",\"domain\":\"a\"}\n"), "true"), "a has no device");
    MOCK_MUST(strstr(answer_to("{\"verb\":\"attach\",\"domain\":\"b\"}\n"), "true"), "b has no device");
    MOCK_MUST(process_end(), "it does not stop");
    mock_store_write("/local/domain/0/backend/vsock/2/0/cid", "1001");
    MOCK_MUST(world_daemon(), "it does not start again");
    MOCK_MUST(front_connect(&a), "a does not connect");
    CU_ASSERT_FALSE(front_connect(&b));
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "CID 1001 belongs to guest a"));
    CU_ASSERT_TRUE(a.up);
    stop();
}

/* A guest that removes its own directories gets new ones soon; if it goes on, more and more seldom, whatever else there is to look
 * for. */
static void a_guest_that_removes_its_device_again_and_again_waits_for_it(void)
{
    start("");
    connect_both();
    front_die(&a);
    mock_store_remove("/local/domain/1/device/vsock");
    process_pass(700);
    CU_ASSERT_TRUE(has_device(A));
    mock_store_remove("/local/domain/1/device/vsock");
    process_rest();
    world_appear(3, "c");
    process_pass(10);
    CU_ASSERT_TRUE(has_device(3) && !has_device(A));
    process_pass(2000);
    CU_ASSERT_TRUE(has_device(A));
    CU_ASSERT_TRUE(front_connect(&a));
    stop();
}

/* What was detached by a command stays away as long as that domain lives, and no longer: the next of its domid is another one. */
static void the_next_of_a_domid_has_a_device_that_was_detached_from_the_last(void)
{
    start("");
    CU_ASSERT_TRUE(has_device(A));
    MOCK_MUST(strstr(answer_to("{\"verb\":\"detach\",\"domain\":\"a\"}\n"), "true"), "a keeps its device");
    process_pass(3000);
    CU_ASSERT_FALSE(has_device(A));
    world_appear(3, "c");
    process_pass(1000);
    CU_ASSERT_TRUE(has_device(3) && !has_device(A));
    world_die(A, NULL, 1);
    process_rest();
    world_appear(A, "a");
    process_pass(1000);
    CU_ASSERT_TRUE(has_device(A));
    stop();
}

static bool no_commit;

static int fails_to_commit(enum mock_call call)
{
    return no_commit && call == MOCK_xs_transaction_end ? ENOSPC : 0;
}

/* A guest whose device could not be made is tried again in a while; at once, when somebody has changed something and says so. */
static void a_reload_tries_again_at_once_what_has_failed(void)
{
    start("");
    mock_on_call = fails_to_commit;
    no_commit = true;
    world_appear(3, "c");
    for (int i = 0; i < 6; i++)
        process_pass(5000);         /* it waits longer each time */
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "cannot attach a device"));
    no_commit = false;
    process_pass(100);
    CU_ASSERT_FALSE(has_device(3));
    raise(SIGHUP);
    process_pass(100);
    CU_ASSERT_TRUE(has_device(3));
    mock_on_call = NULL;
    stop();
}

/* More streams than one turn is for come to the end of their time at once: all of them are told. */
static void all_whose_time_is_over_at_once_are_told(void)
{
    enum { ALL = 200 };
    static struct host_end caller[ALL];

    start("");
    connect_both();
    for (int i = 0; i < ALL; i++) {
        host_end_init(&caller[i]);
        MOCK_MUST(host_connect(&caller[i], "guest/b", 9, 99, 1), "nobody listens");
    }
    process_rest();
    says(&k, "guest/b", "CALL 9\n");
    for (int i = 0; i < ALL; i++) {
        char c;

        CU_ASSERT_TRUE(recv(caller[i].fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    }
    process_pass(2500);
    for (int i = 0; i < ALL; i++) {
        char c;

        CU_ASSERT_FALSE(recv(caller[i].fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        host_close(&caller[i]);
    }
    EQ(strcmp(line_of(&k), "REFUSED time\n"), 0);
    stop();
}

/* A guest that cries wolf is not looked at for a moment, and is gone when that is over. */
static void a_guest_that_cried_wolf_may_be_gone_when_it_is_looked_at_again(void)
{
    start("");
    connect_both();
    for (int i = 0; i < 200; i++)
        kick_one(&a);
    CU_ASSERT_PTR_NULL(strstr(answer_to("{\"verb\":\"dump\",\"domain\":\"a\"}\n"), "\"storms\":0"));
    front_die(&a);
    front_state(&a, "5");
    process_pass(1000);
    CU_ASSERT_TRUE(front_connect(&a));
    stop();
}

/* Its name is news, and so is its death, at the same time. */
static void a_domain_that_is_renamed_and_gone_is_gone(void)
{
    start("");
    world_appear(3, "c");
    process_pass(1000);
    CU_ASSERT_TRUE(has_device(3));
    world_die(3, NULL, 1);
    world_name(3, "d");
    mock_store_remove("/local/domain/3");
    process_pass(1000);
    CU_ASSERT_FALSE(is_there("guest/c") || is_there("guest/d"));
    stop();
}

/* More of them than the daemon has room for: the others are served all the same, and it says so. */
static void more_domains_than_there_may_be_are_left_alone(void)
{
    char path[80];

    start("");
    connect_both();
    for (uint32_t domid = 100; domid < 100 + 4100; domid++) {
        snprintf(path, sizeof path, "/local/domain/0/backend/vsock/%u/notes", domid);
        mock_store_write(path, "x");
    }
    process_pass(1000);
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "the rest is not served"));
    CU_ASSERT_TRUE(a.up && b.up);
    open_relayed();
    send_relayed(1000);
    take_all(&b, to, 65536);
    EQ(to->rx, 1000);
    stop();
}

/* An administrator gives it a limit: what it may have of it, it takes, since each guest's share is a part of that. */
static void a_daemon_takes_as_many_descriptors_as_it_may(void)
{
    struct rlimit was, now;

    start("");
    MOCK_MUST(process_end(), "it does not stop");
    getrlimit(RLIMIT_NOFILE, &was);
    now = was;
    now.rlim_cur = 200;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0);
    CU_ASSERT_TRUE(world_daemon());
    getrlimit(RLIMIT_NOFILE, &now);
    CU_ASSERT_EQUAL(now.rlim_cur, was.rlim_max);
    setrlimit(RLIMIT_NOFILE, &was);
    stop();
}

static int leaves_before_it_is_mapped(enum mock_call call)
{
    if (call == MOCK_xengnttab_map) {
        mock_on_call = NULL;
        front_die(&a);
        front_state(&a, "6");
    }
    return 0;
}

/* Its program has opened the device and ended at once. */
static void a_guest_that_leaves_before_it_is_mapped_has_broken_no_rule(void)
{
    start("");
    mock_on_call = leaves_before_it_is_mapped;
    for (int i = 0; i < 8 && mock_on_call; i++) {
        front_step(&a);
        process_rest();
    }
    CU_ASSERT_PTR_NULL(mock_on_call);
    CU_ASSERT_PTR_NULL(strstr(process_log(), "cannot map"));
    CU_ASSERT_TRUE(front_connect(&a));
    stop();
}

static unsigned failing;

static int cannot_be_bound(enum mock_call call)
{
    return call == MOCK_xenevtchn_bind && failing && failing-- ? EINVAL : 0;
}

/* The channel may have been that of a program that has left, and the state and the numbers those of the next one. */
static void nobody_is_refused_for_one_try_alone(void)
{
    start("");
    failing = 1;
    mock_on_call = cannot_be_bound;
    CU_ASSERT_TRUE(front_connect(&a));
    EQ(failing, 0);
    /* Nor for that of another one, who has left when it is tried again. */
    for (int i = 0; i < 2; i++) {
        failing = 1;
        for (int steps = 0; steps < 8 && failing; steps++) {
            front_step(&b);
            process_rest();
        }
        EQ(failing, 0);
        front_die(&b);
        front_state(&b, "6");
        process_pass(1000);
    }
    CU_ASSERT_PTR_NULL(strstr(process_log(), "the device is closed"));
    failing = 2;
    CU_ASSERT_TRUE(front_connect(&b));          /* it comes again when it has been refused */
    EQ(failing, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "the device is closed: cannot bind the guest's event channel"));
    stop();
}

/* With these settings, and so many ms after it has left; what the worker has of a guest that left stays for two seconds. */
static void comes_again(const char *settings, unsigned ms)
{
    world_settings(settings);
    raise(SIGHUP);
    process_rest();
    front_die(&a);
    front_state(&a, "6");
    process_pass(ms);
    CU_ASSERT_TRUE(front_connect(&a));
}

static const char *const with_afvsock = "[daemon]\nspin_us = 0\naf_vsock = yes\n", *const without_afvsock = "[daemon]\nspin_us = 0\n";

static void a_guest_that_comes_again_at_once_is_reached_as_the_settings_say(void)
{
    start("af_vsock = yes\n");
    mock_vhost(true, 0);
    CU_ASSERT_TRUE(front_connect(&a));
    comes_again(with_afvsock, 100);
    process_pass(5000);
    CU_ASSERT_TRUE(mock_vhost_has(1001));
    comes_again(without_afvsock, 100);
    process_pass(5000);
    CU_ASSERT_FALSE(mock_vhost_has(1001));
    stop();
}

static void a_daemon_may_stop_while_an_afvsock_device_is_being_closed(void)
{
    start("af_vsock = yes\n");
    mock_vhost(true, 0);
    CU_ASSERT_TRUE(front_connect(&a));
    mock_threads_stand = true;
    front_die(&a);
    front_state(&a, "6");
    process_pass(5000);
    CU_ASSERT_TRUE(mock_vhost_has(1001));
    stop();
    mock_threads_stand = false;
}

/* The CID goes with the guest: as long as its old device is being closed, the new one waits for it, and it is no other machine's. */
static void a_guest_s_own_old_afvsock_device_is_waited_for(void)
{
    start("af_vsock = yes\n");
    mock_vhost(true, 0);
    CU_ASSERT_TRUE(front_connect(&a));
    CU_ASSERT_TRUE(mock_vhost_has(1001));
    mock_threads_stand = true;
    comes_again(without_afvsock, 5000);
    comes_again(with_afvsock, 5000);
    mock_threads_stand = false;
    kick_one(&a);
    CU_ASSERT_TRUE(mock_vhost_has(1001));
    CU_ASSERT_PTR_NULL(strstr(process_log(), "belongs to another virtual machine"));
    stop();
}

static void a_cid_of_another_virtual_machine_s_is_said_to_be(void)
{
    start("af_vsock = yes\n");
    mock_vhost(true, 1002);
    connect_both();
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "reach it by CID 1001"));
    CU_ASSERT_PTR_NULL(strstr(process_log(), "reach it by CID 1002"));
    CU_ASSERT_PTR_NOT_NULL(strstr(process_log(), "CID 1002 belongs to another virtual machine of this host"));
    stop();
}

static void a_host_without_vhost_vsock_says_so_once(void)
{
    static const char *const missing = "cannot open /dev/vhost-vsock: No such file or directory; modprobe vhost_vsock";
    const char *at;

    start("af_vsock = yes\n");
    connect_both();
    CU_ASSERT_PTR_NOT_NULL_FATAL(at = strstr(process_log(), missing));
    CU_ASSERT_PTR_NULL(strstr(at + 1, missing));
    stop();
}

/* Once all is settled, nothing wakes it but the question every five seconds whether xenstored lives: also with streams that wait, and
 * with directories in xenstore that are no device's. */
static void a_daemon_with_nothing_to_do_sleeps(void)
{
    struct conn *c;
    uint64_t before;
    char path[80];

    start("");
    connect_both();
    connects(&h, "guest/a", &c);
    open_relayed();
    send_relayed(60000);
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "/local/domain/0/backend/vsock/9/note%d", i);
        mock_store_write(path, "somebody's");
    }
    process_pass(20000);
    before = process_rounds();
    process_pass(100000);
    CU_ASSERT_TRUE(process_rounds() - before <= 2 * 100 / 5 + 4);       /* it asks, and looks at what may have come of it */
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_a_guest_sent_reaches_the_other_when_it_is_gone),
        TEST(what_is_left_of_a_guest_keeps_to_the_others_credit),
        TEST(what_is_left_of_a_guest_is_given_up_in_time),
        TEST(a_reader_without_credit_is_told_when_it_is_given_up),
        TEST(a_reader_that_takes_something_is_waited_for),
        TEST(a_stream_whose_reader_stands_still_is_promised_less),
        TEST(a_relayed_stream_that_is_moved_out_of_the_way_is_promised_no_more),
        TEST(a_part_of_what_is_left_is_no_whole),
        TEST(the_reader_of_what_is_left_may_go_first),
        TEST(a_daemon_that_stops_resets_what_is_left_of_a_guest),
        TEST(a_guest_with_the_larger_buffer_is_asked_what_it_has_consumed),
        TEST(a_guest_that_reads_no_more_may_tell_of_credit),
        TEST(each_service_takes_all_that_is_sent_and_ends),
        TEST(the_end_of_what_is_left_can_be_watched),
        TEST(what_is_left_when_the_daemon_stops_is_cut),
        TEST(what_is_left_waits_for_a_socket_that_is_full),
        TEST(ends_are_remembered_in_order_when_memory_comes_back),
        TEST(who_says_nothing_is_let_go_in_turn),
        TEST(an_old_door_stays_for_who_came_by_it),
        TEST(a_guest_that_has_its_old_name_again_has_its_old_door),
        TEST(who_comes_by_a_new_door_at_once_does_not_keep_the_old_one), TEST(a_guest_that_is_connected_is_reached_at_once),
        TEST(a_guest_that_is_connected_is_reached_by_afvsock_at_once),
        TEST(two_guests_may_change_their_names),
        TEST(a_cid_that_is_in_use_is_not_shared),
        TEST(a_guest_that_removes_its_device_again_and_again_waits_for_it),
        TEST(the_next_of_a_domid_has_a_device_that_was_detached_from_the_last),
        TEST(a_reload_tries_again_at_once_what_has_failed),
        TEST(all_whose_time_is_over_at_once_are_told),
        TEST(a_guest_that_cried_wolf_may_be_gone_when_it_is_looked_at_again),
        TEST(a_domain_that_is_renamed_and_gone_is_gone),
        TEST(more_domains_than_there_may_be_are_left_alone),
        TEST(a_daemon_takes_as_many_descriptors_as_it_may),
        TEST(a_pair_that_is_refused_is_told_once_a_second),
        TEST(a_guest_that_comes_for_a_moment_has_no_line),
        TEST(a_guest_that_comes_for_a_moment_has_one_line_for_debugging),
        TEST(a_guest_that_leaves_before_it_is_mapped_has_broken_no_rule), TEST(nobody_is_refused_for_one_try_alone),
        TEST(a_guest_s_own_old_afvsock_device_is_waited_for),
        TEST(a_guest_that_comes_again_at_once_is_reached_as_the_settings_say),
        TEST(a_daemon_may_stop_while_an_afvsock_device_is_being_closed),
        TEST(a_cid_of_another_virtual_machine_s_is_said_to_be),
        TEST(a_host_without_vhost_vsock_says_so_once),
        TEST(who_listens_hears_of_each_host_program_that_is_refused),
        TEST(a_call_beyond_the_most_is_told_of),
        TEST(a_guest_that_cries_wolf_is_told_of),
        TEST(a_guest_that_has_to_wait_for_us_is_told_of),
        TEST(a_call_whose_guest_goes_is_told_as_refused),
        TEST(a_guest_without_messages_is_not_called_for_them),
        TEST(a_client_that_takes_no_more_is_let_go),
        TEST(what_a_verb_begins_may_find_no_memory),
        TEST(settings_and_policy_that_find_no_memory_are_not_read),
        TEST(a_stream_that_is_let_go_is_shown_as_that),
        TEST(what_has_no_room_any_more_waits_for_the_other_guest),
        TEST(a_message_that_was_not_read_is_read_again),
        TEST(a_message_that_could_not_be_looked_at_is_followed_by_a_reset),
        TEST(a_message_of_many_parts_arrives_as_one),
        TEST(a_message_of_many_parts_arrives_as_one_from_who_is_gone),
        TEST(what_stands_before_a_stream_is_taken_away_in_the_end),
        TEST(an_end_that_was_said_may_become_a_reset),
        TEST(a_daemon_with_nothing_to_do_sleeps),
    };
    int err;

    world_open();
    process_is_loud = getenv("XVS_LOUD");
    setvbuf(stdout, NULL, _IOLBF, 0);
    start("");
    connect_both();
    world_policy("* @unix/user:root @any allow\n");     /* libc keeps what it has opened to look for users */
    raise(SIGHUP);
    process_rest();
    stop();
    warm = true;
    err = harness_run("daemon: in the test's time", tests, sizeof tests / sizeof *tests, argc, argv);
    world_close();
    return err;
}
