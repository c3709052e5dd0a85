/* SPDX-License-Identifier: MIT */
/* test_relay.c: what passes from one guest to another, and how the end of one is the end of the other.
 *
 * Two guests by hand, a and b; a opens.  Each says that it has consumed what it has received, unless a test holds that back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define A_PORT 600u
#define B_PORT 700u
#define RCV    VSOCKIF_SHUTDOWN_RCV
#define SEND   VSOCKIF_SHUTDOWN_SEND

struct end {
    struct rawfront f;
    uint32_t domid, port;
    struct end *other;
    uint32_t sent, got, fwd;            /* bytes; what it says that it has consumed */
    uint32_t alloc;                     /* its buffer, as it says */
    uint32_t at;                        /* where its next packet goes in its pool */
    struct vsockif_hdr last;            /* the packet before */
    uint8_t data[VSOCKIF_MAX_PACKET];   /* …and what was in it */
};

static struct end a = { .domid = 1, .port = A_PORT, .other = NULL }, b = { .domid = 2, .port = B_PORT, .other = &a };

/* ---- the two guests ---- */

static void end_open(struct end *e)
{
    REQUIRE(rawfront_open(&e->f, e->domid) == 0);
    REQUIRE(daemon_connect(&e->f) == 0);
    e->sent = e->got = e->fwd = e->at = 0;
    e->alloc = 262144;
}

static void start_with(const char *conf, const char *policy)
{
    a.other = &b;
    toolstack_open();
    domain_make(1, "web1", NULL);
    domain_make(2, "db1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(policy);
    REQUIRE(daemon_start(conf) == 0);
    end_open(&a);
    end_open(&b);
}

static void start(void)
{
    start_with("[daemon]\n", POLICY_OPEN);
}

static void stop(void)
{
    rawfront_close(&a.f);
    rawfront_close(&b.f);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(1);
    domain_remove(2);
    toolstack_close();
}

static struct vsockif_hdr header(struct end *e, unsigned op)
{
    struct vsockif_hdr hdr = rawfront_header(&e->f, op, e->port, e->other->port);

    hdr.dst_cid = e->other->f.cid;
    hdr.buf_alloc = e->alloc;
    hdr.fwd_cnt = e->fwd;
    return hdr;
}

static void say_flags(struct end *e, unsigned op, uint32_t flags)
{
    struct vsockif_hdr hdr = header(e, op);

    hdr.flags = flags;
    rawfront_send(&e->f, &hdr);
    rawfront_kick(&e->f);
}

static void say(struct end *e, unsigned op)
{
    say_flags(e, op, 0);
}

/* One packet; its bytes tell their place in the stream.  Not published: rawfront_kick().  Packets follow one another in the pool, which
 * holds more than may be on its way. */
static void put(struct end *e, uint32_t len)
{
    struct vsockif_slot slot = { .hdr = header(e, VSOCKIF_OP_RW), .id = e->f.next_id++ % ring_slots(&e->f.tx), .size = len };

    if (e->at + len > RAWFRONT_POOL * VSOCKIF_PAGE_SIZE)
        e->at = 0;
    slot.off = e->at;
    slot.hdr.len = len;
    for (uint32_t i = 0; i < len; i++)
        e->f.tx_pool[e->at + i] = (uint8_t)((e->sent + i) * 7 >> 3);
    rawfront_put(&e->f, &slot);
    e->at += len;
    e->sent += len;
}

static void send_data(struct end *e, uint32_t len)
{
    put(e, len);
    rawfront_kick(&e->f);
}

/* The next packet, whatever it is. */
static unsigned hear(struct end *e)
{
    if (!rawfront_recv_data(&e->f, &e->last, e->data, PATIENCE_MS)) {
        fprintf(stderr, "nothing comes to domain %u\n", e->domid);
        return 0;
    }
    for (uint32_t i = 0; e->last.op == VSOCKIF_OP_RW && i < e->last.len; i++)
        if (e->data[i] != (uint8_t)((e->got + i) * 7 >> 3)) {
            fprintf(stderr, "byte %u at domain %u is not what was sent\n", e->got + i, e->domid);
            return 0;
        }
    if (e->last.op == VSOCKIF_OP_RW)
        e->got += e->last.len;
    return e->last.op;
}

/* The next packet that is no news of credit alone. */
static unsigned hear_more(struct end *e)
{
    unsigned op;

    while ((op = hear(e)) == VSOCKIF_OP_CREDIT_UPDATE || op == VSOCKIF_OP_CREDIT_REQUEST)
        ;
    return op;
}

/* Until it has so many bytes in all; it consumes them. */
static void gets(struct end *e, uint32_t all)
{
    while (e->got < all)
        if (hear_more(e) != VSOCKIF_OP_RW) {
            fprintf(stderr, "domain %u got %u bytes of %u, and then op %u\n", e->domid, e->got, all, e->last.op);
            CU_FAIL("not all of the data comes");
            return;
        }
    e->fwd = e->got;
}

/* a is told that b has consumed so much. */
static void hears_of_credit(uint32_t fwd)
{
    do {
        REQUIRE(hear(&a) == VSOCKIF_OP_CREDIT_UPDATE);
    } while (a.last.fwd_cnt != fwd);
}

static void join(void)
{
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    say(&b, VSOCKIF_OP_RESPONSE);
    EQ(hear(&a), VSOCKIF_OP_RESPONSE);
}

static long long connections(void)
{
    return daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "connections");
}

/* ---- opening ---- */

static void addresses_and_bytes_pass_both_ways(void)
{
    start();
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    EQ(b.last.src_cid, a.f.cid);
    EQ(b.last.dst_cid, b.f.cid);
    EQ(b.last.src_port, A_PORT);
    EQ(b.last.dst_port, B_PORT);
    say(&b, VSOCKIF_OP_RESPONSE);
    EQ(hear(&a), VSOCKIF_OP_RESPONSE);
    EQ(a.last.src_cid, b.f.cid);
    EQ(a.last.src_port, B_PORT);
    send_data(&a, 5);
    gets(&b, 5);
    send_data(&b, 7);
    gets(&a, 7);
    /* More than the pieces that are at hand: each guest's buffers and pools lie differently. */
    put(&a, 60001);
    put(&a, 4095);
    put(&a, 1);
    send_data(&a, 4097);
    gets(&b, 5 + 60001 + 4095 + 1 + 4097);
    stop();
}

static void neither_is_promised_more_than_the_other_has(void)
{
    start();
    a.alloc = 5000;
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    EQ(b.last.buf_alloc, 5000);
    b.alloc = 3000;
    say(&b, VSOCKIF_OP_RESPONSE);
    EQ(hear(&a), VSOCKIF_OP_RESPONSE);
    EQ(a.last.buf_alloc, 3000);
    send_data(&a, 3000);
    gets(&b, 3000);
    say(&b, VSOCKIF_OP_CREDIT_UPDATE);
    hears_of_credit(3000);
    send_data(&a, 3000);
    gets(&b, 6000);
    stop();
}

/* Credit that was used up comes back when the other guest has consumed, and no sooner: else the daemon would hold the data. */
static void credit_is_the_other_guests(void)
{
    start();
    b.alloc = 20000;
    join();
    EQ(a.last.buf_alloc, 20000);
    send_data(&a, 20000);
    while (b.got < 20000)
        EQ(hear_more(&b), VSOCKIF_OP_RW);
    daemon_rounds();
    while (ring_pending(&a.f.rx) > 0) {
        hear(&a);
        EQ(a.last.fwd_cnt, 0);
    }
    b.fwd = 12000;
    say(&b, VSOCKIF_OP_CREDIT_UPDATE);
    hears_of_credit(12000);
    send_data(&a, 12000);
    gets(&b, 32000);
    stop();
}

static void hears_nothing(void)
{
    daemon_rounds();
    EQ(ring_pending(&a.f.rx), 0);
}

/* b's program waits for more than is there (SO_RCVLOWAT), and what it has taken is less than half: nobody else goes on. */
static void a_sender_without_room_is_told_of_a_quarter(void)
{
    start();
    b.alloc = 20000;
    join();
    send_data(&a, 20000);
    while (b.got < 20000)
        EQ(hear_more(&b), VSOCKIF_OP_RW);
    b.fwd = 6000;
    say(&b, VSOCKIF_OP_CREDIT_UPDATE);
    hears_of_credit(6000);
    send_data(&a, 6000);
    while (b.got < 26000)
        EQ(hear_more(&b), VSOCKIF_OP_RW);
    stop();
}

/* …and not before it is without: bulk would pay for it. */
static void a_sender_with_room_is_told_of_it_when_it_is_used_up(void)
{
    start();
    b.alloc = 20000;
    join();
    send_data(&a, 15000);
    while (b.got < 15000)
        EQ(hear_more(&b), VSOCKIF_OP_RW);
    b.fwd = 6000;
    say(&b, VSOCKIF_OP_CREDIT_UPDATE);
    hears_nothing();
    send_data(&a, 5000);
    hears_of_credit(6000);
    stop();
}

static void a_guest_that_refuses_refuses_to_the_other(void)
{
    start();
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    EQ(connections(), 2);
    say(&b, VSOCKIF_OP_RST);
    EQ(hear(&a), VSOCKIF_OP_RST);
    EQ(connections(), 0);
    join();                             /* the addresses are free again */
    stop();
}

static void a_guest_that_gives_up_before_the_answer_takes_it_back(void)
{
    start();
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    say(&a, VSOCKIF_OP_RST);
    EQ(hear(&b), VSOCKIF_OP_RST);
    EQ(connections(), 0);
    stop();
}

static void refused_by_the_daemon(uint64_t cid)
{
    struct vsockif_hdr hdr = header(&a, VSOCKIF_OP_REQUEST);

    hdr.dst_cid = cid;
    rawfront_send(&a.f, &hdr);
    rawfront_kick(&a.f);
    EQ(hear(&a), VSOCKIF_OP_RST);
    EQ(a.last.src_cid, cid);
    EQ(connections(), 0);
    EQ(ring_pending(&b.f.rx), 0);
}

static void nobody_itself_and_who_is_not_connected_are_refused(void)
{
    start();
    refused_by_the_daemon(4000);
    refused_by_the_daemon(a.f.cid);
    rawfront_unshare(&b.f);
    REQUIRE(rawfront_wait(&b.f, VSOCKIF_CLOSING) == 0);
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&a), VSOCKIF_OP_RST);
    stop();
}

static void who_may_not_speak_is_refused_with_a_line_in_the_log(void)
{
    long mark;

    start_with("[daemon]\n", NULL);
    mark = daemon_log_mark();
    refused_by_the_daemon(b.f.cid);
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): may not reach guest db1 (domid 2): port 700: (built in)/90-default.policy:"));
    stop();
}

/* The other guest has as many connections as it may have. */
static void a_guest_that_is_full_refuses(void)
{
    struct vsockif_hdr hdr;
    int host;

    start_with("[daemon]\nmax_connections = 1\n", POLICY_OPEN);
    host = host_connect("db1");
    REQUIRE(host >= 0 && write(host, "CONNECT 9\n", 10) == 10);
    EQ(hear(&b), VSOCKIF_OP_REQUEST);
    EQ(connections(), 1);
    say(&a, VSOCKIF_OP_REQUEST);
    EQ(hear(&a), VSOCKIF_OP_RST);
    EQ(ring_pending(&b.f.rx), 0);
    hdr = rawfront_header(&b.f, VSOCKIF_OP_RST, 9, b.last.src_port);
    rawfront_send(&b.f, &hdr);
    rawfront_kick(&b.f);
    UNTIL(connections() == 0);
    join();
    close(host);
    stop();
}

/* ---- the end ---- */

static void a_reset_of_one_is_a_reset_of_the_other(void)
{
    struct end *const ends[] = { &a, &b };

    start();
    for (int i = 0; i < 2; i++) {
        struct end *e = ends[i];

        join();
        EQ(connections(), 2);
        say(e, VSOCKIF_OP_RST);
        EQ(hear(e->other), VSOCKIF_OP_RST);
        daemon_rounds();
        EQ(connections(), 0);
        EQ(ring_pending(&e->f.rx), 0);          /* an RST is not answered */
    }
    stop();
}

static void what_was_sent_before_a_reset_comes_before_it(void)
{
    struct vsockif_hdr hdr;

    start();
    join();
    daemon_freeze();
    for (int i = 0; i < 5; i++)
        put(&a, 20000);
    hdr = header(&a, VSOCKIF_OP_RST);
    rawfront_send(&a.f, &hdr);
    rawfront_kick(&a.f);
    daemon_signal(SIGCONT);
    EQ(hear_more(&b), VSOCKIF_OP_SHUTDOWN);     /* who is over takes no more: that need not wait */
    EQ(b.last.flags, VSOCKIF_SHUTDOWN_RCV);
    gets(&b, 100000);
    EQ(hear_more(&b), VSOCKIF_OP_RST);
    UNTIL(connections() == 0);
    stop();
}

static void each_direction_ends_by_itself_and_both_ends_in_order(void)
{
    start();
    join();
    put(&a, 1000);
    say_flags(&a, VSOCKIF_OP_SHUTDOWN, SEND);
    gets(&b, 1000);
    EQ(hear_more(&b), VSOCKIF_OP_SHUTDOWN);
    EQ(b.last.flags, SEND);
    send_data(&b, 2000);                        /* the other direction is as it was */
    gets(&a, 2000);
    say(&a, VSOCKIF_OP_CREDIT_UPDATE);
    put(&b, 500);
    say_flags(&b, VSOCKIF_OP_SHUTDOWN, SEND);
    gets(&a, 2500);
    EQ(hear_more(&a), VSOCKIF_OP_SHUTDOWN);
    CU_ASSERT_TRUE(a.last.flags & SEND);
    say(&a, VSOCKIF_OP_CREDIT_UPDATE);          /* all is consumed */
    EQ(hear_more(&a), VSOCKIF_OP_RST);
    EQ(a.last.fwd_cnt, 1000);
    EQ(hear_more(&b), VSOCKIF_OP_RST);
    EQ(b.last.fwd_cnt, 2500);
    UNTIL(connections() == 0);
    stop();
}

/* It may be deaf while the other's data is on its way: that is dropped, and no rule is broken by it. */
static void a_guest_that_receives_no_more_is_sent_no_more(void)
{
    start();
    join();
    say_flags(&b, VSOCKIF_OP_SHUTDOWN, RCV);
    EQ(hear_more(&a), VSOCKIF_OP_SHUTDOWN);
    EQ(a.last.flags, RCV);
    send_data(&a, 40000);
    rawfront_reap(&a.f, ring_slots(&a.f.tx), 0);
    daemon_rounds();
    EQ(ring_pending(&b.f.rx), 0);
    EQ(daemon_number(strstr(record_of(1, 0), "\"held\""), "bytes"), 0);
    send_data(&b, 9);
    gets(&a, 9);
    CU_ASSERT_TRUE(record_has(1, 0, "\"state\":\"Connected\""));
    stop();
}

static void the_end_of_a_device_resets_the_other_guests_streams(void)
{
    start();
    join();
    rawfront_unshare(&b.f);
    EQ(hear_more(&a), VSOCKIF_OP_RST);
    UNTIL(connections() == 0);
    stop();
}

/* ---- a guest that is slow ---- */

/* It has given credit, and takes nothing: when all of its buffers are used the data stays in the sender's pool, and then comes whole. */
static void a_guest_without_empty_buffers_gets_all_when_it_has_some(void)
{
    start();
    join();
    for (int i = 0; ring_pending(&b.f.rx) < 64; i++) {
        REQUIRE(i < 64);
        send_data(&a, 100);
        UNTIL(ring_pending(&b.f.rx) == i + 1);
        rawfront_reap(&a.f, 1, PATIENCE_MS);
    }
    send_data(&a, 1000);
    daemon_rounds();
    EQ(rawfront_reap(&a.f, 1, 0), 0);
    EQ(daemon_number(strstr(record_of(1, 0), "\"held\""), "bytes"), 1000);
    gets(&b, 64 * 100 + 1000);
    EQ(daemon_number(strstr(record_of(1, 0), "\"held\""), "bytes"), 0);
    stop();
}

static const struct test tests[] = {
    TEST(addresses_and_bytes_pass_both_ways), TEST(neither_is_promised_more_than_the_other_has),
    TEST(credit_is_the_other_guests), TEST(a_sender_without_room_is_told_of_a_quarter),
    TEST(a_sender_with_room_is_told_of_it_when_it_is_used_up), TEST(a_guest_that_refuses_refuses_to_the_other),
    TEST(a_guest_that_gives_up_before_the_answer_takes_it_back), TEST(nobody_itself_and_who_is_not_connected_are_refused),
    TEST(who_may_not_speak_is_refused_with_a_line_in_the_log), TEST(a_guest_that_is_full_refuses),
    TEST(a_reset_of_one_is_a_reset_of_the_other), TEST(what_was_sent_before_a_reset_comes_before_it),
    TEST(each_direction_ends_by_itself_and_both_ends_in_order), TEST(a_guest_that_receives_no_more_is_sent_no_more),
    TEST(the_end_of_a_device_resets_the_other_guests_streams),
    TEST(a_guest_without_empty_buffers_gets_all_when_it_has_some)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("relay", tests, sizeof tests / sizeof *tests, argc, argv);
}
