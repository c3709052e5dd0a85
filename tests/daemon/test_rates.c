/* SPDX-License-Identifier: MIT */
/* test_rates.c: so much a second, so many at a time: what the settings let a guest do, and a reload lets it do from then on.
 *
 * A guest that may move so many bytes a second is not faster.  That is asked of the clock, and a test that is slow has no trouble with
 * that; how soon bytes come is asked of nothing. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "hosted.h"
#include "rawstream.h"
#include "toolstack.h"

#define WEB   1u
#define DB    2u
#define PORT  500u
#define ECHO  7u
#define SOURCE 19u
#define MANY  200000u           /* bytes, of which a second has five times as many, */
#define RATE  "byte_rate = 1M, burst 64K\n"
#define LEAST 100u              /* ms, that they take at least beyond the burst, in which a packet may have been too much */

static struct rawguest web, db;

static void start(const char *conf)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
    domain_make(DB, "db1", NULL);
    daemon_policy(POLICY_OPEN);
    REQUIRE(daemon_start(conf) == 0);
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
    REQUIRE(rawguest_open(&db, DB) == 0 && rawguest_connect(&db) == 0);
}

static void stop(void)
{
    rawfront_close(&web.f);
    rawfront_close(&db.f);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    domain_remove(DB);
    toolstack_close();
}

static void write_conf(const char *name, const char *text)
{
    FILE *f = fopen(daemon_path("%s", name), "w");

    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void reloads(const char *conf)
{
    write_conf("conf", conf);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "{\"ok\":true}"));
    daemon_rounds();
}

/* ---- connections ---- */

/* Of count streams, how many are open, and in *answered those that are refused as well. */
static uint32_t count_open(struct rawguest *g, const struct rawstream *first, uint32_t count, uint32_t *answered)
{
    uint32_t open = 0;

    rawguest_hear(g);
    *answered = 0;
    for (uint32_t i = 0; i < count; i++) {
        open += first[i].open;
        *answered += first[i].open || first[i].over;
    }
    return open;
}

/* Of count that are asked for, how many are accepted. */
static uint32_t accepted(struct rawguest *g, uint32_t count, uint32_t port)
{
    const struct rawstream *first = &g->stream[g->count];
    uint32_t open = 0, answered = 0;

    for (uint32_t i = 0; i < count; i++)
        REQUIRE(rawstream_ask(g, 2, port) != NULL);
    UNTIL((open = count_open(g, first, count, &answered), answered == count));
    return open;
}

static void connections_beyond_the_rate_are_refused_counted_and_told_once(void)
{
    char text[80];
    uint32_t open;
    long mark;

    start("[daemon]\nservices = yes\n[guest web*]\nconnect_rate = 1, burst 3\n");
    mark = daemon_log_mark();
    open = accepted(&web, 40, ECHO);
    CU_ASSERT_TRUE(open >= 3 && open < 40);
    snprintf(text, sizeof text, "\"limited\":{\"connects\":%u,", 40 - open);
    CU_ASSERT_TRUE(record_has(WEB, 0, text));
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): asks for more connections than it may: connect_rate = 1, burst 3"));
    EQ(daemon_log_count(mark, "connect_rate"), 1);
    /* Nobody else has to do with that, nor has what the host asks of it. */
    EQ(accepted(&db, 40, ECHO), 40);
    /* At once. */
    reloads("[daemon]\nservices = yes\n[guest web*]\nconnect_rate = 1, burst 3\n[guest web1]\nconnect_rate = no\n");
    EQ(accepted(&web, 40, ECHO), 40);
    stop();
}

static void descriptors_and_connections_at_a_time_are_each_guest_s_own(void)
{
    int listener;
    long mark;

    start("[daemon]\nservices = yes\n[guest web1]\nmax_files = 3\n[guest db*]\nmax_connections = 5\n");
    listener = host_listen("web1", PORT);
    REQUIRE(listener >= 0);
    mark = daemon_log_mark();
    EQ(accepted(&web, 10, PORT), 3);
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): more streams to host programs are refused: it holds 3 descriptors"));
    EQ(accepted(&web, 10, ECHO), 10);
    EQ(accepted(&db, 10, ECHO), 5);
    reloads("[daemon]\nservices = yes\n");
    EQ(accepted(&web, 10, PORT), 10);
    close(listener);
    stop();
}

/* ---- bytes ---- */

static void send_all(struct rawguest *g, struct rawstream *s, int reader)
{
    size_t got = 0;

    for (int naps = 0; s->sent < MANY || got < MANY;) {
        char bytes[8192];
        ssize_t n = recv(reader, bytes, sizeof bytes, MSG_DONTWAIT);

        got += n > 0 ? (size_t)n : 0;
        if (n <= 0 && (s->sent >= MANY || !rawstream_send(g, s, 4000))) {
            REQUIRE(naps++ < PATIENCE_MS / 10);
            toolstack_nap();
        }
        rawguest_hear(g);
    }
}

static void no_bytes_are_lost_and_none_are_faster_than_they_may(void)
{
    struct rawstream *s;
    uint64_t began;
    int listener, fd;

    start("[guest web1]\n" RATE);
    listener = host_listen("web1", PORT);
    REQUIRE((s = rawstream_connect(&web, 2, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    began = clock_now_ns();
    send_all(&web, s, fd);
    CU_ASSERT_TRUE(clock_now_ns() - began >= LEAST * UINT64_C(1000000));
    CU_ASSERT_FALSE(record_has(WEB, 0, "\"holds\":0}"));
    EQ(s->sent, MANY);
    close(fd);
    close(listener);
    stop();
}

static void what_comes_to_a_guest_counts_as_well(void)
{
    uint64_t began;

    start("[daemon]\nservices = yes\n[guest web1]\n" RATE);
    REQUIRE(rawstream_connect(&web, 2, SOURCE) != NULL);
    began = clock_now_ns();
    UNTIL((rawguest_hear(&web), web.received >= MANY));
    CU_ASSERT_TRUE(clock_now_ns() - began >= LEAST * UINT64_C(1000000));
    stop();
}

/* The turns in which they move are the other guest's. */
static void a_guest_s_rate_holds_for_what_it_sends_to_another_guest(void)
{
    struct vsockif_hdr h;
    struct rawstream *s;
    uint64_t began;

    start("[guest web1]\n" RATE);
    s = rawstream_ask(&web, db.f.cid, PORT);
    REQUIRE(s && rawfront_recv(&db.f, &h, PATIENCE_MS));
    EQ(h.op, VSOCKIF_OP_REQUEST);
    h = rawfront_header(&db.f, VSOCKIF_OP_RESPONSE, h.dst_port, h.src_port);
    h.dst_cid = web.f.cid;
    rawfront_send(&db.f, &h);
    rawfront_kick(&db.f);
    UNTIL((rawguest_hear(&web), s->open));
    began = clock_now_ns();
    for (int naps = 0; db.received < MANY;) {
        if (s->sent >= MANY || !rawstream_send(&web, s, 4000)) {
            REQUIRE(naps++ < PATIENCE_MS / 10);
            toolstack_nap();
        }
        rawguest_hear(&web);
        rawguest_hear(&db);
    }
    CU_ASSERT_TRUE(clock_now_ns() - began >= LEAST * UINT64_C(1000000));
    stop();
}

/* It waits for minutes, and then not at all. */
static void a_rate_that_is_taken_away_is_gone_at_once(void)
{
    struct rawstream *s;
    int listener, fd;

    start("[guest *]\nbyte_rate = 64K\n");
    listener = host_listen("web1", PORT);
    REQUIRE((s = rawstream_connect(&web, 2, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    while (s->sent < MANY && rawstream_send(&web, s, 4000))
        rawguest_hear(&web);
    UNTIL(!record_has(WEB, 0, "\"holds\":0}"));
    reloads("[daemon]\n");
    send_all(&web, s, fd);
    close(fd);
    close(listener);
    stop();
}

/* What was sent in order before the device went is delivered, and not waited with. */
static void last_words_are_delivered_whatever_the_rate(void)
{
    char bytes[100000];
    struct rawstream *s;
    int listener, fd;

    start("[guest web1]\nbyte_rate = 64K\n");
    listener = host_listen("web1", PORT);
    REQUIRE((s = rawstream_connect(&web, 2, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    while (s->sent < sizeof bytes) {
        REQUIRE(rawstream_send(&web, s, 4000));
        rawguest_hear(&web);
    }
    rawstream_say(&web, s, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND);
    rawguest_leave(&web);
    EQ(host_read(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
    close(listener);
    stop();
}

/* ---- files ---- */

static void all_files_are_good_or_none_is_taken(void)
{
    const char *answer;
    long mark;

    start("[daemon]\nservices = yes\n");
    REQUIRE(mkdir(daemon_path("conf.d"), 0755) == 0);
    write_conf("conf.d/10-web.conf", "[guest web1]\nconnect_rate = 1, burst 2\n[daemon]\nattach = perhaps\n");
    write_conf("conf.d/20-db.conf", "[guest db1]\ncid = 5x\nnonsense\n");
    daemon_policy("* a b maybe\n");
    mark = daemon_log_mark();
    answer = daemon_ask("{\"verb\":\"reload\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "10-web.conf:4: attach = perhaps: it must be auto or manual (and 3 errors more: xvsd -t shows them)"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "conf.d/20-db.conf:2: cid = 5x: it must be a number from 3 to 999"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "conf.d/20-db.conf:3: neither a section"));
    CU_ASSERT_TRUE(daemon_log_has(mark, TEST_POLICY ":1: maybe: an action is allow or deny"));
    EQ(accepted(&web, 10, ECHO), 10);
    write_conf("conf.d/10-web.conf", "[guest web1]\nconnect_rate = 1, burst 2\n");
    write_conf("conf.d/20-db.conf", "[guest db1]\n");
    daemon_policy(POLICY_OPEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "{\"ok\":true}"));
    daemon_rounds();
    CU_ASSERT_TRUE(accepted(&web, 100, ECHO) < 100);
    unlink(daemon_path("conf.d/10-web.conf"));
    unlink(daemon_path("conf.d/20-db.conf"));
    rmdir(daemon_path("conf.d"));
    stop();
}

static const struct test tests[] = {
    TEST(connections_beyond_the_rate_are_refused_counted_and_told_once), TEST(descriptors_and_connections_at_a_time_are_each_guest_s_own),
    TEST(no_bytes_are_lost_and_none_are_faster_than_they_may), TEST(what_comes_to_a_guest_counts_as_well),
    TEST(a_guest_s_rate_holds_for_what_it_sends_to_another_guest), TEST(a_rate_that_is_taken_away_is_gone_at_once),
    TEST(last_words_are_delivered_whatever_the_rate), TEST(all_files_are_good_or_none_is_taken)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("rates", tests, sizeof tests / sizeof *tests, argc, argv);
}
