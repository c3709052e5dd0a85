/* SPDX-License-Identifier: MIT */
/* test_away.c: xenstored is gone for a while: who is connected goes on, and what happened meanwhile is found out. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admitted.h"
#include "clock.h"
#include "hosted.h"
#include "rawfront.h"
#include "storeproxy.h"
#include "toolstack.h"

#define GUEST     1u
#define OTHER     2u
#define LATE      3u
#define PORT      500u
#define HOST_PORT 5000u
#define STOP_MS   3000u         /* main.c: for all devices to be closed in order */

static struct rawfront guest;
static int listener, stream;

/* A byte from the guest reaches its host program. */
static bool flows(void)
{
    struct vsockif_hdr hdr = rawfront_header(&guest, VSOCKIF_OP_RW, PORT, HOST_PORT);
    char byte = 0;

    hdr.len = 1;
    memset(guest.tx_pool, 'g', RAWFRONT_POOL * VSOCKIF_PAGE_SIZE);
    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    rawfront_reap(&guest, 1, PATIENCE_MS);
    return host_read(stream, &byte, 1) == 1 && byte == 'g';
}

static void start(void)
{
    struct vsockif_hdr hdr;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    domain_make(OTHER, "db1", NULL);
    domain_remove(LATE);
    REQUIRE(storeproxy_start() == 0);
    REQUIRE(daemon_start("[daemon]\n") == 0);
    storeproxy_leave();
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    REQUIRE(daemon_connect(&guest) == 0);
    REQUIRE((listener = host_listen("web1", HOST_PORT)) >= 0);
    hdr = rawfront_header(&guest, VSOCKIF_OP_REQUEST, PORT, HOST_PORT);
    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    REQUIRE((stream = host_accept(listener)) >= 0);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(hdr.op, VSOCKIF_OP_RESPONSE);
    rawfront_reap(&guest, 1, PATIENCE_MS);
    CU_ASSERT_TRUE(flows());
}

static void stop(void)
{
    close(stream);
    close(listener);
    rawfront_close(&guest);
    EQ(daemon_stop(SIGTERM), 0);
    storeproxy_stop();
    domain_remove(GUEST);
    domain_remove(OTHER);
    toolstack_close();
}

static void lose_xenstored(void)
{
    long mark = daemon_log_mark();

    storeproxy_cut();
    CU_ASSERT_TRUE(daemon_log_has(mark, "the connection to xenstored is lost; guests that are connected go on"));
    EQ(daemon_log_count(mark, "the connection to xenstored is lost"), 1);
}

static void find_xenstored(void)
{
    long mark = daemon_log_mark();

    storeproxy_mend();
    CU_ASSERT_TRUE(daemon_log_has(mark, "connected to xenstored again"));
}

static void guests_go_on_and_commands_say_that_they_cannot(void)
{
    struct rawfront other;
    const char *answer;

    start();
    lose_xenstored();
    CU_ASSERT_TRUE(flows());
    answer = daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"device\":7}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_TRUE(record_has(GUEST, 0, "\"state\":\"Connected\""));
    find_xenstored();
    CU_ASSERT_TRUE(flows());
    /* Watches, too: another guest's handshake is seen. */
    REQUIRE(rawfront_open(&other, OTHER) == 0);
    CU_ASSERT_EQUAL(daemon_connect(&other), 0);
    rawfront_close(&other);
    answer = daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"device\":7}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":true"));
    CU_ASSERT_TRUE(flows());
    stop();
}

/* The guest's pages are gone, another domain is, and a third has come: the daemon makes up for all of it. */
static void what_happened_meanwhile_is_found_out(void)
{
    char byte;

    start();
    CU_ASSERT_TRUE(record_has(OTHER, 0, "\"name\":\"db1\""));
    lose_xenstored();
    rawfront_unshare(&guest);
    domain_remove(OTHER);
    domain_make(LATE, "late1", NULL);
    CU_ASSERT_TRUE(record_has(GUEST, 0, "\"domid\":1"));
    CU_ASSERT_TRUE(record_has(OTHER, 0, "\"name\":\"db1\""));
    find_xenstored();
    EQ(host_read(stream, &byte, 1), 0);
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSING) == 0);
    UNTIL(!record_of(OTHER, 0) && !domain_has_device(OTHER, 0));
    UNTIL(record_has(LATE, 0, "\"name\":\"late1\""));
    stop();
}

/* It did not: the time for a stop was over, and the timer for it was due again and again. */
static void a_stop_without_xenstored_ends(void)
{
    start();
    lose_xenstored();
    stop();
}

/* How long that takes is the machine's affair, too: of several times one is soon enough. */
static void a_second_signal_stops_at_once(void)
{
    bool soon = false;

    for (int tries = 0; tries < 10 && !soon; tries++) {
        uint64_t began;
        long mark;

        start();
        storeproxy_cut();
        mark = daemon_log_mark();
        began = clock_now_ns();
        daemon_signal(SIGTERM);
        CU_ASSERT_TRUE(daemon_log_has(mark, "Terminated: closing all devices"));
        stop();
        soon = clock_now_ns() - began < STOP_MS * UINT64_C(1000000);
    }
    CU_ASSERT_TRUE(soon);
}

static const struct test tests[] = {
    TEST(guests_go_on_and_commands_say_that_they_cannot),
    TEST(what_happened_meanwhile_is_found_out),
    TEST(a_stop_without_xenstored_ends), TEST(a_second_signal_stops_at_once)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("xenstored away", tests, sizeof tests / sizeof *tests, argc, argv);
}
