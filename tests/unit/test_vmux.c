/* SPDX-License-Identifier: MIT */
/* test_vmux.c: the table of connections, alone (packets made by hand) and two of them joined by a queue of one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vmux.h"

#define GUEST    UINT64_C(5)
#define HOST     VSOCKIF_CID_HOST
#define ANY      VSOCKIF_PORT_ANY
#define BUF      262144u
#define FIRST    1000000u
#define BOTH     (VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND)

static struct vmux *guest, *host;       /* the two ends of most tests */
static unsigned disposed;

static void count_dispose(struct vmux_conn *conn, void *arg)
{
    (void)conn;
    ++*(unsigned *)arg;
}

static struct vmux_config config(bool offer)
{
    return (struct vmux_config){
        .conn_size = sizeof(struct vmux_conn), .max_conns = 100000, .buf_alloc = BUF, .tx_cap = BUF,
        .first_port = FIRST, .max_resets = 16, .offer = offer, .dispose = count_dispose, .dispose_arg = &disposed,
    };
}

static void setup(void)
{
    struct vmux_config c = config(false);

    disposed = 0;
    REQUIRE(vmux_new(&c, &guest) == 0);
    REQUIRE(vmux_new(&c, &host) == 0);
}

static void teardown(void)
{
    const char *why;

    if ((why = vmux_invariant(guest)) || (why = vmux_invariant(host)))
        printf("  %s\n", why);
    CU_ASSERT_PTR_NULL(why);
    vmux_free(guest);
    vmux_free(host);
}

static struct vaddr at(uint64_t cid, uint32_t port)
{
    return (struct vaddr){ cid, port };
}

static struct vmux_conn *connect_to(struct vmux *m, uint32_t local_port, uint32_t port)
{
    struct vmux_conn *conn;

    REQUIRE(vmux_connect(m, at(GUEST, local_port), at(HOST, port), BUF, 2000, 0, &conn) == 0);
    return conn;
}

static struct vmux_listener *listen_at(struct vmux *m, uint32_t port, uint32_t backlog)
{
    struct vmux_listener *l;

    REQUIRE(vmux_listen(m, port, backlog, NULL, &l) == 0);
    return l;
}

/* A packet as the peer of m would send it; conn's end is m's. */
static struct vmux_event rx(struct vmux *m, struct vaddr from, struct vaddr to, unsigned op, uint32_t len, uint32_t flags)
{
    struct vsockif_hdr hdr = { .src_cid = from.cid, .src_port = from.port, .dst_cid = to.cid, .dst_port = to.port,
                               .type = VSOCKIF_TYPE_STREAM, .op = (uint16_t)op, .len = len, .flags = flags,
                               .buf_alloc = BUF };
    struct vmux_event ev;

    vmux_rx(m, &hdr, 0, &ev);
    return ev;
}

static unsigned owed(struct vmux *m, struct vsockif_hdr *hdr)
{
    struct vsockif_hdr scratch;

    return vmux_owed(m, hdr ? hdr : &scratch) ? (hdr ? hdr->op : scratch.op) : 0;
}

/* Carries everything until both ends are silent; returns the number of packets. */
static unsigned settle(void)
{
    struct vsockif_hdr hdr;
    struct vmux_event ev;
    unsigned packets = 0, before;

    do {
        before = packets;
        for (; vmux_owed(guest, &hdr); packets++)
            vmux_rx(host, &hdr, 0, &ev);
        for (; vmux_owed(host, &hdr); packets++)
            vmux_rx(guest, &hdr, 0, &ev);
    } while (packets != before);
    return packets;
}

static void send_all(struct vmux *from, struct vmux_conn *conn, struct vmux *to, uint32_t len, struct vmux_event *ev)
{
    struct vsockif_hdr hdr;

    REQUIRE(len <= vconn_room(&conn->c));
    vmux_send(from, conn, len, &hdr);
    vmux_rx(to, &hdr, 0, ev);
}

/* ---- connecting ----------------------------------------------------------------------------------------- */

static void a_connection_is_accepted_and_closed_with_four_packets(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;

    setup();
    l = listen_at(host, 22, 8);
    c = connect_to(guest, ANY, 22);
    EQ(settle(), 2);
    EQ(c->c.state, VCONN_ESTABLISHED);
    EQ(vmux_listener_waiting(l), 1);
    s = vmux_accept(host, l);
    REQUIRE(s != NULL);
    CU_ASSERT_PTR_NULL(vmux_accept(host, l));
    EQ(s->peer.cid, GUEST);
    EQ(s->peer.port, c->local.port);
    EQ(s->local.port, 22);
    vmux_release(guest, c, 0);
    EQ(settle(), 2);
    EQ(s->c.state, VCONN_CLOSED);
    EQ(vmux_count(guest), 0);
    EQ(vmux_count(host), 1);
    vmux_release(host, s, 0);
    EQ(vmux_count(host), 0);
    EQ(disposed, 2);
    teardown();
}

static void nobody_listens_is_econnrefused(void)
{
    struct vmux_conn *c;

    setup();
    c = connect_to(guest, ANY, 22);
    settle();
    EQ(c->c.state, VCONN_CLOSED);
    EQ(c->c.error, ECONNREFUSED);
    EQ(vmux_count(host), 0);
    vmux_release(guest, c, 0);
    teardown();
}

static void a_full_backlog_refuses(void)
{
    struct vmux_conn *c[3];
    struct vmux_listener *l;

    setup();
    l = listen_at(host, 22, 2);
    for (int i = 0; i < 3; i++)
        c[i] = connect_to(guest, ANY, 22);
    settle();
    EQ(vmux_listener_waiting(l), 2);
    EQ(c[0]->c.state, VCONN_ESTABLISHED);
    EQ(c[1]->c.state, VCONN_ESTABLISHED);
    EQ(c[2]->c.error, ECONNREFUSED);
    CU_ASSERT_PTR_NOT_NULL(vmux_accept(host, l));
    c[2] = connect_to(guest, ANY, 22);
    settle();
    EQ(c[2]->c.state, VCONN_ESTABLISHED);
    teardown();
}

static void max_conns_bounds_both_directions(void)
{
    struct vmux_config few = config(false);
    struct vmux_conn *c;
    struct vmux *m;
    struct vsockif_hdr hdr;

    few.max_conns = 2;
    REQUIRE(vmux_new(&few, &m) == 0);
    listen_at(m, 22, 10);
    EQ(rx(m, at(HOST, 1), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_INCOMING);
    REQUIRE(vmux_connect(m, at(GUEST, ANY), at(HOST, 9), BUF, 2000, 0, &c) == 0);
    EQ(vmux_connect(m, at(GUEST, ANY), at(HOST, 9), BUF, 2000, 0, &c), -ENOBUFS);
    EQ(rx(m, at(HOST, 2), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_NOTHING);
    EQ(owed(m, &hdr), VSOCKIF_OP_RST);
    EQ(hdr.dst_port, 2);
    CU_ASSERT_PTR_NULL(vmux_invariant(m));
    vmux_free(m);
}

static void the_same_pair_twice_is_eaddrinuse(void)
{
    struct vmux_conn *c, *again;

    setup();
    c = connect_to(guest, 77, 22);
    EQ(vmux_connect(guest, at(GUEST, 77), at(HOST, 22), BUF, 2000, 0, &again), -EADDRINUSE);
    CU_ASSERT_PTR_NULL(again);
    EQ(vmux_connect(guest, at(GUEST, 77), at(HOST, 23), BUF, 2000, 0, &again), 0);
    EQ(vmux_connect(guest, at(GUEST, 77), at(7, 22), BUF, 2000, 0, &again), 0);
    EQ(vmux_connect(guest, at(GUEST, ANY), at(HOST, ANY), BUF, 2000, 0, &again), -EADDRNOTAVAIL);
    vmux_release(guest, c, 0);
    EQ(vmux_connect(guest, at(GUEST, 77), at(HOST, 22), BUF, 2000, 0, &again), 0);
    teardown();
}

static void a_pair_is_free_at_once_while_its_owner_still_holds_the_record(void)
{
    struct vmux_conn *old, *new;

    setup();
    listen_at(host, 22, 100);
    for (int i = 0; i < 50; i++) {
        old = connect_to(guest, 77, 22);
        settle();
        EQ(old->c.state, VCONN_ESTABLISHED);
        vmux_close(guest, old, 0);
        settle();
        EQ(old->c.state, VCONN_CLOSED);
        new = connect_to(guest, 77, 22);
        settle();
        EQ(new->c.state, VCONN_ESTABLISHED);
        EQ(old->c.state, VCONN_CLOSED);
        vmux_abort(guest, new, 0, REASON(NONE));
        settle();
        vmux_release(guest, new, 0);
        if (i % 2)
            vmux_release(guest, old, 0);
    }
    teardown();
}

static void a_pair_reused_in_the_middle_of_a_stream_is_a_new_connection(void)
{
    struct vmux_conn *c, *s, *again;
    struct vmux_listener *l;
    struct vsockif_hdr in_flight[3], hdr;
    struct vmux_event ev;

    /* The server streams, the client resets and connects again from the same port; three packets are still on their way. */
    setup();
    l = listen_at(host, 22, 8);
    c = connect_to(guest, 77, 22);
    settle();
    s = vmux_accept(host, l);
    for (int i = 0; i < 3; i++)
        vmux_send(host, s, 1000, &in_flight[i]);
    vmux_abort(guest, c, ECONNRESET, REASON(NONE));
    vmux_release(guest, c, 0);
    again = connect_to(guest, 77, 22);
    EQ(owed(guest, &hdr), VSOCKIF_OP_RST);          /* the old one's leaves first */
    vmux_rx(host, &hdr, 0, &ev);
    EQ(owed(guest, &hdr), VSOCKIF_OP_REQUEST);
    vmux_rx(host, &hdr, 0, &ev);
    EQ(ev.kind, VMUX_INCOMING);
    for (int i = 0; i < 3; i++) {
        vmux_rx(guest, &in_flight[i], 0, &ev);
        EQ(ev.kind, VMUX_NOTHING);
    }
    settle();
    EQ(again->c.state, VCONN_ESTABLISHED);
    EQ(vconn_unread(&again->c), 0);
    EQ(s->c.error, ECONNRESET);
    vmux_release(host, s, 0);
    teardown();
}

static void a_connect_that_times_out_is_told_and_the_late_answer_reset(void)
{
    struct vmux_conn *c;
    struct vmux_event ev;
    struct vsockif_hdr hdr;

    setup();
    REQUIRE(vmux_connect(guest, at(GUEST, 77), at(HOST, 22), BUF, 2000, 1000, &c) == 0);
    EQ(owed(guest, NULL), VSOCKIF_OP_REQUEST);
    EQ(vmux_next_deadline(guest), 3000);
    CU_ASSERT_FALSE(vmux_expire(guest, 2999, &ev));
    CU_ASSERT_TRUE(vmux_expire(guest, 3000, &ev));
    EQ(ev.kind, VMUX_CONN);
    EQ(ev.now, VCONN_NOW_CLOSED);
    CU_ASSERT_PTR_EQUAL(ev.conn, c);
    EQ(c->c.error, ETIMEDOUT);
    CU_ASSERT_FALSE(vmux_expire(guest, 9999999, &ev));
    EQ(vmux_next_deadline(guest), VCONN_NO_DEADLINE);
    EQ(owed(guest, &hdr), VSOCKIF_OP_RST);
    EQ(hdr.dst_port, 22);
    EQ(rx(guest, at(HOST, 22), at(GUEST, 77), VSOCKIF_OP_RESPONSE, 0, 0).kind, VMUX_NOTHING);
    EQ(owed(guest, NULL), VSOCKIF_OP_RST);
    vmux_release(guest, c, 3000);
    teardown();
}

/* ---- the backlog ------------------------------------------------------------------------------------------ */

static void a_connection_in_the_backlog_takes_data_and_an_end(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;
    struct vmux_event ev;

    setup();
    l = listen_at(host, 22, 8);
    c = connect_to(guest, ANY, 22);
    settle();
    send_all(guest, c, host, 100, &ev);
    EQ(ev.kind, VMUX_CONN);
    EQ(ev.now, VCONN_NOW_DATA);
    CU_ASSERT_PTR_EQUAL(ev.conn->listener, l);
    vmux_release(guest, c, 0);
    settle();
    s = vmux_accept(host, l);
    CU_ASSERT_PTR_NULL(s->listener);
    EQ(s->c.state, VCONN_ESTABLISHED);
    EQ(s->c.shut_peer, BOTH);
    EQ(vconn_unread(&s->c), 100);
    vmux_consumed(host, s, 100);
    EQ(s->c.state, VCONN_CLOSED);
    EQ(s->c.error, 0);
    EQ(settle(), 1);
    EQ(vmux_count(guest), 0);
    vmux_release(host, s, 0);
    teardown();
}

static void what_is_reset_in_the_backlog_keeps_its_place(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;
    struct vmux_event ev;

    setup();
    l = listen_at(host, 22, 1);
    c = connect_to(guest, 77, 22);
    settle();
    send_all(guest, c, host, 100, &ev);
    vmux_abort(guest, c, 0, REASON(NONE));
    settle();
    EQ(vmux_listener_waiting(l), 1);
    CU_ASSERT_PTR_NULL(vmux_invariant(host));
    vmux_release(guest, c, 0);
    c = connect_to(guest, 77, 22);              /* the pair is free, but the backlog is full */
    settle();
    EQ(c->c.error, ECONNREFUSED);
    vmux_release(guest, c, 0);
    s = vmux_accept(host, l);
    EQ(s->c.state, VCONN_CLOSED);
    EQ(s->c.error, ECONNRESET);
    EQ(vconn_unread(&s->c), 100);
    vmux_release(host, s, 0);
    EQ(vmux_count(host), 0);
    teardown();
}

static void unlisten_resets_what_waits_and_leaves_what_was_accepted(void)
{
    struct vmux_conn *c[3], *s;
    struct vmux_listener *l;

    setup();
    l = listen_at(host, 22, 8);
    for (int i = 0; i < 3; i++)
        c[i] = connect_to(guest, ANY, 22);
    settle();
    s = vmux_accept(host, l);
    vmux_unlisten(host, l);
    vmux_unlisten(host, NULL);
    settle();
    EQ(c[0]->c.state, VCONN_ESTABLISHED);
    EQ(c[1]->c.error, ECONNRESET);
    EQ(c[2]->c.error, ECONNRESET);
    EQ(s->c.state, VCONN_ESTABLISHED);
    EQ(vmux_count(host), 1);
    EQ(disposed, 2);
    EQ(vmux_listen(host, 22, 1, NULL, &l), 0);
    teardown();
}

/* ---- ports --------------------------------------------------------------------------------------------------- */

static void a_listener_has_its_port_alone(void)
{
    struct vmux_listener *l, *again;
    int user;

    setup();
    EQ(vmux_listen(host, 22, 1, &user, &l), 0);
    EQ(vmux_listener_port(l), 22);
    CU_ASSERT_PTR_EQUAL(vmux_listener_user(l), &user);
    EQ(vmux_listen(host, 22, 1, NULL, &again), -EADDRINUSE);
    CU_ASSERT_PTR_NULL(again);
    EQ(vmux_listen(host, ANY, 1, NULL, &again), 0);
    EQ(vmux_listener_port(again), FIRST);
    teardown();
}

static void ephemeral_ports_go_round_and_pass_over_what_is_taken(void)
{
    struct vmux_config c = config(false);
    struct vmux_conn *conn[4];
    struct vmux *m;

    /* Four ports: the last is ANY - 1. */
    c.first_port = ANY - 4;
    REQUIRE(vmux_new(&c, &m) == 0);
    listen_at(m, ANY - 3, 1);
    for (int i = 0; i < 3; i++)
        REQUIRE(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn[i]) == 0);
    EQ(conn[0]->local.port, ANY - 4);
    EQ(conn[1]->local.port, ANY - 2);
    EQ(conn[2]->local.port, ANY - 1);
    EQ(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn[3]), -EADDRNOTAVAIL);
    EQ(vmux_connect(m, at(GUEST, ANY), at(HOST, 23), BUF, 2000, 0, &conn[3]), 0);
    vmux_release(m, conn[1], 0);
    EQ(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn[1]), 0);
    EQ(conn[1]->local.port, ANY - 2);
    CU_ASSERT_PTR_NULL(vmux_invariant(m));
    vmux_free(m);
}

static void ephemeral_ports_begin_where_they_are_told_and_stay_in_their_range(void)
{
    static const uint32_t expected[] = { 7002, 7003, 7000, 7001 };
    struct vmux_config c = config(false);
    struct vmux_conn *conn;
    struct vmux *m;

    c.first_port = 7000;
    c.last_port = 7003;
    c.start_port = 7002;
    REQUIRE(vmux_new(&c, &m) == 0);
    for (int i = 0; i < 4; i++) {
        REQUIRE(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn) == 0);
        EQ(conn->local.port, expected[i]);
    }
    EQ(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn), -EADDRNOTAVAIL);
    vmux_free(m);
}

static void an_ephemeral_port_is_not_used_again_soon(void)
{
    struct vmux_conn *c;
    uint32_t port = 0;

    setup();
    for (int i = 0; i < 1000; i++) {
        c = connect_to(guest, ANY, 22);
        CU_ASSERT_TRUE(c->local.port > port);
        port = c->local.port;
        vmux_release(guest, c, 0);
    }
    teardown();
}

/* ---- resets --------------------------------------------------------------------------------------------------- */

static void a_packet_without_a_connection_is_reset_and_an_rst_is_not(void)
{
    struct vsockif_hdr hdr;

    setup();
    for (unsigned op = VSOCKIF_OP_REQUEST; op <= VSOCKIF_OP_CREDIT_REQUEST; op++) {
        struct vmux_event ev = rx(guest, at(HOST, 9), at(GUEST, 8), op, op == VSOCKIF_OP_RW, op == VSOCKIF_OP_SHUTDOWN);

        EQ(ev.kind, VMUX_NOTHING);
        if (op == VSOCKIF_OP_RST) {
            CU_ASSERT_FALSE(vmux_has_owed(guest));
            continue;
        }
        EQ(owed(guest, &hdr), VSOCKIF_OP_RST);
        EQ(hdr.src_cid, GUEST);
        EQ(hdr.src_port, 8);
        EQ(hdr.dst_cid, HOST);
        EQ(hdr.dst_port, 9);
        CU_ASSERT_PTR_NULL(vsockif_check(&hdr));
        EQ(owed(guest, NULL), 0);
    }
    teardown();
}

static void a_frontend_drops_resets_beyond_its_bound(void)
{
    struct vsockif_hdr hdr;

    setup();
    for (uint32_t i = 0; i < 100; i++) {
        CU_ASSERT_FALSE(vmux_is_choked(guest));
        rx(guest, at(HOST, i), at(GUEST, 8), VSOCKIF_OP_REQUEST, 0, 0);
    }
    for (uint32_t i = 0; i < 16; i++) {
        EQ(owed(guest, &hdr), VSOCKIF_OP_RST);
        EQ(hdr.dst_port, i);
    }
    EQ(owed(guest, NULL), 0);
    teardown();
}

static void dom0_stops_reading_when_its_resets_are_full(void)
{
    struct vmux_config c = config(true);
    struct vmux *m;
    struct vsockif_hdr hdr;

    REQUIRE(vmux_new(&c, &m) == 0);
    for (uint32_t i = 0; i < 40; i++) {
        rx(m, at(GUEST, i), at(HOST, 8), VSOCKIF_OP_RW, 1, 0);
        EQ(vmux_is_choked(m), i % 16 == 15);
        if (vmux_is_choked(m))
            for (uint32_t j = 0; j < 16; j++) {
                EQ(owed(m, &hdr), VSOCKIF_OP_RST);
                EQ(hdr.dst_port, i - 15 + j);
            }
    }
    CU_ASSERT_PTR_NULL(vmux_invariant(m));
    vmux_free(m);
}

static void a_reset_leaves_before_the_answer_to_a_later_request(void)
{
    setup();
    listen_at(host, 22, 4);
    rx(host, at(GUEST, 77), at(HOST, 22), VSOCKIF_OP_RW, 1, 0);
    EQ(rx(host, at(GUEST, 77), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_INCOMING);
    EQ(owed(host, NULL), VSOCKIF_OP_RST);
    EQ(owed(host, NULL), VSOCKIF_OP_RESPONSE);
    EQ(owed(host, NULL), 0);
    teardown();
}

static void a_connection_whose_rst_waits_needs_no_second_one(void)
{
    struct vmux_conn *c;
    struct vmux_listener *l;
    struct vsockif_hdr hdr;

    setup();
    l = listen_at(guest, 22, 4);
    rx(guest, at(HOST, 77), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(owed(guest, NULL), VSOCKIF_OP_RESPONSE);
    c = vmux_accept(guest, l);
    vmux_abort(guest, c, ECONNRESET, REASON(NONE));
    vmux_release(guest, c, 0);
    for (int i = 0; i < 10; i++)
        EQ(rx(guest, at(HOST, 77), at(GUEST, 22), VSOCKIF_OP_RW, 1, 0).kind, VMUX_NOTHING);
    EQ(owed(guest, NULL), VSOCKIF_OP_RST);
    EQ(owed(guest, NULL), 0);
    EQ(vmux_count(guest), 0);

    /* The peer has forgotten it, and begins anew: the old RST would hit the new connection. */
    for (int i = 0; i < 2; i++) {
        rx(guest, at(HOST, 78), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0);
        EQ(owed(guest, &hdr), VSOCKIF_OP_RESPONSE);
        c = vmux_accept(guest, l);
        vmux_abort(guest, c, ECONNRESET, REASON(NONE));
        if (i == 0)
            EQ(rx(guest, at(HOST, 78), at(GUEST, 22), VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
        EQ(rx(guest, at(HOST, 78), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_INCOMING);
        EQ(owed(guest, &hdr), VSOCKIF_OP_RESPONSE);
        EQ(owed(guest, &hdr), 0);
        vmux_release(guest, c, 0);
        c = vmux_accept(guest, l);
        EQ(c->c.state, VCONN_ESTABLISHED);
        EQ(rx(guest, at(HOST, 78), at(GUEST, 22), VSOCKIF_OP_RST, 0, 0).kind, VMUX_CONN);
        vmux_release(guest, c, 0);
    }
    EQ(vmux_count(guest), 0);
    teardown();
}

static void a_request_for_a_pair_in_use_ends_the_connection(void)
{
    struct vmux_conn *s;
    struct vmux_listener *l;
    struct vmux_event ev;

    setup();
    l = listen_at(host, 22, 4);
    rx(host, at(GUEST, 77), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    owed(host, NULL);
    s = vmux_accept(host, l);
    ev = rx(host, at(GUEST, 77), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(ev.kind, VMUX_CONN);
    EQ(ev.now, VCONN_NOW_CLOSED);
    EQ(s->c.error, ECONNRESET);
    EQ(owed(host, NULL), VSOCKIF_OP_RST);
    vmux_release(host, s, 0);
    EQ(vmux_count(host), 0);
    teardown();
}

/* ---- offers ------------------------------------------------------------------------------------------------------ */

static void an_offer_is_answered_now_or_later_or_refused(void)
{
    struct vmux_config c = config(true);
    struct vmux_event ev, gone;
    struct vmux_sender by;
    struct vsockif_hdr hdr;
    struct vmux *m;

    REQUIRE(vmux_new(&c, &m) == 0);
    ev = rx(m, at(GUEST, 77), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(ev.kind, VMUX_OFFER);
    EQ(ev.conn->c.state, VCONN_OFFERED);
    CU_ASSERT_FALSE(vmux_has_owed(m));
    vmux_answer(m, ev.conn);
    EQ(vconn_room(&ev.conn->c), 0);
    CU_ASSERT_TRUE(vmux_owed_by(m, &hdr, &by));
    EQ(hdr.op, VSOCKIF_OP_RESPONSE);
    CU_ASSERT_PTR_EQUAL(by.conn, ev.conn);
    EQ(vconn_room(&ev.conn->c), BUF);

    ev = rx(m, at(GUEST, 78), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    vmux_abort(m, ev.conn, ECONNREFUSED, REASON(NONE));
    vmux_release(m, ev.conn, 0);
    EQ(vmux_count(m), 2);
    CU_ASSERT_TRUE(vmux_owed_by(m, &hdr, &by));
    EQ(hdr.op, VSOCKIF_OP_RST);
    CU_ASSERT_PTR_NULL(by.conn);
    EQ(vmux_count(m), 1);

    ev = rx(m, at(GUEST, 79), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    gone = rx(m, at(GUEST, 79), at(HOST, 22), VSOCKIF_OP_RST, 0, 0);
    EQ(gone.kind, VMUX_CONN);
    EQ(gone.now, VCONN_NOW_CLOSED);
    CU_ASSERT_PTR_EQUAL(gone.conn, ev.conn);
    vmux_release(m, ev.conn, 0);
    EQ(vmux_count(m), 1);
    CU_ASSERT_PTR_NULL(vmux_invariant(m));
    vmux_free(m);
}

/* ---- violations -------------------------------------------------------------------------------------------------- */

static void a_header_outside_of_the_table_closes_the_device(void)
{
    static const struct {
        unsigned type, op, len, flags;
        bool good;
    } cases[] = {
        { 1, 1, 0, 0, true },  { 1, 2, 0, 0, true },  { 1, 3, 0, 0, true },      { 1, 4, 0, 1, true },
        { 1, 4, 0, 2, true },  { 1, 4, 0, 3, true },  { 1, 5, 1, 0, true },      { 1, 5, 65536, 0, true },
        { 1, 6, 0, 0, true },  { 1, 7, 0, 0, true },
        { 0, 1, 0, 0, false }, { 3, 5, 1, 0, false }, { 1, 0, 0, 0, false },     { 1, 8, 0, 0, false },
        { 1, 1, 1, 0, false }, { 1, 1, 0, 1, false }, { 1, 2, 1, 0, false },     { 1, 3, 1, 0, false },
        { 1, 4, 0, 0, false }, { 1, 4, 0, 4, false }, { 1, 4, 0, 7, false },     { 1, 4, 1, 3, false },
        { 1, 5, 0, 0, false }, { 1, 5, 65537, 0, false }, { 1, 5, 1, 1, false }, { 1, 6, 1, 0, false },
        { 1, 7, 0, 1, false }, { 1, 0xffff, 0, 0, false }, { 0xffff, 5, 1, 0, false }, { 1, 0x105, 1, 0, false },
        { 2, 1, 0, 0, true },  { 2, 2, 0, 0, true },  { 2, 3, 0, 0, true },      { 2, 4, 0, 3, true },
        { 2, 5, 1, 0, true },  { 2, 5, 1, 1, true },  { 2, 5, 65536, 3, true },  { 2, 6, 0, 0, true },
        { 2, 5, 1, 2, false }, { 2, 5, 1, 4, false }, { 2, 5, 1, 7, false },     { 2, 5, 0, 0, false },
        { 2, 5, 0, 1, false }, { 2, 1, 0, 1, false }, { 2, 3, 0, 1, false },     { 2, 4, 0, 0, false },
        { 1, 5, 1, 2, false }, { 1, 5, 1, 3, false }, { 2, 5, 65537, 1, false },
    };

    setup();
    vmux_allow_seqpacket(guest, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vsockif_hdr hdr = { .src_cid = HOST, .dst_cid = GUEST, .src_port = 1, .dst_port = 2, .len = cases[i].len,
                                   .type = (uint16_t)cases[i].type, .op = (uint16_t)cases[i].op, .flags = cases[i].flags };
        struct vmux_event ev;

        EQ(vsockif_check(&hdr) == NULL, cases[i].good);
        vmux_rx(guest, &hdr, 0, &ev);
        EQ(ev.kind == VMUX_VIOLATION, !cases[i].good);
        EQ(ev.why != NULL, !cases[i].good);
    }
    teardown();
}

static void addresses_that_cannot_be_are_violations(void)
{
    struct vmux_event ev;

    setup();
    EQ(rx(guest, at(HOST, 1), at(9, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
    vmux_set_cids(guest, GUEST, 0);
    EQ(rx(guest, at(HOST, 1), at(9, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_VIOLATION);
    EQ(rx(guest, at(HOST, 1), at(GUEST, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
    EQ(rx(guest, at(VSOCKIF_CID_LOCAL, 1), at(GUEST, 2), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_VIOLATION);
    EQ(rx(guest, at(VSOCKIF_CID_LOCAL, 1), at(GUEST, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);      /* what was sent there */
    EQ(rx(guest, at(HOST, 1), at(VSOCKIF_CID_LOCAL, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_VIOLATION);
    vmux_set_cids(host, 0, GUEST);
    EQ(rx(host, at(GUEST, 1), at(77, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_NOTHING);
    EQ(rx(host, at(VSOCKIF_CID_LOCAL, 1), at(HOST, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_VIOLATION);
    EQ(rx(host, at(GUEST, 1), at(VSOCKIF_CID_LOCAL, 2), VSOCKIF_OP_RST, 0, 0).kind, VMUX_VIOLATION);
    ev = rx(host, at(GUEST + 1, 1), at(HOST, 2), VSOCKIF_OP_RST, 0, 0);     /* a guest forges its CID */
    EQ(ev.kind, VMUX_VIOLATION);
    CU_ASSERT_PTR_NOT_NULL(ev.why);
    teardown();
}

static void data_beyond_the_credit_is_a_violation_with_a_sentence(void)
{
    struct vmux_conn *c;
    struct vmux_event ev;
    struct vsockif_hdr hdr = { .src_cid = HOST, .dst_cid = GUEST, .type = 1, .fwd_cnt = 1 };

    setup();
    listen_at(host, 22, 4);
    c = connect_to(guest, 77, 22);
    settle();
    for (int i = 0; i < 4; i++)
        ev = rx(guest, at(HOST, 22), at(GUEST, 77), VSOCKIF_OP_RW, 65536, 0);
    EQ(ev.kind, VMUX_CONN);
    ev = rx(guest, at(HOST, 22), at(GUEST, 77), VSOCKIF_OP_RW, 1, 0);
    EQ(ev.kind, VMUX_VIOLATION);
    EQ(ev.now, VCONN_NOW_VIOLATION);
    CU_ASSERT_PTR_NOT_NULL(ev.why);
    hdr.op = VSOCKIF_OP_REQUEST, hdr.src_port = 1, hdr.dst_port = 22;
    vmux_rx(host, &hdr, 0, &ev);
    EQ(ev.kind, VMUX_VIOLATION);
    (void)c;
    teardown();
}

/* ---- turns, deadlines, life ------------------------------------------------------------------------------------------ */

static void those_who_owe_take_turns(void)
{
    struct vmux_listener *l;
    struct vmux_conn *s[3];
    struct vsockif_hdr hdr;
    uint32_t seen[6];

    setup();
    l = listen_at(host, 22, 8);
    for (uint32_t i = 0; i < 3; i++)
        rx(host, at(GUEST, i), at(HOST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    for (int i = 0; i < 3; i++) {
        s[i] = vmux_accept(host, l);
        vmux_shutdown(host, s[i], VSOCKIF_SHUTDOWN_SEND, 0);
    }
    for (int i = 0; i < 6; i++) {
        EQ(owed(host, &hdr), i < 3 ? VSOCKIF_OP_RESPONSE : VSOCKIF_OP_SHUTDOWN);
        seen[i] = hdr.dst_port;
    }
    for (uint32_t i = 0; i < 6; i++)
        EQ(seen[i], i % 3);
    EQ(owed(host, NULL), 0);
    teardown();
}

static void deadlines_come_in_order_whatever_happens_between(void)
{
    enum { COUNT = 2000 };
    struct vmux_conn **c = calloc(COUNT, sizeof(struct vmux_conn *));
    uint64_t last = 0;
    unsigned left = COUNT, seed = 1;
    struct vmux_event ev;

    setup();
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1103515245 + 12345;
        REQUIRE(vmux_connect(guest, at(GUEST, ANY), at(HOST, 22), BUF, (seed >> 8) % 5000, 100, &c[i]) == 0);
    }
    CU_ASSERT_PTR_NULL(vmux_invariant(guest));
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1103515245 + 12345;
        if ((seed >> 16) % 3 == 0) {
            vmux_abort(guest, c[i], 0, REASON(NONE));
            left--;
        }
    }
    CU_ASSERT_PTR_NULL(vmux_invariant(guest));
    while (vmux_next_deadline(guest) != VCONN_NO_DEADLINE) {
        uint64_t next = vmux_next_deadline(guest);

        CU_ASSERT_TRUE(next >= last);
        CU_ASSERT_FALSE(vmux_expire(guest, next - 1, &ev));
        REQUIRE(vmux_expire(guest, next, &ev));
        EQ(ev.conn->c.error, ETIMEDOUT);
        last = next;
        left--;
    }
    EQ(left, 0);
    free(c);
    teardown();
}

static void a_released_connection_is_not_heard_of_again(void)
{
    struct vmux_conn *c, *s;
    struct vmux_listener *l;
    struct vmux_event ev;
    struct vsockif_hdr hdr;

    setup();
    l = listen_at(host, 22, 4);
    c = connect_to(guest, ANY, 22);
    settle();
    s = vmux_accept(host, l);
    vmux_release(guest, c, 0);
    EQ(owed(guest, NULL), VSOCKIF_OP_SHUTDOWN);
    EQ(vmux_count(guest), 1);                   /* CLOSING: the table's own business now */
    send_all(host, s, guest, 100, &ev);
    EQ(ev.kind, VMUX_NOTHING);
    EQ(vmux_next_deadline(guest), VCONN_CLOSE_MS);
    CU_ASSERT_TRUE(vmux_expire(guest, VCONN_CLOSE_MS, &ev));
    EQ(ev.kind, VMUX_NOTHING);
    CU_ASSERT_PTR_NULL(ev.conn);
    EQ(owed(guest, &hdr), VSOCKIF_OP_RST);
    EQ(vmux_count(guest), 0);
    vmux_rx(host, &hdr, 0, &ev);
    EQ(s->c.state, VCONN_CLOSED);
    vmux_release(host, s, 0);
    teardown();
}

static unsigned told;

static void release_and_reconnect(struct vmux_conn *conn, void *arg)
{
    struct vmux_conn *again;

    told++;
    EQ(conn->c.state, VCONN_CLOSED);
    EQ(conn->c.error, ECONNRESET);
    vmux_release(arg, conn, 0);
    EQ(vmux_connect(arg, at(GUEST, 77), at(HOST, 1000 + told), BUF, 2000, 0, &again), 0);
}

static void a_transport_reset_ends_connections_and_keeps_listeners(void)
{
    struct vmux_conn *c[3], *waiting;
    struct vmux_listener *l;

    setup();
    l = listen_at(guest, 23, 4);
    listen_at(host, 22, 8);
    for (int i = 0; i < 3; i++)
        c[i] = connect_to(guest, ANY, 22);
    settle();
    rx(guest, at(HOST, 9), at(GUEST, 23), VSOCKIF_OP_REQUEST, 0, 0);
    rx(guest, at(HOST, 9), at(GUEST, 5000), VSOCKIF_OP_REQUEST, 0, 0);
    waiting = connect_to(guest, ANY, 22);
    vmux_release(guest, c[0], 0);               /* CLOSING and released */
    vmux_abort(guest, c[1], ETIMEDOUT, REASON(NONE));         /* CLOSED before */
    EQ(vmux_count(guest), 5);
    disposed = told = 0;
    vmux_transport_reset(guest, release_and_reconnect, guest);
    EQ(told, 2);                                /* c[2] and waiting */
    EQ(disposed, 4);
    EQ(c[1]->c.error, ETIMEDOUT);
    EQ(vmux_count(guest), 3);                   /* c[1], and two new ones */
    EQ(vmux_listener_waiting(l), 0);
    EQ(rx(guest, at(HOST, 9), at(GUEST, 23), VSOCKIF_OP_REQUEST, 0, 0).kind, VMUX_INCOMING);
    EQ(owed(guest, NULL), VSOCKIF_OP_REQUEST);  /* of the new ones: nothing old is owed */
    EQ(owed(guest, NULL), VSOCKIF_OP_REQUEST);
    EQ(owed(guest, NULL), VSOCKIF_OP_RESPONSE);
    EQ(owed(guest, NULL), 0);
    CU_ASSERT_PTR_NULL(vmux_invariant(guest));
    vmux_transport_reset(guest, NULL, NULL);
    (void)waiting;
    teardown();
}

static void tens_of_thousands_are_found_and_let_go(void)
{
    enum { COUNT = 50000 };
    struct vmux_conn **c = calloc(COUNT, sizeof(struct vmux_conn *));
    struct vmux_listener *l;

    setup();
    l = listen_at(host, 22, COUNT);
    for (int i = 0; i < COUNT; i++)
        c[i] = connect_to(guest, ANY, 22);
    settle();
    EQ(vmux_listener_waiting(l), COUNT);
    EQ(vmux_count(guest), COUNT);
    EQ(vmux_count(host), COUNT);
    CU_ASSERT_PTR_NULL(vmux_invariant(guest));
    CU_ASSERT_PTR_NULL(vmux_invariant(host));
    for (int i = 0; i < COUNT; i++) {
        EQ(c[i]->c.state, VCONN_ESTABLISHED);
        vmux_release(guest, c[i], 0);
    }
    for (int i = 0; i < COUNT; i++)
        vmux_release(host, vmux_accept(host, l), 0);
    settle();
    EQ(vmux_count(guest), 0);
    EQ(vmux_count(host), 0);
    EQ(disposed, 2 * COUNT);
    EQ(vmux_next_deadline(guest), VCONN_NO_DEADLINE);
    free(c);
    teardown();
}

static void an_idle_connection_takes_at_most_512_bytes(void)
{
    enum { COUNT = 10000 };
    size_t empty;
    struct vmux_listener *l;

    setup();
    l = listen_at(host, 22, COUNT);
    empty = vmux_memory(host);
    for (int i = 0; i < COUNT; i++)
        connect_to(guest, ANY, 22);
    settle();
    EQ(vmux_listener_waiting(l), COUNT);
    printf("# %zu bytes per idle connection in the guest, %zu in dom0, %zu in an empty table\n",
           vmux_memory(guest) / COUNT, vmux_memory(host) / COUNT, empty);
    CU_ASSERT_TRUE(vmux_memory(guest) / COUNT <= 512);
    CU_ASSERT_TRUE(vmux_memory(host) / COUNT <= 512);
    CU_ASSERT_TRUE(vmux_memory(host) >= COUNT * sizeof(struct vmux_conn));
    CU_ASSERT_TRUE(empty <= 16384);
    CU_ASSERT_TRUE(sizeof(struct vmux_conn) <= 192);
    teardown();
}

static void the_steady_state_takes_no_memory(void)
{
    struct vmux_conn *c;
    size_t before = 0;

    setup();
    listen_at(host, 22, 1);
    for (int i = 0; i < 10000; i++) {
        c = connect_to(guest, ANY, 21);
        settle();
        vmux_release(guest, c, 0);
        settle();
        if (i == 0)
            before = vmux_memory(guest);
    }
    EQ(vmux_memory(guest), before);
    teardown();
}

static void a_record_comes_zeroed_and_of_the_callers_size(void)
{
    struct record { struct vmux_conn conn; unsigned char mine[777]; };
    struct vmux_config big = config(false);
    struct vmux_conn *conn[20];
    struct vmux *m;

    big.conn_size = sizeof(struct record);
    REQUIRE(vmux_new(&big, &m) == 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            struct record *r;

            REQUIRE(vmux_connect(m, at(GUEST, ANY), at(HOST, 22), BUF, 2000, 0, &conn[i]) == 0);
            r = (struct record *)(void *)conn[i];
            for (size_t j = 0; j < sizeof r->mine; j++)
                REQUIRE(r->mine[j] == 0);
            memset(r->mine, 0xee, sizeof r->mine);
        }
        CU_ASSERT_PTR_NULL(vmux_invariant(m));
        for (int i = 0; i < 20; i++)
            vmux_release(m, conn[i], 0);
    }
    vmux_free(m);
}

static void a_configuration_without_sense_is_einval(void)
{
    struct vmux_config good = config(false), c;
    struct vmux *m;

#define EINVAL_WITH(change) do { c = good; change; EQ(vmux_new(&c, &m), -EINVAL); CU_ASSERT_PTR_NULL(m); } while (0)
    EINVAL_WITH(c.conn_size = sizeof(struct vmux_conn) - 1);
    EINVAL_WITH(c.conn_size = 1u << 20);
    EINVAL_WITH(c.max_conns = 0);
    EINVAL_WITH(c.tx_cap = 0);
    EINVAL_WITH(c.first_port = ANY);
    EINVAL_WITH(c.last_port = ANY);
    EINVAL_WITH(c.last_port = c.first_port - 1);
    EINVAL_WITH(c.start_port = c.first_port - 1);
    EINVAL_WITH((c.last_port = c.first_port + 9, c.start_port = c.first_port + 10));
#undef EINVAL_WITH
    vmux_free(NULL);
}

static void tell(struct vmux_conn *conn, void *arg)
{
    (void)conn;
    ++*(unsigned *)arg;
}

static void each_tells_of_all_of_them(void)
{
    unsigned count = 0;

    setup();
    for (int i = 0; i < 500; i++)
        connect_to(guest, ANY, 22);
    vmux_each(guest, tell, &count);
    EQ(count, 500);
    teardown();
}

/* The RST that m owes next, and no other packet: its reason. */
static unsigned reason_owed(struct vmux *m)
{
    struct vsockif_hdr hdr = { 0 };
    struct vmux_sender by = { .reason.code = 99 };

    CU_ASSERT_TRUE(vmux_owed_by(m, &hdr, &by));
    EQ(hdr.op, VSOCKIF_OP_RST);
    CU_ASSERT_FALSE(vmux_has_owed(m));
    return by.reason.code;
}

static void a_refusal_says_which_it_is(void)
{
    struct vmux_config c = config(false);
    struct vmux_event ev;
    struct vmux *m;

    c.max_conns = 2;
    REQUIRE(vmux_new(&c, &m) == 0);
    rx(m, at(HOST, 1), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(reason_owed(m), VSOCKIF_REASON_NOBODY);

    listen_at(m, 22, 1);
    listen_at(m, 23, 10);
    rx(m, at(HOST, 1), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(owed(m, NULL), VSOCKIF_OP_RESPONSE);
    rx(m, at(HOST, 2), at(GUEST, 22), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(reason_owed(m), VSOCKIF_REASON_BACKLOG);

    rx(m, at(HOST, 3), at(GUEST, 23), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(owed(m, NULL), VSOCKIF_OP_RESPONSE);
    ev = rx(m, at(HOST, 4), at(GUEST, 23), VSOCKIF_OP_REQUEST, 0, 0);
    EQ(ev.kind, VMUX_NOTHING);
    EQ(ev.refused.code, VSOCKIF_REASON_LIMIT);
    EQ(reason_owed(m), VSOCKIF_REASON_LIMIT);

    /* Of a connection that it does not know it knows no reason. */
    rx(m, at(HOST, 9), at(GUEST, 22), VSOCKIF_OP_SHUTDOWN, 0, 3);
    EQ(reason_owed(m), VSOCKIF_REASON_NONE);
    vmux_free(m);
}

/* From the first end to the last: why it is given up, what the RST says, what the other end makes of it. */
static void a_reset_says_why_and_is_heard(void)
{
    static const struct { struct reason said, heard; } cases[] = {
        { { VSOCKIF_REASON_STATUS, 3 }, { VSOCKIF_REASON_STATUS, 3 } },
        { { VSOCKIF_REASON_POLICY, 0 }, { VSOCKIF_REASON_POLICY, 0 } },
        { { VSOCKIF_REASON_NONE, 0 }, { VSOCKIF_REASON_NONE, 0 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vmux_listener *l;
        struct vmux_conn *c, *s;
        struct vsockif_hdr hdr;
        struct vmux_sender by;
        struct vmux_event ev;

        setup();
        l = listen_at(host, 22, 5);
        c = connect_to(guest, VSOCKIF_PORT_ANY, 22);
        settle();
        REQUIRE((s = vmux_accept(host, l)) != NULL);
        vmux_abort(host, s, ECONNRESET, cases[i].said);
        vmux_release(host, s, 0);
        REQUIRE(vmux_owed_by(host, &hdr, &by));
        vmux_rx(guest, &hdr, 0, &ev);
        vmux_heard(&ev, &hdr, by.reason);
        EQ(c->c.error, ECONNRESET);
        EQ(c->c.reason.code, cases[i].heard.code);
        EQ(c->c.reason.detail, cases[i].heard.detail);
        vmux_release(guest, c, 0);
        teardown();
    }
}

static void a_reason_counts_with_an_rst_that_ends_a_connection_badly_and_only_then(void)
{
    struct vsockif_hdr rst = { .op = VSOCKIF_OP_RST }, data = { .op = VSOCKIF_OP_RW };
    struct vmux_listener *l;
    struct vmux_event ev;
    struct vmux_conn *c, *s;

    setup();
    l = listen_at(host, 22, 5);
    c = connect_to(guest, VSOCKIF_PORT_ANY, 22);
    settle();
    REQUIRE((s = vmux_accept(host, l)) != NULL);

    ev = (struct vmux_event){ .kind = VMUX_CONN, .conn = c };
    vmux_heard(&ev, &rst, REASON(POLICY));              /* it lives: a reason is none */
    EQ(c->c.reason.code, VSOCKIF_REASON_NONE);
    ev = rx(guest, at(HOST, 22), at(GUEST, c->local.port), VSOCKIF_OP_RST, 0, 0);
    vmux_heard(&ev, &data, REASON(POLICY));
    EQ(c->c.reason.code, VSOCKIF_REASON_NONE);
    vmux_heard(&ev, &rst, (struct reason){ 200, 7 });
    EQ(c->c.reason.code, VSOCKIF_REASON_NONE);
    vmux_heard(&ev, &rst, REASON(UNREAD));
    EQ(c->c.reason.code, VSOCKIF_REASON_UNREAD);
    vmux_release(guest, c, 0);

    c = connect_to(guest, VSOCKIF_PORT_ANY, 22);        /* over in order: whatever the RST says */
    settle();
    vmux_release(host, s, 0);
    REQUIRE((s = vmux_accept(host, l)) != NULL);
    vmux_shutdown(guest, c, 3, 0);
    vmux_shutdown(host, s, 3, 0);
    rx(guest, at(HOST, 22), at(GUEST, c->local.port), VSOCKIF_OP_SHUTDOWN, 0, 3);
    owed(guest, NULL);
    ev = rx(guest, at(HOST, 22), at(GUEST, c->local.port), VSOCKIF_OP_RST, 0, 0);
    vmux_heard(&ev, &rst, REASON(POLICY));
    EQ(c->c.state, VCONN_CLOSED);
    EQ(c->c.error, 0);
    EQ(c->c.reason.code, VSOCKIF_REASON_NONE);
    vmux_release(guest, c, 0);
    vmux_release(host, s, 0);
    settle();
    teardown();
}

static const struct test tests[] = {
    TEST(a_refusal_says_which_it_is),
    TEST(a_reset_says_why_and_is_heard),
    TEST(a_reason_counts_with_an_rst_that_ends_a_connection_badly_and_only_then),
    TEST(a_connection_is_accepted_and_closed_with_four_packets),
    TEST(nobody_listens_is_econnrefused),
    TEST(a_full_backlog_refuses),
    TEST(max_conns_bounds_both_directions),
    TEST(the_same_pair_twice_is_eaddrinuse),
    TEST(a_pair_is_free_at_once_while_its_owner_still_holds_the_record),
    TEST(a_pair_reused_in_the_middle_of_a_stream_is_a_new_connection),
    TEST(a_connect_that_times_out_is_told_and_the_late_answer_reset),
    TEST(a_connection_in_the_backlog_takes_data_and_an_end),
    TEST(what_is_reset_in_the_backlog_keeps_its_place),
    TEST(unlisten_resets_what_waits_and_leaves_what_was_accepted),
    TEST(a_listener_has_its_port_alone),
    TEST(ephemeral_ports_go_round_and_pass_over_what_is_taken),
    TEST(ephemeral_ports_begin_where_they_are_told_and_stay_in_their_range),
    TEST(an_ephemeral_port_is_not_used_again_soon),
    TEST(a_packet_without_a_connection_is_reset_and_an_rst_is_not),
    TEST(a_frontend_drops_resets_beyond_its_bound),
    TEST(dom0_stops_reading_when_its_resets_are_full),
    TEST(a_reset_leaves_before_the_answer_to_a_later_request),
    TEST(a_connection_whose_rst_waits_needs_no_second_one),
    TEST(a_request_for_a_pair_in_use_ends_the_connection),
    TEST(an_offer_is_answered_now_or_later_or_refused),
    TEST(a_header_outside_of_the_table_closes_the_device),
    TEST(addresses_that_cannot_be_are_violations),
    TEST(data_beyond_the_credit_is_a_violation_with_a_sentence),
    TEST(those_who_owe_take_turns),
    TEST(deadlines_come_in_order_whatever_happens_between),
    TEST(a_released_connection_is_not_heard_of_again),
    TEST(a_transport_reset_ends_connections_and_keeps_listeners),
    TEST(tens_of_thousands_are_found_and_let_go),
    TEST(an_idle_connection_takes_at_most_512_bytes),
    TEST(the_steady_state_takes_no_memory),
    TEST(a_record_comes_zeroed_and_of_the_callers_size),
    TEST(a_configuration_without_sense_is_einval),
    TEST(each_tells_of_all_of_them),
};

int main(int argc, char **argv)
{
    return harness_run("vmux", tests, sizeof tests / sizeof *tests, argc, argv);
}
