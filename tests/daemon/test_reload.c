/* SPDX-License-Identifier: MIT */
/* test_reload.c: settings that change while guests are connected: what takes effect at once, what at the next connection, what never. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "parse.h"
#include "rawfront.h"
#include "toolstack.h"

#define WEB  1u
#define DB   2u
#define PORT 500u

static struct rawfront web, db;

static void start_with(const char *conf, const char *policy)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
    domain_make(DB, "db1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(policy);
    REQUIRE(daemon_start(conf) == 0);
}

static void start(const char *conf)
{
    start_with(conf, NULL);
}

static void open_both(void)
{
    REQUIRE(rawfront_open(&web, WEB) == 0);
    REQUIRE(rawfront_open(&db, DB) == 0);
}

static void stop(void)
{
    rawfront_close(&web);
    rawfront_close(&db);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    domain_remove(DB);
    toolstack_close();
}

static const char *reload(const char *conf)
{
    FILE *f = fopen(daemon_path("conf"), "w");

    REQUIRE(f != NULL);
    fputs(conf, f);
    fclose(f);
    return daemon_ask("{\"verb\":\"reload\"}");
}

static void reloads(const char *conf)
{
    const char *answer = reload(conf);

    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true}"));
}

/* The CID in what the backend offers now, which is the guest's from here on; 0 when it offers nothing. */
static uint64_t offered(struct rawfront *f)
{
    char why[PARSE_WHY];
    struct back_nodes nodes;

    f->cid = nodes_read_back(f->store, &f->paths, &nodes, why) ? 0 : nodes.cid;
    return f->cid;
}

/* The guest's end goes and comes again. */
static void connect_again(struct rawfront *f)
{
    rawfront_unshare(f);
    REQUIRE(rawfront_wait(f, VSOCKIF_CLOSING) == 0);
    REQUIRE(rawfront_set_state(f, "6") == 0);
    REQUIRE(rawfront_wait(f, VSOCKIF_CLOSED) == 0);
    REQUIRE(rawfront_set_state(f, "1") == 0);
    REQUIRE(rawfront_wait(f, VSOCKIF_INITWAIT) == 0);
    REQUIRE(offered(f) > 0);
    REQUIRE(rawfront_share(f) == 0);
    REQUIRE(rawfront_offer_pages(f) == 0);
    REQUIRE(rawfront_wait(f, VSOCKIF_CONNECTED) == 0);
    REQUIRE(rawfront_set_state(f, "4") == 0);
    for (uint32_t id = 0; id < ring_slots(&f->rx); id++)
        rawfront_post(f, id);
    rawfront_kick(f);
}

/* What comes back when a guest calls the other: RESPONSE only if the other is asked first. */
static unsigned calls(struct rawfront *from, struct rawfront *to)
{
    struct vsockif_hdr hdr = rawfront_header(from, VSOCKIF_OP_REQUEST, PORT, PORT);

    hdr.dst_cid = to->cid;
    rawfront_send(from, &hdr);
    rawfront_kick(from);
    daemon_rounds();
    if (ring_pending(&to->rx) > 0) {
        REQUIRE(rawfront_recv(to, &hdr, PATIENCE_MS));
        EQ(hdr.op, VSOCKIF_OP_REQUEST);
        hdr = rawfront_header(to, VSOCKIF_OP_RST, PORT, PORT);
        hdr.dst_cid = from->cid;
        rawfront_send(to, &hdr);
        rawfront_kick(to);
        REQUIRE(rawfront_recv(from, &hdr, PATIENCE_MS));
        return VSOCKIF_OP_REQUEST;
    }
    REQUIRE(rawfront_recv(from, &hdr, PATIENCE_MS));
    return hdr.op;
}

static bool link_is(unsigned cid, const char *to)
{
    char target[64] = "";
    ssize_t n = readlink(daemon_path("run/cid/%u", cid), target, sizeof target - 1);

    return n > 0 && !strcmp(target, to);
}

/* ---- the file ---- */

static void a_file_with_an_error_changes_nothing_and_says_where(void)
{
    const char *answer;
    long mark;

    start("[daemon]\nattach = manual\n");
    mark = daemon_log_mark();
    answer = reload("[daemon]\nattach = auto\ncolour = red\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "reload: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "conf:3: colour: there is no such key"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "the settings and the policy stay as they were"));
    daemon_rounds();
    CU_ASSERT_PTR_NULL(record_of(WEB, 0));
    reloads("[daemon]\nattach = auto\n");
    UNTIL(record_has(WEB, 0, "\"name\":\"web1\"") && record_has(DB, 0, "\"name\":\"db1\""));
    stop();
}

static void a_file_that_is_gone_changes_nothing(void)
{
    const char *answer;

    start("[daemon]\nattach = manual\n");
    unlink(daemon_path("conf"));
    answer = daemon_ask("{\"verb\":\"reload\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "No such file"));
    CU_ASSERT_PTR_NULL(record_of(WEB, 0));
    stop();
}

/* ---- at once ---- */

static void the_log_level_changes_at_once_and_back(void)
{
    long mark;

    start("[daemon]\nattach = manual\nlog_level = error\n");
    mark = daemon_log_mark();
    reloads("[daemon]\nattach = manual\nlog_level = debug\n");
    CU_ASSERT_TRUE(daemon_log_has(mark, "settings read again from"));
    daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", WEB);
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): OFFER: done"));
    reloads("[daemon]\nattach = manual\nlog_level = error\n");
    mark = daemon_log_mark();
    daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", DB);
    daemon_rounds();
    EQ(daemon_log_count(mark, "db1"), 0);
    stop();
}

static void sockets_are_permitted_and_forbidden_at_once(void)
{
    struct stat st;

    start("[daemon]\n");
    open_both();
    REQUIRE(stat(daemon_path("run/guest/web1/vsock"), &st) == 0);
    EQ(st.st_mode & 07777, 0600);
    reloads("[daemon]\n[guest web1]\nsocket_mode = 0666\n");
    REQUIRE(stat(daemon_path("run/guest/web1/vsock"), &st) == 0);
    EQ(st.st_mode & 07777, 0666);
    REQUIRE(stat(daemon_path("run/guest/web1/vsock.seqpacket"), &st) == 0);
    EQ(st.st_mode & 07777, 0666);
    REQUIRE(stat(daemon_path("run/guest/db1/vsock.seqpacket"), &st) == 0);
    EQ(st.st_mode & 07777, 0600);
    REQUIRE(stat(daemon_path("run/guest/db1/vsock"), &st) == 0);
    EQ(st.st_mode & 07777, 0600);
    reloads("[daemon]\n");
    REQUIRE(stat(daemon_path("run/guest/web1/vsock"), &st) == 0);
    EQ(st.st_mode & 07777, 0600);
    stop();
}

/* ---- at the next connection ---- */

static void a_cid_takes_effect_when_the_guest_connects_again(void)
{
    long mark;

    start_with("[daemon]\n", POLICY_OPEN);
    open_both();
    REQUIRE(daemon_connect(&web) == 0);
    REQUIRE(daemon_connect(&db) == 0);
    EQ(web.cid, 1001);
    mark = daemon_log_mark();
    reloads("[daemon]\n[guest web1]\ncid = 77\n");
    CU_ASSERT_TRUE(daemon_log_has(mark, "CID 77 takes effect when the guest connects again; now 1001"));
    reloads("[daemon]\n[guest web1]\ncid = 77\n");
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"cid\":1001,"));
    EQ(calls(&db, &web), VSOCKIF_OP_REQUEST);
    CU_ASSERT_TRUE(link_is(1001, "../guest/web1"));
    connect_again(&web);
    EQ(web.cid, 77);
    CU_ASSERT_TRUE(daemon_log_has(mark, "its CID is now 77, it was 1001"));
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"cid\":77,"));
    CU_ASSERT_TRUE(link_is(77, "../guest/web1"));
    CU_ASSERT_FALSE(link_is(1001, "../guest/web1"));
    EQ(calls(&db, &web), VSOCKIF_OP_REQUEST);
    EQ(calls(&web, &db), VSOCKIF_OP_REQUEST);
    /* One that is not connected has its own at once. */
    rawfront_unshare(&db);
    REQUIRE(rawfront_wait(&db, VSOCKIF_CLOSING) == 0);
    reloads("[daemon]\n[guest web1]\ncid = 77\n[guest db1]\ncid = 78\n");
    UNTIL(record_has(DB, 0, "\"cid\":78,"));
    CU_ASSERT_TRUE(link_is(78, "../guest/db1"));
    stop();
}

/* The settings give it to another guest: whoever had it by a command gives way, when the other comes. */
static void a_cid_goes_to_who_has_a_right_to_it(void)
{
    long mark;

    start_with("[daemon]\nattach = manual\n", POLICY_OPEN);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"cid\":88}", WEB), "\"ok\":true") != NULL);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", DB), "\"ok\":true") != NULL);
    open_both();
    EQ(web.cid, 88);
    REQUIRE(daemon_connect(&web) == 0);
    mark = daemon_log_mark();
    reloads("[daemon]\nattach = manual\n[guest db1]\ncid = 88\n");
    UNTIL(record_has(DB, 0, "\"cid\":88,"));
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"state\":\"Connected\""));
    UNTIL(offered(&db) == 88);
    REQUIRE(daemon_connect(&db) == 0);
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): the device is closed: its CID 88 belongs to guest db1 (domid 2)"));
    CU_ASSERT_TRUE(record_has(DB, 0, "\"state\":\"Connected\""));
    UNTIL(link_is(88, "../guest/db1"));
    connect_again(&web);
    EQ(web.cid, 1001);
    EQ(calls(&web, &db), VSOCKIF_OP_REQUEST);
    stop();
}

static void limits_hold_from_the_next_connection_on(void)
{
    struct vsockif_hdr hdr;

    start("[daemon]\nmax_connections = 1\n");
    open_both();
    REQUIRE(daemon_connect(&web) == 0);
    reloads("[daemon]\nmax_connections = 1\nmax_pool_pages = 32\n");
    hdr = rawfront_header(&web, VSOCKIF_OP_REQUEST, PORT, 4999);
    rawfront_send(&web, &hdr);
    rawfront_kick(&web);
    REQUIRE(rawfront_recv(&web, &hdr, PATIENCE_MS));
    EQ(hdr.op, VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"state\":\"Connected\""));
    /* This guest has 64 pages in each pool. */
    REQUIRE(rawfront_set_state(&db, "1") == 0);
    REQUIRE(rawfront_share(&db) == 0);
    REQUIRE(rawfront_offer_pages(&db) == 0);
    REQUIRE(rawfront_wait(&db, VSOCKIF_CLOSING) == 0);
    CU_ASSERT_TRUE(record_has(DB, 0, "tx_pool_pages is 64, not from 1 to 32"));
    stop();
}

static const struct test tests[] = {
    TEST(a_file_with_an_error_changes_nothing_and_says_where), TEST(a_file_that_is_gone_changes_nothing),
    TEST(the_log_level_changes_at_once_and_back),
    TEST(sockets_are_permitted_and_forbidden_at_once), TEST(a_cid_takes_effect_when_the_guest_connects_again),
    TEST(a_cid_goes_to_who_has_a_right_to_it), TEST(limits_hold_from_the_next_connection_on)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("reload", tests, sizeof tests / sizeof *tests, argc, argv);
}
