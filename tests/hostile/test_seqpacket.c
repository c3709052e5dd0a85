/* SPDX-License-Identifier: MIT */
/* test_seqpacket.c: a hostile guest with connections of messages (vsockif.h, section 10): types that do not fit, ends that never
 * come, floods of the smallest; and what it costs the daemon, another guest, the host program. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admitted.h"
#include "clock.h"
#include "daemon.h"
#include "harness.h"
#include "hosted.h"
#include "rawfront.h"
#include "vconn.h"

#define BAD       1u
#define OTHER     2u
#define OTHER_CID 102u
#define PORT      700u
#define HOST_PORT 7000u
#define CONF      "[guest dom1]\ncid = 101\n[guest dom2]\ncid = 102\n"
#define SEQ       VSOCKIF_TYPE_SEQPACKET
#define STREAM    VSOCKIF_TYPE_STREAM
#define EOM       VSOCKIF_SEQ_EOM

static struct rawfront bad, other;
static int listener = -1, host = -1;
static uint32_t told, sent;             /* the last byte that the guest may send; those that it has */
static uint32_t in_ring;                /* packets that have not been answered */

/* A device that no test before this one has had. */
static void fresh(struct rawfront *f, uint32_t domid)
{
    char text[40];

    if (f->store)
        rawfront_close(f);
    *f = (struct rawfront){ .port = -1 };
    snprintf(text, sizeof text, "\"domid\":%u,", domid);
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", domid);
    for (int waited = 0; waited < PATIENCE_MS && strstr(daemon_ask("{\"verb\":\"ls\"}"), text); waited += 5)
        usleep(5000);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", domid), "\"ok\":true") != NULL);
    REQUIRE(rawfront_open(f, domid) == 0);
}

static void start(uint32_t features)
{
    if (!daemon_lives()) {
        daemon_policy(POLICY_OPEN);
        REQUIRE(daemon_start(CONF) == 0);
    }
    fresh(&bad, BAD);
    bad.features = features;
    REQUIRE(daemon_connect(&bad) == 0);
    REQUIRE((listener = host_listen_as("dom1", HOST_PORT, SOCK_SEQPACKET)) >= 0);
    told = sent = in_ring = 0;
}

static void stop(void)
{
    if (host >= 0)
        close(host);
    close(listener);
    host = listener = -1;
}

static void say(unsigned type, unsigned op, uint32_t len, uint32_t flags)
{
    struct vsockif_hdr hdr = rawfront_header(&bad, op, PORT, HOST_PORT);

    hdr.type = (uint16_t)type;
    hdr.len = len;
    hdr.flags = flags;
    if (op == VSOCKIF_OP_RW)
        sent += len;
    in_ring++;
    rawfront_send(&bad, &hdr);
}

/* The next packet that is no credit: op | type << 8, 0 if none comes. */
static unsigned hear(void)
{
    struct vsockif_hdr hdr;

    rawfront_kick(&bad);
    while (rawfront_recv(&bad, &hdr, PATIENCE_MS)) {
        told = hdr.buf_alloc ? hdr.fwd_cnt + hdr.buf_alloc : told;
        if (hdr.op != VSOCKIF_OP_CREDIT_UPDATE && hdr.op != VSOCKIF_OP_CREDIT_REQUEST)
            return hdr.op | (unsigned)hdr.type << 8;
    }
    return 0;
}

/* Takes in what has come by now. */
static void hear_credit(void)
{
    struct vsockif_hdr hdr;

    rawfront_kick(&bad);
    in_ring -= rawfront_reap(&bad, 0, 0);
    while (rawfront_recv(&bad, &hdr, 0))
        told = hdr.buf_alloc ? hdr.fwd_cnt + hdr.buf_alloc : told;
}

static void join(void)
{
    say(SEQ, VSOCKIF_OP_REQUEST, 0, 0);
    rawfront_kick(&bad);
    REQUIRE((host = host_accept(listener)) >= 0);
    EQ(hear(), VSOCKIF_OP_RESPONSE | SEQ << 8);
    sent = 0;
}

static ssize_t host_takes(void *to, size_t len)
{
    ssize_t n = -1;

    for (uint64_t end = clock_now_ns() + PATIENCE_MS * UINT64_C(1000000); clock_now_ns() < end; usleep(1000))
        if ((n = recv(host, to, len, MSG_DONTWAIT)) >= 0)
            break;
    return n;
}

/* A message of the same connection still goes through. */
static void goes_on(void)
{
    char byte[100];

    say(SEQ, VSOCKIF_OP_RW, 10, EOM);
    rawfront_kick(&bad);
    EQ(host_takes(byte, sizeof byte), 10);
}

/* ---- the type ---- */

static void closes_the_device(unsigned type, uint32_t len, uint32_t flags, const char *why)
{
    long mark;

    start(VSOCKIF_FEATURE_SEQPACKET);
    mark = daemon_log_mark();
    if (type == SEQ)
        join();
    say(type, VSOCKIF_OP_RW, len, flags);
    rawfront_kick(&bad);
    EQ(rawfront_wait(&bad, VSOCKIF_CLOSING), 0);
    CU_ASSERT_TRUE(daemon_log_has(mark, why));
    stop();
}

static void flags_that_cannot_be_close_the_device(void)
{
    closes_the_device(STREAM, 10, EOM, "RW of a stream with flags");
    closes_the_device(SEQ, 10, VSOCKIF_SEQ_EOR, "flags other than 0, 1 or 3");
    closes_the_device(SEQ, 10, 4, "flags other than 0, 1 or 3");
    closes_the_device(SEQ, 0, EOM, "RW without data");
}

static void the_type_without_the_feature_closes_the_device(void)
{
    long mark;

    start(0);
    mark = daemon_log_mark();
    say(SEQ, VSOCKIF_OP_REQUEST, 0, 0);
    rawfront_kick(&bad);
    EQ(rawfront_wait(&bad, VSOCKIF_CLOSING), 0);
    CU_ASSERT_TRUE(daemon_log_has(mark, "not agreed on"));
    stop();
}

static void types_that_are_mixed_cost_neither_connection_nor_device(void)
{
    start(VSOCKIF_FEATURE_SEQPACKET);
    join();
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", BAD), "\"type\":\"seqpacket\""));
    say(STREAM, VSOCKIF_OP_RST, 0, 0);
    say(STREAM, VSOCKIF_OP_RW, 100, 0);
    sent -= 100;
    EQ(hear(), VSOCKIF_OP_RST | STREAM << 8);
    say(STREAM, VSOCKIF_OP_SHUTDOWN, 0, 3);
    EQ(hear(), VSOCKIF_OP_RST | STREAM << 8);
    goes_on();
    say(STREAM, VSOCKIF_OP_REQUEST, 0, 0);      /* the pair begins anew, so this end is over */
    EQ(hear(), VSOCKIF_OP_RST | STREAM << 8);
    EQ(host_takes(&(char){ 0 }, 1), 0);
    stop();
}

static void an_older_guest_is_not_asked_and_the_caller_hears_why(void)
{
    struct vsockif_hdr hdr;

    start(VSOCKIF_FEATURE_SEQPACKET);
    fresh(&other, OTHER);
    REQUIRE(daemon_connect(&other) == 0);
    hdr = rawfront_header(&bad, VSOCKIF_OP_REQUEST, PORT, HOST_PORT);
    hdr.type = SEQ;
    hdr.dst_cid = OTHER_CID;
    rawfront_send(&bad, &hdr);
    EQ(hear(), VSOCKIF_OP_RST | SEQ << 8);
    EQ(bad.heard[0], VSOCKIF_REASON_STREAMS);
    EQ(rawfront_recv(&other, &hdr, 0), 0);
    hdr = rawfront_header(&bad, VSOCKIF_OP_REQUEST, PORT, HOST_PORT);
    hdr.dst_cid = OTHER_CID;
    rawfront_send(&bad, &hdr);                  /* a stream is another matter */
    rawfront_kick(&bad);
    REQUIRE(rawfront_recv(&other, &hdr, PATIENCE_MS));
    EQ(hdr.op, VSOCKIF_OP_REQUEST);
    EQ(hdr.type, STREAM);
    stop();
}

/* ---- the end ---- */

static void a_message_without_end_is_a_reset_that_says_so(void)
{
    start(VSOCKIF_FEATURE_SEQPACKET);
    join();
    goes_on();
    for (struct vsockif_hdr hdr = { .op = VSOCKIF_OP_RW }; hdr.op != VSOCKIF_OP_RST;) {
        uint32_t len = told - sent < 4096 ? told - sent : 4096;

        if (len)
            say(SEQ, VSOCKIF_OP_RW, len, 0);
        rawfront_kick(&bad);
        in_ring -= rawfront_reap(&bad, 0, 0);
        if (rawfront_recv(&bad, &hdr, len ? 0 : PATIENCE_MS) && hdr.op == VSOCKIF_OP_CREDIT_UPDATE)
            told = hdr.fwd_cnt + hdr.buf_alloc;
        REQUIRE(len || hdr.op != VSOCKIF_OP_RW);
        EQ(hdr.op == VSOCKIF_OP_RST ? hdr.type : SEQ, SEQ);
    }
    EQ(bad.heard[0], VSOCKIF_REASON_SIZE);
    EQ(host_takes(&(char){ 0 }, 1), 0);         /* it sees nothing of it */
    stop();
}

static void half_a_message_is_never_seen(void)
{
    uint8_t got[8192];

    start(VSOCKIF_FEATURE_SEQPACKET);
    join();
    goes_on();
    say(SEQ, VSOCKIF_OP_RW, 3000, 0);
    say(SEQ, VSOCKIF_OP_SHUTDOWN, 0, VSOCKIF_SHUTDOWN_SEND);
    rawfront_kick(&bad);
    EQ(host_takes(got, sizeof got), 0);
    close(host);
    host = -1;
    for (unsigned what; (what = hear() & 0xff) != VSOCKIF_OP_RST;)      /* all over, and in order */
        REQUIRE(what == VSOCKIF_OP_SHUTDOWN);
    EQ(bad.heard[0], VSOCKIF_REASON_NONE);
    stop();
}

/* ---- floods ---- */

/* As many messages, or parts of them, of len bytes as go, until nothing does although the daemon has had time. */
static uint32_t flood(uint32_t len, uint32_t flags, uint32_t most)
{
    uint32_t n = 0;

    for (int idle = 0; idle < 5 && n < most;) {
        if (sent + len > told || in_ring >= ring_slots(&bad.tx) - VSOCKIF_CONTROL_SLOTS) {
            daemon_rounds();
            hear_credit();
            idle++;
            continue;
        }
        say(SEQ, VSOCKIF_OP_RW, len, flags);
        n++;
        idle = 0;
    }
    rawfront_kick(&bad);
    return n;
}

/* Nobody reads: each costs the kernel 768 bytes.  What the daemon and the kernel hold of it together has its limit (held.h), and all of
 * them come out as they went in. */
static void a_flood_of_the_smallest_messages_is_held_and_comes_out(void)
{
    uint32_t n;
    char two[2];

    start(VSOCKIF_FEATURE_SEQPACKET);
    join();
    hear_credit();
    n = flood(1, EOM, UINT32_MAX);
    CU_ASSERT_TRUE(n > 1000);
    CU_ASSERT_TRUE(daemon_lives());
    for (uint32_t i = 0; i < n; i++)
        REQUIRE(host_takes(two, sizeof two) == 1);
    EQ(recv(host, two, sizeof two, MSG_DONTWAIT), -1);
    goes_on();
    stop();
}

/* More pieces than a system call takes, some of them moved out of the guest's pool meanwhile. */
static void a_message_in_a_thousand_parts_arrives_as_one(void)
{
    static uint8_t got[100000];
    uint32_t n;

    start(VSOCKIF_FEATURE_SEQPACKET);
    join();
    hear_credit();
    memset(bad.tx_pool, 'm', bad.pool * VSOCKIF_PAGE_SIZE);
    n = flood(7, 0, 1000);
    EQ(n, 1000);
    say(SEQ, VSOCKIF_OP_RW, 7, EOM);
    rawfront_kick(&bad);
    EQ(host_takes(got, sizeof got), 7007);
    for (uint32_t i = 0; i < 7007; i++)
        REQUIRE(got[i] == 'm');
    goes_on();
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(flags_that_cannot_be_close_the_device),
        TEST(the_type_without_the_feature_closes_the_device),
        TEST(types_that_are_mixed_cost_neither_connection_nor_device),
        TEST(an_older_guest_is_not_asked_and_the_caller_hears_why),
        TEST(a_message_without_end_is_a_reset_that_says_so),
        TEST(half_a_message_is_never_seen),
        TEST(a_flood_of_the_smallest_messages_is_held_and_comes_out),
        TEST(a_message_in_a_thousand_parts_arrives_as_one),
    };
    int status;

    if (!hosted_is_here())
        return 2;
    status = harness_run("hostile guest: messages", tests, sizeof tests / sizeof *tests, argc, argv);
    if (daemon_lives())
        daemon_stop(SIGKILL);
    return status;
}
