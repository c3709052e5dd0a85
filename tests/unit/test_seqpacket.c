/* SPDX-License-Identifier: MIT */
/* test_seqpacket.c: connections of messages (vsockif.h, section 10), as a machine and in a table.  What they share with streams is
 * tested in test_vconn.c and test_vmux.c, and random runs in test_vsock_pair.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "vmux.h"

#define GUEST    UINT64_C(5)
#define HOST     VSOCKIF_CID_HOST
#define BUF      100000u
#define STREAM   VSOCKIF_TYPE_STREAM
#define SEQ      VSOCKIF_TYPE_SEQPACKET
#define EOM      VSOCKIF_SEQ_EOM
#define EOR      VSOCKIF_SEQ_EOR
#define RCV      VSOCKIF_SHUTDOWN_RCV
#define SEND     VSOCKIF_SHUTDOWN_SEND

static struct vmux *guest, *host;

static void setup(void)
{
    struct vmux_config c = { .conn_size = sizeof(struct vmux_conn), .max_conns = 100, .buf_alloc = BUF, .tx_cap = BUF, .first_port = 1000 };

    REQUIRE(vmux_new(&c, &guest) == 0);
    REQUIRE(vmux_new(&c, &host) == 0);
    vmux_allow_seqpacket(guest, true);
    vmux_allow_seqpacket(host, true);
}

static void teardown(void)
{
    CU_ASSERT_PTR_NULL(vmux_invariant(guest));
    CU_ASSERT_PTR_NULL(vmux_invariant(host));
    vmux_free(guest);
    vmux_free(host);
}

static struct vmux_event rx(struct vmux *m, unsigned type, unsigned op, uint32_t len, uint32_t flags)
{
    struct vsockif_hdr hdr = { .src_cid = GUEST, .src_port = 7, .dst_cid = HOST, .dst_port = 22, .type = (uint16_t)type,
                               .op = (uint16_t)op, .len = len, .flags = flags, .buf_alloc = BUF };
    struct vmux_event ev;

    vmux_rx(m, &hdr, 0, &ev);
    CU_ASSERT_PTR_NULL(vmux_invariant(m));
    return ev;
}

static struct vmux_listener *listen_for(struct vmux *m, unsigned type)
{
    struct vmux_listener *l;

    REQUIRE(vmux_listen(m, 22, 8, NULL, &l) == 0);
    vmux_listener_set_type(l, type);
    return l;
}

/* A connection of that type at the host, which a guest of this test's has asked for by hand; its RESPONSE has left. */
static struct vmux_conn *accepted(unsigned type)
{
    struct vmux_listener *l = listen_for(host, type);
    struct vsockif_hdr hdr;
    struct vmux_conn *conn;

    EQ(rx(host, type, VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_INCOMING);
    REQUIRE((conn = vmux_accept(host, l)) != NULL);
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.op, VSOCKIF_OP_RESPONSE);
    EQ(hdr.type, type);
    return conn;
}

/* The RST that is owed next: its type, and *reason; 0 for none. */
static unsigned owed_reset_of(struct vmux *m, unsigned *reason)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    if (!vmux_owed_by(m, &hdr, &by))
        return 0;
    EQ(hdr.op, VSOCKIF_OP_RST);
    *reason = by.reason.code;
    return hdr.type;
}

/* ---- the type ------------------------------------------------------------------------------------------- */

static void every_packet_of_a_connection_has_the_type_of_its_request(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;
    struct vsockif_hdr hdr;
    struct vmux_event ev;

    setup();
    l = listen_for(host, SEQ);
    REQUIRE(vmux_connect(guest, (struct vaddr){ GUEST, VSOCKIF_PORT_ANY }, (struct vaddr){ HOST, 22 }, BUF, 2000, 0, &c) == 0);
    vconn_set_type(&c->c, SEQ);
    REQUIRE(vmux_owed(guest, &hdr));
    EQ(hdr.type, SEQ);
    vmux_rx(host, &hdr, 0, &ev);
    EQ(ev.kind, VMUX_INCOMING);
    REQUIRE((s = vmux_accept(host, l)) != NULL);
    CU_ASSERT_TRUE(vconn_is_seqpacket(&s->c));
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.type, SEQ);
    vmux_rx(guest, &hdr, 0, &ev);
    CU_ASSERT_TRUE(ev.now & VCONN_NOW_OPEN);
    vmux_send(guest, c, 10, &hdr);
    EQ(hdr.type, SEQ);
    EQ(hdr.flags, 0);
    EQ(c->c.tx_part, 10);
    vconn_end_message(&c->c, &hdr, false);
    EQ(hdr.flags, EOM);
    vconn_end_message(&c->c, &hdr, true);
    EQ(hdr.flags, EOM | EOR);
    EQ(c->c.tx_part, 0);
    CU_ASSERT_PTR_NULL(vsockif_check(&hdr));
    vmux_rx(host, &hdr, 0, &ev);
    EQ(ev.now & VCONN_NOW_DATA, VCONN_NOW_DATA);
    vmux_consumed(host, s, 10);
    vmux_abort(host, s, ECONNRESET, REASON(ABORTED));
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.op, VSOCKIF_OP_RST);
    EQ(hdr.type, SEQ);
    teardown();
}

static void without_the_feature_the_type_is_a_violation(void)
{
    struct vmux_event ev;

    setup();
    vmux_allow_seqpacket(host, false);
    for (unsigned op = VSOCKIF_OP_REQUEST; op <= VSOCKIF_OP_CREDIT_REQUEST; op++) {
        ev = rx(host, SEQ, op, op == VSOCKIF_OP_RW, op == VSOCKIF_OP_SHUTDOWN);
        EQ(ev.kind, VMUX_VIOLATION);
        CU_ASSERT_PTR_NOT_NULL(strstr(ev.why, "not agreed on"));
    }
    EQ(rx(host, STREAM, VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
    teardown();
}

static void a_listener_for_one_type_refuses_the_other_and_says_so(void)
{
    struct vmux_event ev;
    unsigned reason = 0;

    setup();
    listen_for(host, SEQ);
    ev = rx(host, STREAM, VSOCKIF_OP_REQUEST, 0, 0);
    EQ(ev.kind, VMUX_NOTHING);
    EQ(ev.refused.code, VSOCKIF_REASON_TYPE);
    EQ(owed_reset_of(host, &reason), STREAM);
    EQ(reason, VSOCKIF_REASON_TYPE);
    vmux_free(host);
    REQUIRE(vmux_new(&(struct vmux_config){ .conn_size = sizeof(struct vmux_conn), .max_conns = 9, .buf_alloc = BUF, .tx_cap = BUF,
                                            .first_port = 1000 }, &host) == 0);
    vmux_allow_seqpacket(host, true);
    listen_for(host, STREAM);
    EQ(rx(host, SEQ, VSOCKIF_OP_REQUEST, 0, 0).refused.code, VSOCKIF_REASON_TYPE);
    EQ(owed_reset_of(host, &reason), SEQ);
    EQ(reason, VSOCKIF_REASON_TYPE);
    EQ(vmux_count(host), 0);
    teardown();
}

static void a_packet_of_the_other_type_leaves_the_connection_alone(void)
{
    static const unsigned types[] = { STREAM, SEQ };
    unsigned reason;

    for (int i = 0; i < 2; i++) {
        unsigned other = types[!i];
        struct vmux_conn *conn;

        setup();
        conn = accepted(types[i]);
        EQ(rx(host, other, VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
        EQ(owed_reset_of(host, &reason), 0);
        for (unsigned op = VSOCKIF_OP_RESPONSE; op <= VSOCKIF_OP_CREDIT_REQUEST; op++) {
            if (op == VSOCKIF_OP_RST)
                continue;
            EQ(rx(host, other, op, op == VSOCKIF_OP_RW, op == VSOCKIF_OP_SHUTDOWN).kind, VMUX_NOTHING);
            EQ(owed_reset_of(host, &reason), other);
        }
        EQ(conn->c.state, VCONN_ESTABLISHED);
        EQ(vconn_unread(&conn->c), 0);
        EQ(conn->c.shut_peer, 0);
        teardown();
    }
}

static void a_request_of_the_other_type_ends_what_its_peer_has_forgotten(void)
{
    struct vmux_conn *conn;
    struct vmux_event ev;
    unsigned reason = 0;

    setup();
    conn = accepted(STREAM);
    ev = rx(host, SEQ, VSOCKIF_OP_REQUEST, 0, 0);
    EQ(ev.kind, VMUX_CONN);
    EQ(ev.now, VCONN_NOW_CLOSED);
    CU_ASSERT_PTR_EQUAL(ev.conn, conn);
    EQ(conn->c.error, ECONNRESET);
    EQ(owed_reset_of(host, &reason), SEQ);      /* the new one is refused, and the old one needs no RST */
    EQ(owed_reset_of(host, &reason), 0);
    vmux_release(host, conn, 0);
    EQ(vmux_count(host), 0);
    teardown();
}

static void an_answer_of_the_other_type_is_none(void)
{
    struct vmux_conn *c;
    struct vsockif_hdr hdr, answer;
    struct vmux_event ev;
    unsigned reason;

    setup();
    REQUIRE(vmux_connect(guest, (struct vaddr){ GUEST, 7 }, (struct vaddr){ HOST, 22 }, BUF, 2000, 0, &c) == 0);
    vconn_set_type(&c->c, SEQ);
    REQUIRE(vmux_owed(guest, &hdr));
    answer = (struct vsockif_hdr){ .src_cid = HOST, .src_port = 22, .dst_cid = GUEST, .dst_port = 7, .type = STREAM, .buf_alloc = BUF };
    for (uint16_t op = VSOCKIF_OP_RESPONSE; op <= VSOCKIF_OP_CREDIT_REQUEST; op++) {
        answer.op = op;
        answer.len = op == VSOCKIF_OP_RW;
        answer.flags = op == VSOCKIF_OP_SHUTDOWN;
        vmux_rx(guest, &answer, 0, &ev);
        EQ(ev.kind, VMUX_NOTHING);
        EQ(owed_reset_of(guest, &reason), 0);
        EQ(c->c.state, VCONN_CONNECTING);
    }
    answer = (struct vsockif_hdr){ .src_cid = HOST, .src_port = 22, .dst_cid = GUEST, .dst_port = 7, .type = SEQ,
                                   .op = VSOCKIF_OP_RESPONSE, .buf_alloc = BUF };
    vmux_rx(guest, &answer, 0, &ev);
    EQ(c->c.state, VCONN_ESTABLISHED);
    teardown();
}

static void the_last_packet_of_a_connection_is_not_lost_to_another_type(void)
{
    struct vmux_conn *conn;
    struct vmux_event ev;
    unsigned reason = 0;

    setup();
    conn = accepted(SEQ);
    vmux_abort(host, conn, ECONNRESET, REASON(ABORTED));
    ev = rx(host, STREAM, VSOCKIF_OP_RST, 0, 0);        /* of an earlier one: ours is still owed */
    EQ(ev.kind, VMUX_NOTHING);
    EQ(owed_reset_of(host, &reason), SEQ);
    EQ(reason, VSOCKIF_REASON_ABORTED);
    vmux_release(host, conn, 0);
    teardown();
}

/* ---- messages -------------------------------------------------------------------------------------------- */

static void the_largest_message_is_the_smaller_of_buffer_and_cap(void)
{
    struct vconn c;
    struct vsockif_hdr hdr, answer = { .type = SEQ, .op = VSOCKIF_OP_RESPONSE, .buf_alloc = 5000 };
    const char *why;

    vconn_open(&c, BUF, 4000, 2000, 0);
    vconn_set_type(&c, SEQ);
    REQUIRE(vconn_owed(&c, &hdr));
    vconn_rx(&c, &answer, 0, &why);
    EQ(vconn_message_most(&c), 4000);
    c.tx_cap = 6000;
    EQ(vconn_message_most(&c), 5000);
}

static void a_message_as_large_as_the_buffer_is_taken(void)
{
    struct vmux_conn *conn;

    setup();
    conn = accepted(SEQ);
    EQ(rx(host, SEQ, VSOCKIF_OP_RW, 60000, 0).now & VCONN_NOW_DATA, VCONN_NOW_DATA);
    EQ(conn->c.rx_part, 60000);
    EQ(rx(host, SEQ, VSOCKIF_OP_RW, BUF - 60000, EOM).now & VCONN_NOW_DATA, VCONN_NOW_DATA);
    EQ(conn->c.rx_part, 0);
    EQ(vconn_unread(&conn->c), BUF);
    EQ(conn->c.state, VCONN_ESTABLISHED);
    vmux_consumed(host, conn, BUF);
    EQ(vconn_unread(&conn->c), 0);
    teardown();
}

static void a_message_without_end_resets_its_connection_and_not_the_device(void)
{
    struct vmux_conn *conn;
    struct vmux_event ev;
    unsigned reason = 0;

    setup();
    conn = accepted(SEQ);
    rx(host, SEQ, VSOCKIF_OP_RW, 60000, 0);
    ev = rx(host, SEQ, VSOCKIF_OP_RW, BUF - 60000, 0);      /* all its credit, and no end */
    EQ(ev.kind, VMUX_CONN);
    EQ(ev.now & (VCONN_NOW_CLOSED | VCONN_NOW_DATA), VCONN_NOW_CLOSED);
    EQ(conn->c.error, ECONNRESET);
    EQ(owed_reset_of(host, &reason), SEQ);
    EQ(reason, VSOCKIF_REASON_SIZE);
    teardown();
}

/* A relay consumes what it has passed on, so credit alone does not stop such a message there. */
static void a_message_without_end_is_found_out_by_who_passes_it_on(void)
{
    struct vmux_conn *conn;
    struct vsockif_hdr hdr = { 0 };
    uint32_t sent = 0;

    setup();
    conn = accepted(SEQ);
    while (conn->c.state == VCONN_ESTABLISHED) {
        EQ(rx(host, SEQ, VSOCKIF_OP_RW, 10000, 0).kind, VMUX_CONN);
        sent += 10000;
        vmux_consumed(host, conn, 10000);
        while (conn->c.state == VCONN_ESTABLISHED && vmux_owed(host, &hdr))
            EQ(hdr.op, VSOCKIF_OP_CREDIT_UPDATE);
        REQUIRE(sent <= BUF);
    }
    EQ(sent, BUF);
    EQ(conn->c.reason.code, VSOCKIF_REASON_SIZE);
    teardown();
}

/* What there is of the second message will not be consumed before its rest has come, so half of the window may never be. */
static void room_for_the_rest_of_a_message_is_told_at_once(void)
{
    struct vmux_conn *conn;
    struct vsockif_hdr hdr;

    setup();
    conn = accepted(SEQ);
    rx(host, SEQ, VSOCKIF_OP_RW, 10, EOM);
    rx(host, SEQ, VSOCKIF_OP_RW, 60000, 0);
    rx(host, SEQ, VSOCKIF_OP_RW, BUF - 60010, 0);
    CU_ASSERT_FALSE(vmux_owed(host, &hdr));
    vmux_consumed(host, conn, 10);
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.op, VSOCKIF_OP_CREDIT_UPDATE);
    EQ(hdr.fwd_cnt, 10);
    EQ(rx(host, SEQ, VSOCKIF_OP_RW, 10, EOM).now & VCONN_NOW_DATA, VCONN_NOW_DATA);
    teardown();
}

static void a_buffer_that_was_told_does_not_become_less(void)
{
    struct vmux_conn *conn;
    struct vsockif_hdr hdr;

    setup();
    conn = accepted(SEQ);
    vmux_set_buf_alloc(host, conn, 1000);
    EQ(conn->c.buf_alloc, BUF);
    vmux_set_buf_alloc(host, conn, 3 * BUF);
    EQ(conn->c.buf_alloc, 3 * BUF);
    vmux_set_buf_alloc(host, conn, 2 * BUF);        /* nobody has heard of that yet */
    EQ(conn->c.buf_alloc, 2 * BUF);
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.buf_alloc, 2 * BUF);
    teardown();
}

static void the_end_of_the_stream_within_a_message_takes_that_away(void)
{
    struct vmux_conn *conn;
    struct vmux_event ev;
    struct vsockif_hdr hdr;

    setup();
    conn = accepted(SEQ);
    rx(host, SEQ, VSOCKIF_OP_RW, 300, EOM);
    rx(host, SEQ, VSOCKIF_OP_RW, 500, 0);
    EQ(vconn_unread(&conn->c), 800);
    ev = rx(host, SEQ, VSOCKIF_OP_SHUTDOWN, 0, SEND | RCV);
    EQ(ev.now & VCONN_NOW_EOF, VCONN_NOW_EOF);
    EQ(vconn_unread(&conn->c), 300);
    EQ(conn->c.state, VCONN_ESTABLISHED);
    vmux_consumed(host, conn, 300);                 /* …and nothing is left to deliver: it is over, in order */
    EQ(conn->c.state, VCONN_CLOSED);
    EQ(conn->c.error, 0);
    REQUIRE(vmux_owed(host, &hdr));
    EQ(hdr.op, VSOCKIF_OP_RST);
    EQ(hdr.fwd_cnt, 300);                           /* the sender sees that the 500 have not arrived */
    teardown();
}

static void a_sender_that_ends_within_a_message_hears_that_it_did_not_arrive(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;
    struct vsockif_hdr hdr;
    struct vmux_event ev;

    setup();
    l = listen_for(host, SEQ);
    REQUIRE(vmux_connect(guest, (struct vaddr){ GUEST, VSOCKIF_PORT_ANY }, (struct vaddr){ HOST, 22 }, BUF, 2000, 0, &c) == 0);
    vconn_set_type(&c->c, SEQ);
    REQUIRE(vmux_owed(guest, &hdr));
    vmux_rx(host, &hdr, 0, &ev);
    REQUIRE((s = vmux_accept(host, l)) != NULL);
    REQUIRE(vmux_owed(host, &hdr));
    vmux_rx(guest, &hdr, 0, &ev);
    vmux_send(guest, c, 50, &hdr);
    vmux_rx(host, &hdr, 0, &ev);
    vmux_shutdown(guest, c, SEND, 0);
    while (vmux_owed(guest, &hdr))
        vmux_rx(host, &hdr, 0, &ev);
    EQ(vconn_unread(&s->c), 0);
    vmux_shutdown(host, s, SEND, 0);
    REQUIRE(vmux_owed(host, &hdr));
    vmux_rx(guest, &hdr, 0, &ev);
    EQ(ev.now & VCONN_NOW_CLOSED, VCONN_NOW_CLOSED);        /* it waits for nothing: the 50 will never be consumed */
    REQUIRE(vmux_owed(guest, &hdr));
    vmux_rx(host, &hdr, 0, &ev);
    EQ(s->c.state, VCONN_CLOSED);
    EQ(s->c.error, 0);
    EQ(c->c.state, VCONN_CLOSED);
    EQ(c->c.error, ECONNRESET);
    teardown();
}

/* What a relay has passed on of a message that is cut stays consumed. */
static void a_part_that_was_passed_on_stays_consumed(void)
{
    struct vmux_conn *conn;

    setup();
    conn = accepted(SEQ);
    rx(host, SEQ, VSOCKIF_OP_RW, 500, 0);
    vmux_consumed(host, conn, 400);
    rx(host, SEQ, VSOCKIF_OP_SHUTDOWN, 0, SEND);
    EQ(vconn_unread(&conn->c), 0);
    EQ(conn->c.fwd_cnt, 400);
    EQ(conn->c.rx_cnt, 400);
    teardown();
}

static const struct test tests[] = {
    TEST(every_packet_of_a_connection_has_the_type_of_its_request),
    TEST(without_the_feature_the_type_is_a_violation),
    TEST(a_listener_for_one_type_refuses_the_other_and_says_so),
    TEST(a_packet_of_the_other_type_leaves_the_connection_alone),
    TEST(a_request_of_the_other_type_ends_what_its_peer_has_forgotten),
    TEST(an_answer_of_the_other_type_is_none),
    TEST(the_last_packet_of_a_connection_is_not_lost_to_another_type),
    TEST(the_largest_message_is_the_smaller_of_buffer_and_cap),
    TEST(a_message_as_large_as_the_buffer_is_taken),
    TEST(a_message_without_end_resets_its_connection_and_not_the_device),
    TEST(a_message_without_end_is_found_out_by_who_passes_it_on),
    TEST(room_for_the_rest_of_a_message_is_told_at_once),
    TEST(a_buffer_that_was_told_does_not_become_less),
    TEST(the_end_of_the_stream_within_a_message_takes_that_away),
    TEST(a_sender_that_ends_within_a_message_hears_that_it_did_not_arrive),
    TEST(a_part_that_was_passed_on_stays_consumed),
};

int main(int argc, char **argv)
{
    return harness_run("seqpacket", tests, sizeof tests / sizeof *tests, argc, argv);
}
