/* SPDX-License-Identifier: MIT */
/* test_vconn.c: one connection, with a clock of our own and headers made by hand or by a second connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "vconn.h"

#define KIB   1024u
#define BUF   (256 * KIB)
#define MAX   VSOCKIF_MAX_PACKET
#define RCV   VSOCKIF_SHUTDOWN_RCV
#define SEND  VSOCKIF_SHUTDOWN_SEND
#define BOTH  (RCV | SEND)

#define NO_WHY "no sentence"

static void dump(void *object)
{
    const struct vconn *c = object;

    printf("  %s error %d owed %#x notes %#x here %u told %u peer %u\n"
           "  rx %u fwd %u told_fwd %u alloc %u told_alloc %u granted %u\n"
           "  tx %u peer_fwd %u peer_alloc %u cap %u\n",
           vconn_state_name(c->state), c->error, c->owed, c->notes, c->shut_here, c->shut_told, c->shut_peer,
           c->rx_cnt, c->fwd_cnt, c->told_fwd, c->buf_alloc, c->told_alloc, c->granted,
           c->tx_cnt, c->peer_fwd, c->peer_alloc, c->tx_cap);
}

static struct vsockif_hdr header(unsigned op, uint32_t len, uint32_t flags, uint32_t alloc, uint32_t fwd)
{
    return (struct vsockif_hdr){ .type = VSOCKIF_TYPE_STREAM, .op = (uint16_t)op, .len = len, .flags = flags,
                                 .buf_alloc = alloc, .fwd_cnt = fwd };
}

static unsigned rx(struct vconn *c, unsigned op, uint32_t len, uint32_t flags, uint32_t alloc, uint32_t fwd)
{
    struct vsockif_hdr hdr = header(op, len, flags, alloc, fwd);
    const char *why = NO_WHY;
    unsigned now = vconn_rx(c, &hdr, 0, &why);

    if (!(now & VCONN_NOW_VIOLATION))
        CU_ASSERT_PTR_NULL(vconn_invariant(c));
    CU_ASSERT_EQUAL((now & VCONN_NOW_VIOLATION) != 0, strcmp(why, NO_WHY) != 0);
    return now;
}

/* The op of the next packet that c owes, 0 for none. */
static unsigned owed(struct vconn *c, struct vsockif_hdr *hdr)
{
    struct vsockif_hdr scratch;

    return vconn_owed(c, hdr ? hdr : &scratch) ? (hdr ? hdr->op : scratch.op) : 0;
}

static void send_to(struct vconn *from, struct vconn *to, uint32_t len)
{
    struct vsockif_hdr hdr;
    const char *why = NO_WHY;

    REQUIRE(len <= vconn_room(from));
    vconn_send(from, len, &hdr);
    vconn_rx(to, &hdr, 0, &why);
    CU_ASSERT_STRING_EQUAL(why, NO_WHY);
}

/* Carries what either end owes to the other until both are silent; counts the packets. */
static unsigned settle(struct vconn *a, struct vconn *b)
{
    struct vsockif_hdr hdr;
    const char *why = NO_WHY;
    unsigned packets = 0, before;

    do {
        before = packets;
        for (; vconn_owed(a, &hdr); packets++)
            vconn_rx(b, &hdr, 0, &why);
        for (; vconn_owed(b, &hdr); packets++)
            vconn_rx(a, &hdr, 0, &why);
        REQUIRE(packets < 1000);
    } while (packets != before);
    CU_ASSERT_STRING_EQUAL(why, NO_WHY);
    CU_ASSERT_PTR_NULL(vconn_invariant(a));
    CU_ASSERT_PTR_NULL(vconn_invariant(b));
    return packets;
}

static void join(struct vconn *a, struct vconn *b, uint32_t a_buf, uint32_t b_buf, uint32_t cap)
{
    struct vsockif_hdr hdr;

    harness_on_failure(dump, a);
    vconn_open(a, a_buf, cap, VCONN_CONNECT_MS, 0);
    REQUIRE(vconn_owed(a, &hdr));
    vconn_offer(b, &hdr, b_buf, cap);
    vconn_answer(b);
    settle(a, b);
    REQUIRE(a->state == VCONN_ESTABLISHED && b->state == VCONN_ESTABLISHED);
}

/* An established connection whose peer is this test: it gave us 'alloc' bytes. */
static void establish(struct vconn *c, uint32_t buf, uint32_t cap, uint32_t alloc)
{
    harness_on_failure(dump, c);
    vconn_open(c, buf, cap, VCONN_CONNECT_MS, 0);
    EQ(owed(c, NULL), VSOCKIF_OP_REQUEST);
    rx(c, VSOCKIF_OP_RESPONSE, 0, 0, alloc, 0);
    REQUIRE(c->state == VCONN_ESTABLISHED);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

static void a_connection_begins_with_a_request_that_states_our_buffer(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    vconn_open(&c, BUF, BUF, 2000, 1000);
    EQ(vconn_deadline(&c), 3000);
    EQ(vconn_room(&c), 0);
    EQ(owed(&c, &hdr), VSOCKIF_OP_REQUEST);
    EQ(hdr.type, VSOCKIF_TYPE_STREAM);
    EQ(hdr.buf_alloc, BUF);
    EQ(hdr.fwd_cnt, 0);
    EQ(hdr.len, 0);
    EQ(hdr.flags, 0);
    EQ(owed(&c, NULL), 0);
}

static void a_response_opens_and_brings_room(void)
{
    struct vconn c;

    vconn_open(&c, BUF, BUF, 2000, 0);
    owed(&c, NULL);
    EQ(rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, 4096, 0), VCONN_NOW_OPEN | VCONN_NOW_ROOM | VCONN_NOW_CREDIT);
    EQ(c.state, VCONN_ESTABLISHED);
    EQ(vconn_deadline(&c), VCONN_NO_DEADLINE);
    EQ(vconn_room(&c), 4096);
}

static void a_refusal_is_econnrefused_and_a_later_reset_econnreset(void)
{
    struct vconn c;

    vconn_open(&c, BUF, BUF, 2000, 0);
    owed(&c, NULL);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(c.error, ECONNREFUSED);
    EQ(owed(&c, NULL), 0);

    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(c.error, ECONNRESET);
    EQ(owed(&c, NULL), 0);
}

static void connect_times_out_without_a_clock(void)
{
    struct vconn c;

    vconn_open(&c, BUF, BUF, 2000, 1000);
    owed(&c, NULL);
    EQ(vconn_expire(&c, 2999), 0);
    EQ(vconn_expire(&c, 3000), VCONN_NOW_CLOSED);
    EQ(c.error, ETIMEDOUT);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);     /* the answer may be on its way */
    EQ(vconn_expire(&c, 9000), 0);
}

static void a_request_that_never_left_needs_no_rst(void)
{
    struct vconn c;

    vconn_open(&c, BUF, BUF, 2000, 0);
    vconn_expire(&c, 2000);
    EQ(c.error, ETIMEDOUT);
    EQ(owed(&c, NULL), 0);

    vconn_open(&c, BUF, BUF, 2000, 0);
    vconn_close(&c, 0);
    EQ(c.state, VCONN_CLOSED);
    EQ(owed(&c, NULL), 0);
}

static void closing_a_request_that_left_sends_an_rst(void)
{
    struct vconn c;

    vconn_open(&c, BUF, BUF, 2000, 0);
    owed(&c, NULL);
    vconn_close(&c, 0);
    EQ(c.state, VCONN_CLOSED);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

static void nothing_is_sent_before_the_response_has_left(void)
{
    struct vconn c;
    struct vsockif_hdr request = header(VSOCKIF_OP_REQUEST, 0, 0, 4096, 0);

    vconn_offer(&c, &request, BUF, BUF);
    EQ(vconn_room(&c), 0);
    vconn_answer(&c);
    EQ(vconn_room(&c), 0);
    vconn_want_room(&c);
    vconn_shutdown(&c, SEND, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_RESPONSE);
    EQ(owed(&c, NULL), VSOCKIF_OP_SHUTDOWN);
    EQ(owed(&c, NULL), 0);

    vconn_offer(&c, &request, BUF, BUF);
    vconn_answer(&c);
    EQ(owed(&c, NULL), VSOCKIF_OP_RESPONSE);
    EQ(vconn_room(&c), 4096);
}

static void what_an_earlier_connection_left_behind_does_not_hit_a_new_one(void)
{
    struct vconn c;

    /* We reset a connection and open another with the same addresses; until the peer sees our RST it goes on with the
     * old one.  fwd_cnt 5000 belongs to that one and must not be judged. */
    vconn_open(&c, BUF, BUF, 2000, 0);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), 0);
    EQ(rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, BUF, 0), 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_REQUEST);
    EQ(rx(&c, VSOCKIF_OP_RW, 100, 0, BUF, 5000), 0);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, BUF, 5000), 0);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_REQUEST, 0, 0, BUF, 5000), 0);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, BOTH, BUF, 5000), 0);
    EQ(owed(&c, NULL), 0);
    EQ(rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, BUF, 0) & VCONN_NOW_OPEN, VCONN_NOW_OPEN);
}

static void an_offer_waits_and_can_be_taken_back(void)
{
    struct vconn c;
    struct vsockif_hdr request = header(VSOCKIF_OP_REQUEST, 0, 0, 4096, 0);

    vconn_offer(&c, &request, BUF, BUF);
    EQ(c.state, VCONN_OFFERED);
    EQ(vconn_deadline(&c), VCONN_NO_DEADLINE);
    EQ(owed(&c, NULL), 0);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(owed(&c, NULL), 0);
    vconn_answer(&c);
    EQ(c.state, VCONN_CLOSED);

    vconn_offer(&c, &request, BUF, BUF);
    vconn_abort(&c, ECONNREFUSED, REASON(NONE));
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
    EQ(c.error, ECONNREFUSED);

    vconn_offer(&c, &request, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RW, 1, 0, 4096, 0), VCONN_NOW_CLOSED);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

/* ---- credit --------------------------------------------------------------------------------------- */

static void the_examples_of_the_specification_hold(void)
{
    struct vconn c;

    /* peer_buf_alloc 262144, tx_cnt 300000, peer_fwd_cnt 100000 */
    establish(&c, BUF, UINT32_MAX, 262144);
    c.tx_cnt = 300000, c.peer_fwd = 100000;
    EQ(vconn_room(&c), 62144);

    /* tx_cnt 5 (wrapped), peer_fwd_cnt 0xfffffffb: in flight 10 */
    c.tx_cnt = 5, c.peer_fwd = 0xfffffffb;
    EQ(vconn_room(&c), 262144 - 10);

    /* peer_buf_alloc shrinks to 4096 with 200000 in flight */
    c.tx_cnt = 200000, c.peer_fwd = 0;
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 4096, 0), VCONN_NOW_CREDIT);
    EQ(vconn_room(&c), 0);
}

static void the_window_is_the_smaller_of_the_peers_and_our_own(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, BUF, 10000, UINT32_MAX);
    EQ(vconn_room(&c), 10000);
    vconn_send(&c, 6000, &hdr);
    EQ(hdr.op, VSOCKIF_OP_RW);
    EQ(hdr.len, 6000);
    EQ(vconn_room(&c), 4000);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 3000, 0), VCONN_NOW_CREDIT);
    EQ(vconn_room(&c), 0);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 3000, 5000), VCONN_NOW_CREDIT | VCONN_NOW_ROOM);
    EQ(vconn_room(&c), 2000);
}

static void a_window_that_shrinks_by_any_amount_leaves_no_room(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    for (uint32_t less = 1; less <= 1000; less++) {
        establish(&c, BUF, BUF, 1000);
        vconn_send(&c, 1000, &hdr);
        rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 1000 - less, 0);
        EQ(vconn_room(&c), 0);
    }
}

/* It may be of an earlier connection of the pair, whose program still reads: so nobody's device is closed for it. */
static void a_fwd_cnt_that_cannot_be_ends_the_connection_with_one_rst(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, BUF, BUF, BUF);
    vconn_send(&c, 1000, &hdr);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, BUF, 1001), VCONN_NOW_CLOSED);
    EQ(c.error, ECONNRESET);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
    EQ(owed(&c, NULL), 0);

    establish(&c, BUF, BUF, BUF);
    vconn_send(&c, 1000, &hdr);
    rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, BUF, 1000);
    EQ(rx(&c, VSOCKIF_OP_RW, 5, 0, BUF, 999), VCONN_NOW_CLOSED);
    EQ(c.rx_cnt, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);

    vconn_open(&c, BUF, BUF, 2000, 0);
    owed(&c, NULL);
    EQ(rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, BUF, 1), VCONN_NOW_CLOSED);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

static void offer(struct vconn *c, uint32_t alloc)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_REQUEST, 0, 0, alloc, 0);

    harness_on_failure(dump, c);
    vconn_offer(c, &hdr, BUF, BUF);
}

/* Linux: setsockopt() of SO_VM_SOCKETS_BUFFER_SIZE while connect() waits. */
static void credit_may_change_before_the_answer(void)
{
    static const unsigned ops[] = { VSOCKIF_OP_CREDIT_UPDATE, VSOCKIF_OP_CREDIT_REQUEST };
    struct vconn c;

    for (int i = 0; i < 2; i++) {
        offer(&c, 1000);
        EQ(rx(&c, ops[i], 0, 0, 5000, 0), VCONN_NOW_CREDIT);
        EQ(owed(&c, NULL), 0);
        vconn_answer(&c);
        EQ(owed(&c, NULL), VSOCKIF_OP_RESPONSE);
        EQ(owed(&c, NULL), 0);
        EQ(vconn_room(&c), 5000);
    }
    offer(&c, 1000);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 5000, 1), VCONN_NOW_CLOSED);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

/* Linux: connect() that was in time-out sends no RST, and is tried again with the same socket. */
static void a_question_that_is_repeated_is_answered_once(void)
{
    struct vconn c;

    offer(&c, 1000);
    EQ(rx(&c, VSOCKIF_OP_REQUEST, 0, 0, 2000, 0), VCONN_NOW_CREDIT);
    EQ(c.state, VCONN_OFFERED);
    EQ(owed(&c, NULL), 0);
    vconn_answer(&c);
    EQ(owed(&c, NULL), VSOCKIF_OP_RESPONSE);
    EQ(owed(&c, NULL), 0);
    EQ(vconn_room(&c), 2000);
}

/* Linux: no more in flight than the sender's own buffer, whatever it was promised, and it does not ask. */
static void a_sender_that_is_bound_by_its_own_buffer_hears_in_time(void)
{
    static const uint32_t own[] = { 128, 4096, 65536, 229376, 262144, 500000 };
    struct vsockif_hdr hdr;
    struct vconn c;

    for (int i = 0; i < 6; i++) {
        uint32_t window = own[i] < 262144 ? own[i] : 262144, fwd = 0, sent = 0;

        establish(&c, 262144, BUF, own[i]);
        for (int turn = 0; turn < 100; turn++) {
            uint32_t room = window - (sent - fwd), len = room < MAX ? room : MAX;

            REQUIRE(len > 0);
            EQ(rx(&c, VSOCKIF_OP_RW, len, 0, own[i], 0), VCONN_NOW_DATA);
            sent += len;
            vconn_consumed(&c, len);
            if (owed(&c, &hdr))
                fwd = hdr.fwd_cnt;
        }
    }
}

static void counters_wrap_without_anyone_noticing(void)
{
    struct vconn a, b;
    uint64_t sent = 0;

    join(&a, &b, BUF, BUF, BUF);
    /* Both ends start 100,000 bytes before the wrap. */
    a.tx_cnt = a.peer_fwd = b.rx_cnt = b.fwd_cnt = b.told_fwd = UINT32_MAX - 100000;
    for (int i = 0; i < 1000; i++) {
        uint32_t len = vconn_room(&a) < 777 ? vconn_room(&a) : 777;

        if (len)
            send_to(&a, &b, len);
        sent += len;
        vconn_consumed(&b, vconn_unread(&b));
        settle(&a, &b);
    }
    EQ(sent, 777000);
    EQ(b.rx_cnt, (uint32_t)(UINT32_MAX - 100000 + 777000));
}

static void an_rst_carries_no_credit_to_judge(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 7, 12345), VCONN_NOW_CLOSED);
}

static void data_beyond_the_credit_is_a_violation(void)
{
    struct vconn c;

    establish(&c, 1000, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0), VCONN_NOW_DATA);
    EQ(vconn_unread(&c), 1000);
    EQ(rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0), VCONN_NOW_VIOLATION);

    establish(&c, 1000, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RW, 1001, 0, BUF, 0), VCONN_NOW_VIOLATION);
}

static void consuming_does_not_grant_before_the_peer_is_told(void)
{
    struct vconn c;

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0);
    vconn_consumed(&c, 1000);
    EQ(rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0), VCONN_NOW_VIOLATION);

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0);
    vconn_consumed(&c, 1000);
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0), VCONN_NOW_DATA);
}

static void a_buffer_that_shrinks_still_takes_what_was_granted(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 10000, BUF, BUF);
    vconn_set_buf_alloc(&c, 100);
    EQ(owed(&c, NULL), 0);
    vconn_send(&c, 1, &hdr);
    EQ(hdr.buf_alloc, 100);
    EQ(rx(&c, VSOCKIF_OP_RW, 9000, 0, BUF, 0), VCONN_NOW_DATA);
    EQ(rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0), VCONN_NOW_DATA);
    EQ(rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0), VCONN_NOW_VIOLATION);
}

static void a_buffer_that_grows_is_announced_at_once(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 1000, BUF, BUF);
    vconn_set_buf_alloc(&c, 5000);
    EQ(owed(&c, &hdr), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(hdr.buf_alloc, 5000);
    EQ(rx(&c, VSOCKIF_OP_RW, 5000, 0, BUF, 0), VCONN_NOW_DATA);

    /* Grown after the REQUEST left, it is announced when the connection opens. */
    vconn_open(&c, 1000, BUF, 2000, 0);
    owed(&c, NULL);
    vconn_set_buf_alloc(&c, 5000);
    EQ(owed(&c, NULL), 0);
    rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, BUF, 0);
    EQ(owed(&c, &hdr), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(hdr.buf_alloc, 5000);
}

static void an_update_is_due_below_half_when_half_was_freed(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 500, 0, BUF, 0);
    vconn_consumed(&c, 500);
    EQ(owed(&c, NULL), 0);                      /* the sender believes in 500, not in less than half */
    rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0);        /* now it does, and half was freed before */
    EQ(owed(&c, &hdr), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(hdr.fwd_cnt, 500);

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0);
    vconn_consumed(&c, 499);
    EQ(owed(&c, NULL), 0);
    vconn_consumed(&c, 1);
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(owed(&c, NULL), 0);
}

static void every_packet_that_leaves_is_an_update(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0);
    vconn_consumed(&c, 1000);
    vconn_send(&c, 1, &hdr);
    EQ(hdr.fwd_cnt, 1000);
    EQ(owed(&c, NULL), 0);
    EQ(rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0), VCONN_NOW_DATA);
}

static void bulk_pays_few_updates(void)
{
    struct vconn a, b;
    unsigned updates = 0;

    join(&a, &b, BUF, BUF, BUF);
    for (int i = 0; i < 256; i++) {             /* 16 MiB through 256 KiB */
        send_to(&a, &b, MAX);
        vconn_consumed(&b, MAX);
        updates += settle(&a, &b);
    }
    CU_ASSERT_TRUE(updates <= 256 / 3 + 1);
    CU_ASSERT_TRUE(updates > 0);
}

static void a_credit_request_is_answered_at_once(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 10, 0, BUF, 0);
    vconn_consumed(&c, 10);
    EQ(owed(&c, NULL), 0);
    rx(&c, VSOCKIF_OP_CREDIT_REQUEST, 0, 0, BUF, 0);
    EQ(owed(&c, &hdr), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(hdr.fwd_cnt, 10);
    EQ(owed(&c, NULL), 0);
}

static void a_cap_below_half_of_the_peers_buffer_does_not_hang(void)
{
    struct vconn a, b;
    unsigned packets;

    /* b's buffer is never half full, so b on its own would say nothing. */
    join(&a, &b, BUF, BUF, 1000);
    for (int i = 0; i < 100; i++) {
        send_to(&a, &b, 1000);
        EQ(vconn_room(&a), 0);
        vconn_want_room(&a);
        packets = settle(&a, &b);               /* request, answer without news */
        EQ(packets, 2);
        vconn_want_room(&a);
        EQ(settle(&a, &b), 0);                  /* asking again is silent until there is news */
        vconn_consumed(&b, 499);
        EQ(settle(&a, &b), 0);
        vconn_consumed(&b, 1);
        EQ(settle(&a, &b), 1);
        EQ(vconn_room(&a), 500);
        vconn_consumed(&b, 500);
        vconn_want_room(&a);
        settle(&a, &b);
        EQ(vconn_room(&a), 1000);
    }
}

static void nobody_asks_for_what_comes_by_itself(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, BUF, BUF, 1000);
    vconn_want_room(&c);
    EQ(owed(&c, NULL), 0);                      /* nothing is in flight: nothing is held back */
    vconn_send(&c, 1000, &hdr);
    vconn_want_room(&c);
    EQ(owed(&c, NULL), 0);                      /* the peer knows that its buffer is used up */
    rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, 1000, 500);
    vconn_want_room(&c);
    vconn_want_room(&c);
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_REQUEST);
    vconn_want_room(&c);
    EQ(owed(&c, NULL), 0);
}

static void a_question_that_left_before_the_last_data_is_asked_again(void)
{
    struct vconn a, b;
    struct vsockif_hdr ask, data;
    const char *why = NO_WHY;

    /* Both ends of the story: a's question leaves, then credit that b sent before arrives and a sends on its strength.  To b the
     * question comes first and finds nothing unread; the data behind it is consumed without a word. */
    join(&a, &b, BUF, BUF, 1000);
    send_to(&a, &b, 1000);
    vconn_want_room(&a);
    EQ(owed(&a, &ask), VSOCKIF_OP_CREDIT_REQUEST);
    vconn_consumed(&b, 1000);
    vconn_send(&b, 1, &data);
    vconn_rx(&a, &data, 0, &why);
    EQ(vconn_room(&a), 1000);
    vconn_want_room(&a);                    /* its owner wants more still: the credit came, so that it may ask */
    EQ(owed(&a, NULL), 0);                  /* but with nothing in flight there is nothing to ask for */
    vconn_rx(&b, &ask, 0, &why);
    send_to(&a, &b, 500);
    vconn_want_room(&a);
    EQ(owed(&a, &ask), VSOCKIF_OP_CREDIT_REQUEST);
    send_to(&a, &b, 500);                   /* behind the question */
    EQ(vconn_room(&a), 0);
    vconn_want_room(&a);
    EQ(owed(&a, NULL), VSOCKIF_OP_CREDIT_REQUEST);
    CU_ASSERT_STRING_EQUAL(why, NO_WHY);
}

static void a_question_is_dropped_when_the_answer_comes_before_it_leaves(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, BUF, 1000, BUF);
    vconn_send(&c, 1000, &hdr);
    vconn_want_room(&c);
    EQ(c.owed, VCONN_OWE_ASK);
    EQ(rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, BUF, 1000), VCONN_NOW_CREDIT | VCONN_NOW_ROOM);
    EQ(owed(&c, NULL), 0);
    vconn_send(&c, 1000, &hdr);
    vconn_want_room(&c);
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_REQUEST);
}

static void a_relay_is_told_when_the_sender_waits(void)
{
    struct vconn c;

    /* It asked, and there is no news. */
    establish(&c, BUF, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0);
    CU_ASSERT_FALSE(vconn_is_pressed(&c));
    EQ(rx(&c, VSOCKIF_OP_CREDIT_REQUEST, 0, 0, BUF, 0), VCONN_NOW_ASKED);
    CU_ASSERT_TRUE(vconn_is_pressed(&c));
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_UPDATE);
    CU_ASSERT_TRUE(vconn_is_pressed(&c));
    vconn_consumed(&c, 500);
    EQ(owed(&c, NULL), VSOCKIF_OP_CREDIT_UPDATE);
    CU_ASSERT_FALSE(vconn_is_pressed(&c));

    /* It has used all that it was told of. */
    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 999, 0, BUF, 0);
    CU_ASSERT_FALSE(vconn_is_pressed(&c));
    rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0);
    CU_ASSERT_TRUE(vconn_is_pressed(&c));
}

static void buffers_of_any_size_carry_any_stream(void)
{
    static const uint32_t sizes[] = { 1, 2, 3, 7, 64, 999, 65535, 65536, BUF };
    enum { COUNT = sizeof sizes / sizeof *sizes };

    for (int i = 0; i < COUNT * COUNT; i++) {
        uint32_t buf = sizes[i / COUNT], cap = sizes[i % COUNT], left = 3 * buf + 10, step = buf / 3 + 1;
        struct vconn a, b;
        unsigned rounds = 0, packets = 0;

        join(&a, &b, buf, buf, cap);
        while (left && rounds++ < 4 * (3 * buf + 10)) {
            uint32_t room = vconn_room(&a), len = room < left ? room : left;

            len = len < MAX ? len : MAX;
            if (len)
                send_to(&a, &b, len);
            else
                vconn_want_room(&a);
            left -= len;
            packets += settle(&a, &b);
            vconn_consumed(&b, step);
            packets += settle(&a, &b);
        }
        EQ(left, 0);
        CU_ASSERT_TRUE(packets <= 4 * rounds);
        if (left)
            dump(&a), dump(&b);
    }
}

/* ---- half-close and close ----------------------------------------------------------------------------- */

static void half_close_is_exact_in_both_directions(void)
{
    struct vconn a, b;
    struct vsockif_hdr hdr;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 100);
    vconn_shutdown(&a, SEND, 0);
    EQ(vconn_room(&a), 0);
    CU_ASSERT_TRUE(vconn_is_send_shut(&a));
    EQ(owed(&a, &hdr), VSOCKIF_OP_SHUTDOWN);
    EQ(hdr.flags, SEND);
    EQ(rx(&b, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0), VCONN_NOW_EOF);
    EQ(vconn_unread(&b), 100);

    /* The other direction goes on. */
    send_to(&b, &a, 5000);
    vconn_consumed(&a, 5000);
    vconn_consumed(&b, 100);
    settle(&a, &b);
    EQ(a.state, VCONN_ESTABLISHED);
    EQ(b.state, VCONN_ESTABLISHED);

    vconn_shutdown(&b, SEND, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(b.state, VCONN_CLOSED);
    EQ(a.error, 0);
    EQ(b.error, 0);
}

static void a_peer_that_stops_receiving_makes_us_deaf_not_blind(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, RCV, BUF, 0), VCONN_NOW_DEAF);
    EQ(vconn_room(&c), 0);
    CU_ASSERT_TRUE(vconn_is_send_shut(&c));
    EQ(rx(&c, VSOCKIF_OP_RW, 10, 0, BUF, 0), VCONN_NOW_DATA);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, BOTH, BUF, 0), VCONN_NOW_EOF);     /* 10 bytes are unread */
    EQ(c.state, VCONN_ESTABLISHED);
    vconn_consumed(&c, 10);
    EQ(c.state, VCONN_CLOSED);
    EQ(c.error, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

/* The second packet does not say again what the first one said. */
static void each_direction_may_be_shut_by_a_packet_of_its_own(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, RCV, BUF, 0), VCONN_NOW_DEAF);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0), VCONN_NOW_EOF | VCONN_NOW_CLOSED);
    EQ(c.shut_peer, BOTH);
    EQ(c.error, 0);
    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RW, 10, 0, BUF, 0), VCONN_NOW_DATA);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0), VCONN_NOW_EOF);
    EQ(rx(&c, VSOCKIF_OP_SHUTDOWN, 0, RCV, BUF, 0), VCONN_NOW_DEAF);
    vconn_consumed(&c, 10);
    EQ(c.state, VCONN_CLOSED);
    EQ(c.error, 0);
}

static void data_after_we_shut_receiving_is_dropped_and_never_counts_as_consumed(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, 1000, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RW, 500, 0, BUF, 0), VCONN_NOW_DATA);
    vconn_consumed(&c, 100);
    vconn_shutdown(&c, RCV, 0);
    EQ(vconn_unread(&c), 0);
    vconn_consumed(&c, 400);                    /* its owner throws away what it holds */
    EQ(owed(&c, &hdr), VSOCKIF_OP_SHUTDOWN);
    EQ(hdr.flags, RCV);
    EQ(hdr.fwd_cnt, 100);
    EQ(rx(&c, VSOCKIF_OP_RW, 500, 0, BUF, 0), VCONN_NOW_DROP);
    EQ(vconn_unread(&c), 0);
    vconn_send(&c, 1, &hdr);
    EQ(hdr.fwd_cnt, 100);
}

/* ---- was all of it consumed? ------------------------------------------------------------------------------- */

/* a has sent 100 bytes, and both ends have shut sending; what b does decides how it ends for a. */
static void shut_both_with_100_bytes_in_b(struct vconn *a, struct vconn *b)
{
    join(a, b, BUF, BUF, BUF);
    send_to(a, b, 100);
    vconn_shutdown(a, SEND, 0);
    settle(a, b);
    vconn_shutdown(b, SEND, 0);
    settle(a, b);
    EQ(a->state, VCONN_ESTABLISHED);            /* nothing is left for a to read, but for b there is */
    EQ(b->state, VCONN_ESTABLISHED);
    CU_ASSERT_FALSE(vconn_is_delivered(a));
}

static void an_end_in_order_means_that_all_was_consumed(void)
{
    struct vconn a, b;

    shut_both_with_100_bytes_in_b(&a, &b);
    vconn_consumed(&b, 99);
    settle(&a, &b);
    EQ(a.state, VCONN_ESTABLISHED);
    vconn_consumed(&b, 1);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, 0);
    CU_ASSERT_TRUE(vconn_is_delivered(&a));
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, 0);
}

static void a_peer_that_resets_after_both_ends_shut_has_not_consumed_all(void)
{
    struct vconn a, b;

    shut_both_with_100_bytes_in_b(&a, &b);
    vconn_consumed(&b, 99);
    vconn_abort(&b, ECONNRESET, REASON(NONE));
    EQ(settle(&a, &b), 1);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, ECONNRESET);
    CU_ASSERT_FALSE(vconn_is_delivered(&a));
}

/* The RST leaves later, when the owner has thrown away what it held: a sender took that for consumed, whose reader had been killed. */
static void what_is_thrown_away_after_the_end_was_not_consumed(void)
{
    struct vconn a, b;
    struct vsockif_hdr hdr;

    shut_both_with_100_bytes_in_b(&a, &b);
    vconn_consumed(&b, 30);
    vconn_abort(&b, ECONNRESET, REASON(ABORTED));
    vconn_consumed(&b, 70);
    EQ(b.error, ECONNRESET);
    EQ(owed(&b, &hdr), VSOCKIF_OP_RST);
    EQ(hdr.fwd_cnt, 30);
    rx(&a, VSOCKIF_OP_RST, 0, 0, hdr.buf_alloc, hdr.fwd_cnt);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, ECONNRESET);
    CU_ASSERT_FALSE(vconn_is_delivered(&a));
}

static void a_peer_that_stops_receiving_with_data_unread_has_not_consumed_all(void)
{
    struct vconn a, b;

    shut_both_with_100_bytes_in_b(&a, &b);
    vconn_shutdown(&b, RCV, 0);
    vconn_consumed(&b, 100);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, ECONNRESET);
    EQ(b.error, 0);                             /* all that b sent was taken, which is nothing */

    /* What crosses a close is lost as well. */
    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 100);
    vconn_consumed(&b, 100);
    vconn_close(&b, 0);
    send_to(&a, &b, 1);
    vconn_shutdown(&a, SEND, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, ECONNRESET);
    CU_ASSERT_FALSE(vconn_is_delivered(&a));

    /* One that closes when it has read all, and the sender adds nothing: in order. */
    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 100);
    vconn_consumed(&b, 100);
    vconn_close(&b, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, 0);
    CU_ASSERT_TRUE(vconn_is_delivered(&a));
}

/* Each has read all, and would wait for the other to say so. */
static void two_ends_that_have_read_all_do_not_wait_for_each_other(void)
{
    struct vconn a, b;
    struct vsockif_hdr from_a, from_b;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 100);
    send_to(&b, &a, 200);
    vconn_shutdown(&a, SEND, 0);
    vconn_shutdown(&b, SEND, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_ESTABLISHED);
    vconn_consumed(&a, 200);
    vconn_consumed(&b, 100);
    EQ(owed(&a, &from_a), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(owed(&b, &from_b), VSOCKIF_OP_CREDIT_UPDATE);
    EQ(owed(&a, NULL), 0);                      /* once */
    CU_ASSERT_TRUE(rx(&a, from_b.op, 0, 0, from_b.buf_alloc, from_b.fwd_cnt) & VCONN_NOW_CLOSED);
    CU_ASSERT_TRUE(rx(&b, from_a.op, 0, 0, from_a.buf_alloc, from_a.fwd_cnt) & VCONN_NOW_CLOSED);
    EQ(a.error, 0);
    EQ(b.error, 0);

    /* The news that waits survives a close, or the other end would wait for eight seconds. */
    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 100);
    send_to(&b, &a, 200);
    vconn_shutdown(&a, SEND, 0);
    vconn_shutdown(&b, SEND, 0);
    settle(&a, &b);
    vconn_consumed(&a, 200);
    vconn_close(&a, 0);
    EQ(a.state, VCONN_CLOSING);
    settle(&a, &b);
    vconn_consumed(&b, 100);
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, 0);
}

static void the_credit_in_an_rst_is_believed_only_if_it_can_be(void)
{
    /* 100 bytes are in flight, and both ends have shut. */
    static const struct { uint32_t alloc, fwd; int error; } cases[] = {
        { BUF, 100, 0 }, { BUF, 99, ECONNRESET }, { BUF, 101, ECONNRESET }, { BUF, UINT32_MAX, ECONNRESET },
        { 0, 0, ECONNRESET }, { 0, 100, ECONNRESET },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vconn a, b;

        shut_both_with_100_bytes_in_b(&a, &b);
        CU_ASSERT_TRUE(rx(&a, VSOCKIF_OP_RST, 0, 0, cases[i].alloc, cases[i].fwd) & VCONN_NOW_CLOSED);
        EQ(a.error, cases[i].error);
        EQ(vconn_is_delivered(&a), !cases[i].error);
    }
}

static void data_after_the_peer_said_it_sends_no_more_is_a_reset(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    rx(&c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0);
    EQ(rx(&c, VSOCKIF_OP_RW, 1, 0, BUF, 0), VCONN_NOW_CLOSED);
    EQ(c.error, ECONNRESET);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

static void bits_once_said_are_not_said_again_but_stay_in_later_packets(void)
{
    struct vconn c;
    struct vsockif_hdr hdr;

    establish(&c, BUF, BUF, BUF);
    vconn_shutdown(&c, RCV, 0);
    EQ(owed(&c, &hdr), VSOCKIF_OP_SHUTDOWN);
    vconn_shutdown(&c, RCV, 0);
    EQ(owed(&c, NULL), 0);
    vconn_shutdown(&c, SEND, 0);
    EQ(owed(&c, &hdr), VSOCKIF_OP_SHUTDOWN);
    EQ(hdr.flags, BOTH);
    EQ(owed(&c, NULL), 0);
}

static void close_is_shutdown_and_then_the_peers_rst(void)
{
    struct vconn a, b;
    struct vsockif_hdr hdr;

    join(&a, &b, BUF, BUF, BUF);
    vconn_close(&a, 500);
    EQ(a.state, VCONN_CLOSING);
    EQ(vconn_deadline(&a), 500 + VCONN_CLOSE_MS);
    EQ(owed(&a, &hdr), VSOCKIF_OP_SHUTDOWN);
    EQ(hdr.flags, BOTH);
    EQ(rx(&b, VSOCKIF_OP_SHUTDOWN, 0, BOTH, BUF, 0), VCONN_NOW_EOF | VCONN_NOW_DEAF | VCONN_NOW_CLOSED);
    EQ(b.error, 0);
    EQ(settle(&a, &b), 1);
    EQ(a.state, VCONN_CLOSED);
    EQ(a.error, 0);
}

static void what_was_sent_before_a_close_is_read_before_the_end(void)
{
    struct vconn a, b;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 1234);
    vconn_close(&a, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSING);
    EQ(b.state, VCONN_ESTABLISHED);
    EQ(vconn_unread(&b), 1234);
    vconn_consumed(&b, 1233);
    EQ(b.state, VCONN_ESTABLISHED);
    vconn_consumed(&b, 1);
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, 0);
    settle(&a, &b);
    EQ(a.state, VCONN_CLOSED);
}

static void close_waits_eight_seconds_and_then_resets(void)
{
    struct vconn a, b;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 10);
    vconn_close(&a, 1000);
    settle(&a, &b);
    EQ(vconn_expire(&a, 8999), 0);
    EQ(vconn_expire(&a, 9000), VCONN_NOW_CLOSED);
    EQ(a.error, ECONNRESET);                    /* nobody has said that the 10 bytes were consumed */
    settle(&a, &b);
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, 0);                             /* a SHUTDOWN came first: the 10 bytes and an end, no error */
    EQ(vconn_unread(&b), 10);
}

static void a_close_that_could_not_leave_in_time_is_still_an_end_and_no_error(void)
{
    struct vconn a, b;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&a, &b, 10);
    vconn_close(&a, 0);
    EQ(vconn_expire(&a, VCONN_CLOSE_MS), VCONN_NOW_CLOSED);
    EQ(settle(&a, &b), 2);
    EQ(b.shut_peer, BOTH);
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, 0);
    EQ(vconn_unread(&b), 10);
}

static void close_with_unread_data_is_an_abort(void)
{
    struct vconn a, b;

    join(&a, &b, BUF, BUF, BUF);
    send_to(&b, &a, 1);
    vconn_close(&a, 0);
    EQ(a.state, VCONN_CLOSED);
    EQ(settle(&a, &b), 1);
    EQ(b.state, VCONN_CLOSED);
    EQ(b.error, ECONNRESET);
}

static void a_simultaneous_close_ends_at_once(void)
{
    struct vconn a, b;
    struct vsockif_hdr from_a, from_b;

    /* Both SHUTDOWNs cross. */
    join(&a, &b, BUF, BUF, BUF);
    vconn_close(&a, 0);
    vconn_close(&b, 0);
    EQ(owed(&a, &from_a), VSOCKIF_OP_SHUTDOWN);
    EQ(owed(&b, &from_b), VSOCKIF_OP_SHUTDOWN);
    CU_ASSERT_TRUE(rx(&a, from_b.op, 0, from_b.flags, from_b.buf_alloc, from_b.fwd_cnt) & VCONN_NOW_CLOSED);
    CU_ASSERT_TRUE(rx(&b, from_a.op, 0, from_a.flags, from_a.buf_alloc, from_a.fwd_cnt) & VCONN_NOW_CLOSED);
    EQ(a.error, 0);
    EQ(b.error, 0);
    EQ(owed(&a, NULL), VSOCKIF_OP_RST);
    EQ(owed(&b, NULL), VSOCKIF_OP_RST);
    EQ(rx(&a, VSOCKIF_OP_RST, 0, 0, 0, 0), 0);
    EQ(owed(&a, NULL), 0);

    /* One arrives before the other has left. */
    join(&a, &b, BUF, BUF, BUF);
    vconn_close(&a, 0);
    vconn_close(&b, 0);
    CU_ASSERT_TRUE(settle(&a, &b) <= 2);
    EQ(a.state, VCONN_CLOSED);
    EQ(b.state, VCONN_CLOSED);
    EQ(a.error, 0);
    EQ(b.error, 0);
}

static void an_end_of_stream_that_has_not_left_is_not_replaced_by_an_rst(void)
{
    struct vconn a, b;

    /* a's SHUTDOWN waits when b's arrives, which shuts the second direction.  b must still see its end. */
    join(&a, &b, BUF, BUF, BUF);
    vconn_shutdown(&a, SEND, 0);
    rx(&a, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0);
    EQ(a.state, VCONN_ESTABLISHED);
    vconn_shutdown(&b, SEND, 0);
    owed(&b, NULL);
    settle(&a, &b);
    EQ(b.shut_peer, SEND);
    EQ(b.error, 0);
    EQ(a.error, 0);
    EQ(a.state, VCONN_CLOSED);
    EQ(b.state, VCONN_CLOSED);
}

static void an_rst_is_judged_by_what_had_been_said_and_not_by_what_waits(void)
{
    struct vconn c;

    /* Both have said that they send no more.  Then we add that we do not receive, and the RST of the orderly end meets it. */
    establish(&c, BUF, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 5, 0, BUF, 0);
    vconn_shutdown(&c, SEND, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_SHUTDOWN);
    rx(&c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0);
    vconn_shutdown(&c, RCV, 0);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(c.error, 0);

    /* An RST that meets a SHUTDOWN which has not left does not answer it. */
    establish(&c, BUF, BUF, BUF);
    vconn_shutdown(&c, BOTH, 0);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(c.error, ECONNRESET);
}

static void close_after_both_ends_shut_sends_nothing_more(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    rx(&c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0);
    vconn_shutdown(&c, SEND, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_SHUTDOWN);
    vconn_close(&c, 0);
    EQ(c.state, VCONN_CLOSING);
    EQ(owed(&c, NULL), 0);
    EQ(rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0), VCONN_NOW_CLOSED);
    EQ(c.error, 0);
}

static void our_own_shutdown_alone_does_not_end_a_connection(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    vconn_shutdown(&c, BOTH, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_SHUTDOWN);
    rx(&c, VSOCKIF_OP_RW, 10, 0, BUF, 0);
    vconn_consumed(&c, 10);
    rx(&c, VSOCKIF_OP_CREDIT_UPDATE, 0, 0, BUF, 0);
    EQ(c.state, VCONN_ESTABLISHED);             /* what we sent may be unread at the peer */
    EQ(owed(&c, NULL), 0);
}

static void closing_drops_data_and_wants_nothing(void)
{
    struct vconn c;

    establish(&c, 1000, BUF, BUF);
    vconn_close(&c, 0);
    EQ(owed(&c, NULL), VSOCKIF_OP_SHUTDOWN);
    EQ(rx(&c, VSOCKIF_OP_RW, 1000, 0, BUF, 0), VCONN_NOW_DROP);
    rx(&c, VSOCKIF_OP_CREDIT_REQUEST, 0, 0, BUF, 0);
    EQ(owed(&c, NULL), 0);
    EQ(vconn_room(&c), 0);
}

static void consuming_more_than_there_is_counts_as_all(void)
{
    struct vconn c;

    establish(&c, 1000, BUF, BUF);
    rx(&c, VSOCKIF_OP_RW, 10, 0, BUF, 0);
    vconn_consumed(&c, 5000);
    EQ(vconn_unread(&c), 0);
    EQ(c.fwd_cnt, 10);
}

static void a_transport_reset_owes_nothing(void)
{
    struct vconn c;

    establish(&c, BUF, BUF, BUF);
    vconn_shutdown(&c, SEND, 0);
    vconn_transport_reset(&c);
    EQ(c.state, VCONN_CLOSED);
    EQ(c.error, ECONNRESET);
    EQ(owed(&c, NULL), 0);

    establish(&c, BUF, BUF, BUF);
    vconn_abort(&c, ETIMEDOUT, REASON(NONE));
    vconn_transport_reset(&c);
    EQ(c.error, ETIMEDOUT);
    EQ(owed(&c, NULL), 0);
}

/* ---- all states, all ops -------------------------------------------------------------------------------- */

/* A connection in each of the states, and variants of being shut; false at the end. */
static bool in_state(struct vconn *c, int i)
{
    struct vsockif_hdr request = header(VSOCKIF_OP_REQUEST, 0, 0, BUF, 0);

    if (i == 0) {
        vconn_offer(c, &request, BUF, BUF);
        return true;
    }
    if (i <= 2) {
        vconn_open(c, BUF, BUF, 2000, 0);
        if (i == 2)
            owed(c, NULL);
        return true;
    }
    if (i == 3) {
        vconn_offer(c, &request, BUF, BUF);
        vconn_answer(c);
        return true;
    }
    establish(c, BUF, BUF, BUF);
    switch (i) {
    case 4: return true;
    case 5: rx(c, VSOCKIF_OP_SHUTDOWN, 0, SEND, BUF, 0); return true;
    case 6: rx(c, VSOCKIF_OP_SHUTDOWN, 0, RCV, BUF, 0); return true;
    case 7: rx(c, VSOCKIF_OP_RW, 7, 0, BUF, 0); rx(c, VSOCKIF_OP_SHUTDOWN, 0, BOTH, BUF, 0); return true;
    case 8: vconn_shutdown(c, SEND, 0); return true;
    case 9: vconn_shutdown(c, BOTH, 0); owed(c, NULL); return true;
    case 10: vconn_close(c, 0); return true;
    case 11: vconn_close(c, 0); owed(c, NULL); return true;
    case 12: vconn_abort(c, ECONNRESET, REASON(NONE)); return true;
    case 13: vconn_abort(c, ECONNRESET, REASON(NONE)); owed(c, NULL); return true;
    }
    return false;
}

static void an_rst_is_never_answered(void)
{
    struct vconn c;

    for (int i = 0; in_state(&c, i); i++) {
        unsigned before = c.owed;

        if (c.state == VCONN_CONNECTING && before)
            continue;                           /* our REQUEST has not left: that RST is not for us */
        rx(&c, VSOCKIF_OP_RST, 0, 0, 0, 0);
        EQ(c.state, VCONN_CLOSED);
        EQ(c.owed & ~before, 0);
        EQ(c.owed & ~VCONN_OWE_RST, 0);
    }
}

static void an_op_that_does_not_fit_ends_the_connection_with_one_rst(void)
{
    struct vconn c;
    int ended = 0;

    for (int i = 0; in_state(&c, i); i++) {
        unsigned state = c.state, now = rx(&c, VSOCKIF_OP_REQUEST, 0, 0, BUF, 0);

        if (state == VCONN_CLOSED || state == VCONN_OFFERED)
            continue;
        EQ(now, VCONN_NOW_CLOSED);
        EQ(c.error, ECONNRESET);
        EQ(owed(&c, NULL), VSOCKIF_OP_RST);
        EQ(owed(&c, NULL), 0);
        ended++;
    }
    EQ(ended, 11);
    establish(&c, BUF, BUF, BUF);
    EQ(rx(&c, VSOCKIF_OP_RESPONSE, 0, 0, BUF, 0), VCONN_NOW_CLOSED);
    EQ(owed(&c, NULL), VSOCKIF_OP_RST);
}

static void every_op_in_every_state_keeps_the_invariants(void)
{
    struct vconn c;

    for (int i = 0; in_state(&c, i); i++)
        for (unsigned op = VSOCKIF_OP_REQUEST; op <= VSOCKIF_OP_CREDIT_REQUEST; op++)
            for (int act = 0; act < 9; act++) {
                in_state(&c, i);
                rx(&c, op, op == VSOCKIF_OP_RW ? 3 : 0, op == VSOCKIF_OP_SHUTDOWN ? SEND : 0, BUF, 0);
                switch (act) {
                case 0: vconn_close(&c, 5); break;
                case 1: vconn_shutdown(&c, BOTH, 5); break;
                case 2: vconn_abort(&c, 0, REASON(NONE)); break;
                case 3: vconn_consumed(&c, 3); break;
                case 4: vconn_want_room(&c); break;
                case 5: vconn_set_buf_alloc(&c, 2 * BUF); break;
                case 6: vconn_expire(&c, UINT64_MAX - 1); break;
                case 7: vconn_transport_reset(&c); break;
                case 8: vconn_answer(&c); break;
                }
                CU_ASSERT_PTR_NULL(vconn_invariant(&c));
                for (int n = 0; owed(&c, NULL); n++)
                    REQUIRE(n < 6);
                CU_ASSERT_PTR_NULL(vconn_invariant(&c));
                EQ(c.owed, 0);
            }
}

static void a_state_has_a_name(void)
{
    CU_ASSERT_STRING_EQUAL(vconn_state_name(VCONN_OFFERED), "OFFERED");
    CU_ASSERT_STRING_EQUAL(vconn_state_name(VCONN_CLOSED), "CLOSED");
    CU_ASSERT_STRING_EQUAL(vconn_state_name((enum vconn_state)200), "?");
}

static void the_invariants_notice_what_is_wrong(void)
{
    struct vconn good, c;

#define BROKEN(change) do { c = good; change; CU_ASSERT_PTR_NOT_NULL(vconn_invariant(&c)); } while (0)
    establish(&good, BUF, BUF, BUF);
    BROKEN(c.state = 9);
    BROKEN(c.owed = VCONN_OWE_REQUEST);
    BROKEN(c.deadline = 5);
    BROKEN(c.shut_peer = 4);
    BROKEN(c.shut_here = 1);
    BROKEN(c.owed = VCONN_OWE_SHUTDOWN);
    BROKEN(c.error = 1);
    BROKEN(c.fwd_cnt = 1);
    BROKEN(c.granted = 1);
    BROKEN(c.tx_cnt = BUF + 1);
    BROKEN(c.owed = VCONN_OWE_ASK);
#undef BROKEN
}

static void an_end_that_is_given_up_knows_why(void)
{
    struct vconn a, b;
    struct vsockif_hdr hdr;

    join(&a, &b, 4096, 4096, 4096);
    send_to(&a, &b, 10);
    vconn_close(&b, 0);                                 /* with bytes unread */
    EQ(b.reason.code, VSOCKIF_REASON_UNREAD);
    CU_ASSERT_TRUE(vconn_owed(&b, &hdr));

    vconn_open(&a, 4096, 4096, 100, 0);
    owed(&a, NULL);
    vconn_close(&a, 0);                                 /* before there was an answer */
    EQ(a.reason.code, VSOCKIF_REASON_ABORTED);

    vconn_open(&a, 4096, 4096, 100, 0);
    owed(&a, NULL);
    EQ(vconn_expire(&a, 100), VCONN_NOW_CLOSED);
    EQ(a.error, ETIMEDOUT);
    EQ(a.reason.code, VSOCKIF_REASON_TIMEOUT);
    EQ(owed(&a, NULL), VSOCKIF_OP_RST);

    join(&a, &b, 4096, 4096, 4096);
    vconn_abort(&a, ECONNRESET, REASON(POLICY));
    vconn_abort(&a, ECONNRESET, REASON(SHORT));         /* it is over already */
    EQ(a.reason.code, VSOCKIF_REASON_POLICY);
}

static const struct test tests[] = {
    TEST(an_end_that_is_given_up_knows_why),
    TEST(a_connection_begins_with_a_request_that_states_our_buffer),
    TEST(a_response_opens_and_brings_room),
    TEST(a_refusal_is_econnrefused_and_a_later_reset_econnreset),
    TEST(connect_times_out_without_a_clock),
    TEST(a_request_that_never_left_needs_no_rst),
    TEST(closing_a_request_that_left_sends_an_rst),
    TEST(nothing_is_sent_before_the_response_has_left),
    TEST(what_an_earlier_connection_left_behind_does_not_hit_a_new_one),
    TEST(an_offer_waits_and_can_be_taken_back),
    TEST(the_examples_of_the_specification_hold),
    TEST(the_window_is_the_smaller_of_the_peers_and_our_own),
    TEST(a_window_that_shrinks_by_any_amount_leaves_no_room),
    TEST(a_fwd_cnt_that_cannot_be_ends_the_connection_with_one_rst),
    TEST(credit_may_change_before_the_answer),
    TEST(a_question_that_is_repeated_is_answered_once),
    TEST(a_sender_that_is_bound_by_its_own_buffer_hears_in_time),
    TEST(counters_wrap_without_anyone_noticing),
    TEST(an_rst_carries_no_credit_to_judge),
    TEST(data_beyond_the_credit_is_a_violation),
    TEST(consuming_does_not_grant_before_the_peer_is_told),
    TEST(a_buffer_that_shrinks_still_takes_what_was_granted),
    TEST(a_buffer_that_grows_is_announced_at_once),
    TEST(an_update_is_due_below_half_when_half_was_freed),
    TEST(every_packet_that_leaves_is_an_update),
    TEST(bulk_pays_few_updates),
    TEST(a_credit_request_is_answered_at_once),
    TEST(a_cap_below_half_of_the_peers_buffer_does_not_hang),
    TEST(nobody_asks_for_what_comes_by_itself),
    TEST(a_question_that_left_before_the_last_data_is_asked_again),
    TEST(a_question_is_dropped_when_the_answer_comes_before_it_leaves),
    TEST(a_relay_is_told_when_the_sender_waits),
    TEST(buffers_of_any_size_carry_any_stream),
    TEST(half_close_is_exact_in_both_directions),
    TEST(a_peer_that_stops_receiving_makes_us_deaf_not_blind),
    TEST(each_direction_may_be_shut_by_a_packet_of_its_own),
    TEST(data_after_we_shut_receiving_is_dropped_and_never_counts_as_consumed),
    TEST(an_end_in_order_means_that_all_was_consumed),
    TEST(a_peer_that_resets_after_both_ends_shut_has_not_consumed_all),
    TEST(what_is_thrown_away_after_the_end_was_not_consumed),
    TEST(a_peer_that_stops_receiving_with_data_unread_has_not_consumed_all),
    TEST(two_ends_that_have_read_all_do_not_wait_for_each_other),
    TEST(the_credit_in_an_rst_is_believed_only_if_it_can_be),
    TEST(data_after_the_peer_said_it_sends_no_more_is_a_reset),
    TEST(bits_once_said_are_not_said_again_but_stay_in_later_packets),
    TEST(close_is_shutdown_and_then_the_peers_rst),
    TEST(what_was_sent_before_a_close_is_read_before_the_end),
    TEST(close_waits_eight_seconds_and_then_resets),
    TEST(a_close_that_could_not_leave_in_time_is_still_an_end_and_no_error),
    TEST(close_with_unread_data_is_an_abort),
    TEST(a_simultaneous_close_ends_at_once),
    TEST(an_end_of_stream_that_has_not_left_is_not_replaced_by_an_rst),
    TEST(an_rst_is_judged_by_what_had_been_said_and_not_by_what_waits),
    TEST(close_after_both_ends_shut_sends_nothing_more),
    TEST(our_own_shutdown_alone_does_not_end_a_connection),
    TEST(closing_drops_data_and_wants_nothing),
    TEST(consuming_more_than_there_is_counts_as_all),
    TEST(a_transport_reset_owes_nothing),
    TEST(an_rst_is_never_answered),
    TEST(an_op_that_does_not_fit_ends_the_connection_with_one_rst),
    TEST(every_op_in_every_state_keeps_the_invariants),
    TEST(a_state_has_a_name),
    TEST(the_invariants_notice_what_is_wrong),
};

int main(int argc, char **argv)
{
    return harness_run("vconn", tests, sizeof tests / sizeof *tests, argc, argv);
}
