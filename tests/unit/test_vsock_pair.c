/* SPDX-License-Identifier: MIT */
/* test_vsock_pair.c: two tables joined by two queues of bounded length, random calls at both ends, and a model that knows
 * what must come out.  Packets carry no bytes but the name of their stream and their place in it, so that every byte's order
 * and origin is checked.
 *
 *     after every step      vmux_invariant() of both tables; no violation; no more unread than was promised
 *     data                  from the partner, the next byte in order
 *     end of stream         after exactly what the partner sent, and only if it said so
 *     a reset               has a cause: the partner aborted, or stopped receiving before it had all, or this end shut within a message
 *     messages              (of a SEQPACKET) are consumed when they are whole, and the end comes after the last that is
 *     an end in order       means that the partner consumed every byte
 *     at the end            everyone reads and writes on: all streams reach their goal (else a credit is lost), all close
 *                           in order without a second of waiting, and every record is freed
 *
 * XVS_PAIR_RUNS sets the number of runs of each test; XVS_PAIR_SEED runs a single one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vmux.h"

#define MAX_ENDS  2000
#define MAX_QUEUE 64
#define STEPS     800
#define SERVICE   22u
#define BOTH      (VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND)

struct packet {
    struct vsockif_hdr hdr;
    int from;                   /* the sender's end, or -1 */
    uint64_t at;                /* of data: its place in the stream */
};

struct end {
    struct vmux_conn *conn;     /* NULL after release */
    int node;
    int partner;                /* another end, or -1 */
    uint64_t goal, sent, arrived, consumed, most;
    uint64_t taken;             /* …consumed before it stopped receiving */
    uint64_t whole;             /* …arrived, and of messages whose end has come */
    uint32_t left;              /* of the message that it is sending */
    uint32_t port;              /* of a client with a port of its own choice */
    bool owned;                 /* not in a backlog */
    bool eof, shut_send, shut_rcv;
    bool killed;                /* it reset the connection, or timed out */
    bool blocked;               /* saw no room, and waits to be told */
};

struct record {
    struct vmux_conn conn;
    int end;                    /* index + 1, for records come zeroed */
};

struct node {
    struct vmux *m;
    struct vmux_listener *l;
    struct packet queue[MAX_QUEUE];
    unsigned first, count, capacity;
    uint64_t cid;
    bool offer;
};

static struct {
    struct node node[2];
    struct end end[MAX_ENDS];
    int ends;
    uint64_t now, seed, random;
    bool reuse;                 /* clients use three ports over and over */
    bool messages;              /* connections are SEQPACKET: all of them, or where nobody listens about half */
    bool retired[4];
    int pace;
} w;

static jmp_buf out;
static char why_not[200];

static void __attribute__((noreturn, format(printf, 1, 2))) broken(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why_not, sizeof why_not, format, args);
    va_end(args);
    longjmp(out, 1);
}

#define MUST(cond, ...) do { if (!(cond)) broken(__VA_ARGS__); } while (0)

static uint32_t pick(uint32_t below)
{
    w.random ^= w.random << 13;
    w.random ^= w.random >> 7;
    w.random ^= w.random << 17;
    return (uint32_t)((w.random >> 11) % below);
}

static uint32_t pick_size(void)
{
    static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 100, 1000, 4096, 65536, 100000, 262144, UINT32_MAX };

    return sizes[pick(sizeof sizes / sizeof *sizes)];
}

static struct end *end_of(struct vmux_conn *conn)
{
    int i = ((struct record *)(void *)conn)->end;

    return i ? &w.end[i - 1] : NULL;
}

static struct end *add_end(int node, struct vmux_conn *conn, int partner)
{
    struct end *e = &w.end[w.ends];

    *e = (struct end){ .conn = conn, .node = node, .partner = partner, .most = conn->c.buf_alloc };
    if (pick(4))
        e->goal = pick(3) ? pick(3000) : pick(400000);
    ((struct record *)(void *)conn)->end = ++w.ends;
    if (partner >= 0)
        w.end[partner].partner = w.ends - 1;
    return e;
}

static void forget(struct vmux_conn *conn, void *arg)
{
    struct end *e = end_of(conn);

    (void)arg;
    MUST(conn->in_use, "disposed twice");
    if (e && e->conn)
        broken("a record was freed under its owner");
}

/* ---- what is heard ----------------------------------------------------------------------------------- */

static void is_over(struct end *e)
{
    const struct end *other = e->partner >= 0 ? &w.end[e->partner] : NULL;
    int error = e->conn->c.error;

    if (error == 0) {
        MUST(e->eof || e->shut_rcv, "end %d: closed without an error, an end of stream or its own wish", (int)(e - w.end));
        MUST(!other || other->taken == e->sent, "end %d: in order, and %llu of %llu bytes were taken", (int)(e - w.end),
             (unsigned long long)other->taken, (unsigned long long)e->sent);
    } else if (!w.reuse && other && !e->killed) {
        MUST(other->killed || (other->shut_rcv && other->taken < e->sent) || (e->left && e->shut_send),
             "end %d: error %d, and its partner did nothing", (int)(e - w.end), error);
    }
    if (w.reuse && error == ECONNREFUSED && e->port)
        w.retired[e->port] = true;
}

static void heard(struct end *e, unsigned now, const struct packet *p)
{
    if (now & (VCONN_NOW_DATA | VCONN_NOW_DROP)) {
        MUST(p->from >= 0 && p->from == e->partner, "end %d: data of a stranger", (int)(e - w.end));
        MUST(p->at == e->arrived, "end %d: data out of order", (int)(e - w.end));
        e->arrived += p->hdr.len;
        if (p->hdr.flags & VSOCKIF_SEQ_EOM)
            e->whole = e->arrived;
        if (now & VCONN_NOW_DROP) {
            MUST(e->shut_rcv, "end %d: data dropped without a reason", (int)(e - w.end));
            e->consumed += p->hdr.len;
        }
        MUST(e->arrived - e->consumed <= e->most, "end %d: more than was promised", (int)(e - w.end));
        if (e->conn->c.state != VCONN_CLOSED)
            MUST(vconn_unread(&e->conn->c) == (e->shut_rcv ? 0 : e->arrived - e->consumed), "end %d: unread is wrong",
                 (int)(e - w.end));
    }
    if (now & VCONN_NOW_EOF) {
        struct end *other = &w.end[e->partner];

        MUST(other->shut_send, "end %d: an end of stream that nobody sent", (int)(e - w.end));
        MUST(other->sent == e->arrived, "end %d: the end of stream came early", (int)(e - w.end));
        e->eof = true;
        if (vconn_is_seqpacket(&e->conn->c) && !e->shut_rcv) {
            MUST(e->whole == e->arrived || other->left, "end %d: no end of a message", (int)(e - w.end));
            e->arrived = e->whole;
            MUST(e->conn->c.state == VCONN_CLOSED || vconn_unread(&e->conn->c) == e->arrived - e->consumed,
                 "end %d: a part of a message is left to be read", (int)(e - w.end));
        }
    }
    if (now & (VCONN_NOW_ROOM | VCONN_NOW_OPEN))
        e->blocked = false;
    if (now & VCONN_NOW_OPEN)
        MUST(e->partner >= 0, "end %d: open without a partner", (int)(e - w.end));
    if (now & VCONN_NOW_CLOSED)
        is_over(e);
}

static bool deliver(int from)
{
    struct node *n = &w.node[from], *to = &w.node[!from];
    struct packet p;
    struct vmux_event ev;
    bool was_rst;

    if (!n->count || vmux_is_choked(to->m))
        return false;
    p = n->queue[n->first];
    n->first = (n->first + 1) % MAX_QUEUE;
    n->count--;
    was_rst = p.hdr.op == VSOCKIF_OP_RST;
    if (was_rst && !vmux_has_owed(to->m)) {
        vmux_rx(to->m, &p.hdr, w.now, &ev);
        MUST(!vmux_has_owed(to->m), "an RST was answered");
    } else {
        vmux_rx(to->m, &p.hdr, w.now, &ev);
    }
    switch (ev.kind) {
    case VMUX_VIOLATION:
        broken("violation: %s", ev.why);
    case VMUX_INCOMING:
    case VMUX_OFFER:
        MUST(p.from >= 0, "a REQUEST of nobody");
        add_end(!from, ev.conn, p.from)->owned = ev.kind == VMUX_OFFER;
        break;
    case VMUX_CONN:
        MUST(end_of(ev.conn) && end_of(ev.conn)->conn == ev.conn, "an event for nobody");
        heard(end_of(ev.conn), ev.now, &p);
        break;
    case VMUX_NOTHING:
        break;
    }
    return true;
}

static bool put(struct node *n, const struct vsockif_hdr *hdr, int from, uint64_t at)
{
    const char *why = vsockif_check(hdr);

    MUST(!why, "sent a packet that breaks a rule: %s", why);
    MUST(n->count < n->capacity, "no room in the queue");
    n->queue[(n->first + n->count++) % MAX_QUEUE] = (struct packet){ *hdr, from, at };
    return true;
}

static bool emit(int node)
{
    struct node *n = &w.node[node];
    struct vsockif_hdr hdr;
    struct vmux_sender by;
    struct end *e;

    if (n->count == n->capacity || !vmux_owed_by(n->m, &hdr, &by))
        return false;
    e = by.conn ? end_of(by.conn) : NULL;
    if (e && hdr.op == VSOCKIF_OP_RESPONSE)
        e->blocked = false;
    return put(n, &hdr, e ? (int)(e - w.end) : -1, 0);
}

/* ---- what is done ------------------------------------------------------------------------------------- */

static void connect_from(int node)
{
    struct node *n = &w.node[node];
    struct vmux_conn *conn;
    uint32_t port = w.reuse ? 1 + pick(3) : VSOCKIF_PORT_ANY;
    int err;

    if (w.ends >= MAX_ENDS - 200 || (w.reuse && (node || w.retired[port])))
        return;
    err = vmux_connect(n->m, (struct vaddr){ n->cid, port }, (struct vaddr){ w.node[!node].cid, SERVICE }, pick_size(),
                       w.reuse ? 1u << 30 : 2000, w.now, &conn);
    if (err == -ENOBUFS || (w.reuse && err == -EADDRINUSE))
        return;
    MUST(err == 0, "connect: %d", err);
    if (w.messages && (w.node[!node].l || pick(2)))
        vconn_set_type(&conn->c, VSOCKIF_TYPE_SEQPACKET);
    add_end(node, conn, -1)->owned = true;
    w.end[w.ends - 1].port = w.reuse ? port : 0;
}

static void release(struct end *e)
{
    struct vmux_conn *conn = e->conn;

    if (conn->c.state != VCONN_CLOSED && conn->c.state != VCONN_CLOSING) {
        if (conn->c.state != VCONN_ESTABLISHED || vconn_unread(&conn->c))
            e->killed = true;
        e->shut_send = e->shut_rcv = true;
    }
    e->conn = NULL;
    vmux_release(w.node[e->node].m, conn, w.now);
}

static bool accept_one(int node)
{
    struct node *n = &w.node[node];
    struct vmux_conn *conn = n->l ? vmux_accept(n->m, n->l) : NULL;

    if (conn)
        end_of(conn)->owned = true;
    return conn != NULL;
}

static bool answer(struct end *e, bool yes)
{
    struct vmux *m = w.node[e->node].m;

    if (e->conn->c.state != VCONN_OFFERED)
        return false;
    if (yes) {
        vmux_answer(m, e->conn);
    } else {
        e->killed = true;
        vmux_abort(m, e->conn, ECONNREFUSED, REASON(NONE));
    }
    return true;
}

/* How much of a message may go at once: a new one is begun if need be. */
static uint32_t of_message(struct end *e)
{
    uint32_t most = vconn_message_most(&e->conn->c);

    if (!e->left) {
        e->left = 1 + pick(pick_size());
        e->left = e->left < most ? e->left : most;
        e->left = e->left < e->goal - e->sent ? e->left : (uint32_t)(e->goal - e->sent);
    }
    return e->left;
}

static bool send_some(struct end *e, uint32_t most)
{
    struct node *n = &w.node[e->node];
    struct vsockif_hdr hdr;
    uint32_t len = vconn_room(&e->conn->c);

    if (e->sent >= e->goal || e->conn->c.state != VCONN_ESTABLISHED || vconn_is_send_shut(&e->conn->c))
        return false;
    if (!len) {
        e->blocked = true;
        vmux_want_room(n->m, e->conn);
        return false;
    }
    MUST(!e->blocked, "end %d: there is room, and nobody said so", (int)(e - w.end));
    if (n->count == n->capacity)
        return false;
    len = len < VSOCKIF_MAX_PACKET ? len : VSOCKIF_MAX_PACKET;
    len = len < most ? len : most;
    len = len < e->goal - e->sent ? len : (uint32_t)(e->goal - e->sent);
    if (vconn_is_seqpacket(&e->conn->c)) {
        uint32_t left = of_message(e);

        len = len < left ? len : left;
        e->left -= len;
    }
    vmux_send(n->m, e->conn, len, &hdr);
    if (vconn_is_seqpacket(&e->conn->c) && !e->left)
        vconn_end_message(&e->conn->c, &hdr, pick(2));
    put(n, &hdr, (int)(e - w.end), e->sent);
    e->sent += len;
    return true;
}

static bool consume(struct end *e, uint32_t len)
{
    bool whole_ones = vconn_is_seqpacket(&e->conn->c) && !e->shut_rcv;
    uint64_t unread = (whole_ones ? e->whole : e->arrived) - e->consumed;
    unsigned before = e->conn->c.state;

    len = len < unread ? len : (uint32_t)unread;
    if (!len)
        return false;
    e->consumed += len;
    if (!e->shut_rcv)
        e->taken += len;
    vmux_consumed(w.node[e->node].m, e->conn, len);
    if (before != VCONN_CLOSED && e->conn->c.state == VCONN_CLOSED)
        is_over(e);
    return true;
}

static void shut(struct end *e, unsigned flags)
{
    if (e->conn->c.state != VCONN_ESTABLISHED)
        return;
    e->shut_send |= (flags & VSOCKIF_SHUTDOWN_SEND) != 0;
    e->shut_rcv |= (flags & VSOCKIF_SHUTDOWN_RCV) != 0;
    vmux_shutdown(w.node[e->node].m, e->conn, flags, w.now);
}

static void expire(int node)
{
    struct vmux *m = w.node[node].m;
    struct vmux_event ev;

    while (vmux_expire(m, w.now, &ev)) {
        if (ev.kind != VMUX_CONN)
            continue;
        if (ev.conn->c.error)   /* no answer, or a close that waited for a reader in vain */
            end_of(ev.conn)->killed = true;
        is_over(end_of(ev.conn));
    }
    MUST(vmux_next_deadline(m) > w.now, "a deadline in the past");
}

static struct end *pick_end(void)
{
    struct end *e;

    /* The latest are the liveliest. */
    if (!w.ends)
        return NULL;
    e = &w.end[w.ends - 1 - (int)pick(w.ends < 12 ? (uint32_t)w.ends : 12)];
    return e->conn && e->owned ? e : NULL;
}

static void act(void)
{
    int node = (int)pick(2);
    struct end *e = pick_end();

    switch (pick(20)) {
    case 0:
        if (!pick(3))
            connect_from(node);
        return;
    case 1: case 2:
        accept_one(node);
        return;
    case 3: case 4: case 5:
        for (uint32_t i = pick(6); i > 0 && deliver(node); i--)
            ;
        return;
    case 6: case 7:
        for (uint32_t i = pick(4); i > 0 && emit(node); i--)
            ;
        return;
    case 8:
        w.now += pick(10) ? pick(20) : pick((uint32_t)w.pace);
        expire(0);
        expire(1);
        return;
    }
    if (!e)
        return;
    switch (pick(24)) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7:
        send_some(e, 1 + pick(pick_size()));
        return;
    case 8: case 9: case 10: case 11: case 12:
        consume(e, 1 + pick(pick_size()));
        return;
    case 13:
        answer(e, pick(5) != 0);
        return;
    case 14: case 15:
        shut(e, VSOCKIF_SHUTDOWN_SEND);
        return;
    case 16:
        shut(e, VSOCKIF_SHUTDOWN_RCV);
        return;
    case 17:
        vmux_set_buf_alloc(w.node[e->node].m, e->conn, pick_size());
        if (e->conn->c.buf_alloc > e->most)
            e->most = e->conn->c.buf_alloc;
        return;
    case 18:
        if (w.reuse && (e->conn->c.state == VCONN_CONNECTING || e->node))
            return;             /* see connect_from(): what crosses an end would be taken for the next one's */
        if (e->conn->c.state != VCONN_CLOSED) {
            e->killed = true;
            vmux_abort(w.node[e->node].m, e->conn, ECONNRESET, REASON(NONE));
        }
        return;
    case 19: case 20:
        if (!w.reuse || e->conn->c.state != VCONN_CONNECTING)
            release(e);
        return;
    case 21: case 22:
        if (e->conn->c.state == VCONN_ESTABLISHED) {
            if (vconn_unread(&e->conn->c))
                e->killed = true;
            else
                e->shut_send = e->shut_rcv = true;
            vmux_close(w.node[e->node].m, e->conn, w.now);
        }
        return;
    }
}

static void check(void)
{
    for (int i = 0; i < 2; i++) {
        const char *why = vmux_invariant(w.node[i].m);

        MUST(!why, "node %d: %s", i, why);
    }
}

/* Everyone goes on, without a millisecond passing, until nothing moves. */
static void drain(void)
{
    bool moved;
    unsigned rounds = 0;

    do {
        moved = false;
        for (int i = 0; i < 2; i++) {
            while (accept_one(i))
                ;
            moved |= emit(i);
            moved |= deliver(i);
        }
        for (int i = 0; i < w.ends; i++) {
            struct end *e = &w.end[i];

            if (!e->conn || !e->owned)
                continue;
            moved |= answer(e, true);
            moved |= consume(e, 1 + pick(pick_size()));
            moved |= send_some(e, UINT32_MAX);
        }
        MUST(++rounds < 3000000, "no end of packets");
    } while (moved || vmux_has_owed(w.node[0].m) || vmux_has_owed(w.node[1].m));
    check();
}

static void finish(void)
{
    for (int i = 0; i < w.ends; i++)        /* small buffers would take long */
        if (w.end[i].conn && w.end[i].goal > w.end[i].sent + 2000)
            w.end[i].goal = w.end[i].sent + w.end[i].left + pick(2000);
    drain();
    for (int i = 0; i < w.ends; i++) {
        struct end *e = &w.end[i];

        if (!e->conn)
            continue;
        MUST(e->conn->c.state == VCONN_ESTABLISHED || e->conn->c.state == VCONN_CLOSED, "end %d is still %s", i,
             vconn_state_name(e->conn->c.state));
        if (e->conn->c.state == VCONN_ESTABLISHED && !vconn_is_send_shut(&e->conn->c))
            MUST(e->sent == e->goal || w.end[e->partner].conn->c.buf_alloc == 0, "end %d hangs: %llu of %llu bytes", i,
                 (unsigned long long)e->sent, (unsigned long long)e->goal);
    }
    for (int i = 0; i < w.ends; i++)
        if (w.end[i].conn)
            shut(&w.end[i], VSOCKIF_SHUTDOWN_SEND);
    drain();
    for (int i = 0; i < w.ends; i++) {
        struct end *e = &w.end[i];

        if (!e->conn)
            continue;
        MUST(e->conn->c.state == VCONN_CLOSED, "end %d is %s after both ends have shut", i, vconn_state_name(e->conn->c.state));
        if (e->conn->c.error == 0 && e->eof)
            MUST(e->arrived == w.end[e->partner].sent || w.end[e->partner].left, "end %d lost bytes", i);
        release(e);
    }
    drain();
    for (int i = 0; i < 2; i++) {
        MUST(vmux_count(w.node[i].m) == 0, "node %d keeps %u records", i, vmux_count(w.node[i].m));
        MUST(vmux_next_deadline(w.node[i].m) == VCONN_NO_DEADLINE, "node %d keeps a deadline", i);
        MUST(!vmux_has_owed(w.node[i].m), "node %d keeps a debt", i);
    }
}

static void run(uint64_t seed, bool offer, bool reuse, bool messages)
{
    static const uint32_t caps[] = { 1, 2, 10, 300, 5000, 262144, 1u << 20, UINT32_MAX };

    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w.reuse = reuse;
    w.messages = messages;
    pick(2);
    w.pace = pick(2) ? 100 : 12000;
    if (reuse)
        w.pace = 10;
    for (int i = 0; i < 2; i++) {
        struct node *n = &w.node[i];
        struct vmux_config config = {
            .conn_size = sizeof(struct record), .max_conns = 4 + pick(60), .buf_alloc = pick_size(),
            .tx_cap = caps[pick(sizeof caps / sizeof *caps)], .first_port = 5000,
            .max_resets = i && offer ? 1 + pick(8) : 4096, .offer = i && offer, .dispose = forget,
        };

        n->cid = i ? VSOCKIF_CID_HOST : 5;
        n->capacity = pick(3) ? 1 + pick(MAX_QUEUE) : 1 + pick(3);
        MUST(vmux_new(&config, &n->m) == 0, "no table");
        vmux_set_cids(n->m, i ? 0 : n->cid, i ? 5 : 0);
        vmux_allow_seqpacket(n->m, messages);
        if (!config.offer)
            MUST(vmux_listen(n->m, SERVICE, 1 + pick(10), NULL, &n->l) == 0, "no listener");
        if (n->l && messages)
            vmux_listener_set_type(n->l, VSOCKIF_TYPE_SEQPACKET);
    }
    for (int i = 0; i < STEPS; i++) {
        act();
        check();
    }
    finish();
}

static void runs(bool offer, bool reuse, bool messages)
{
    const char *one = getenv("XVS_PAIR_SEED"), *many = getenv("XVS_PAIR_RUNS");
    uint64_t from = one ? strtoull(one, NULL, 0) : 1, count = one ? 1 : many ? strtoull(many, NULL, 0) : 100;

    for (volatile uint64_t seed = from; seed < from + count; seed++) {
        volatile bool good = false;

        if (setjmp(out) == 0) {
            run(seed, offer, reuse, messages);
            good = true;
        } else {
            printf("  XVS_PAIR_SEED=%llu: %s\n", (unsigned long long)seed, why_not);
        }
        for (int i = 0; i < w.ends; i++)
            w.end[i].conn = NULL;
        for (int i = 0; i < 2; i++)
            vmux_free(w.node[i].m);
        REQUIRE(good);
    }
}

static void a_guest_and_a_listening_host_agree(void)
{
    runs(false, false, false);
}

static void a_guest_and_dom0_that_is_asked_for_each_connection_agree(void)
{
    runs(true, false, false);
}

static void clients_that_use_the_same_ports_again_at_once_get_their_own_data(void)
{
    runs(false, true, false);
}

static void messages_come_whole_or_not_at_all(void)
{
    runs(false, false, true);
}

static void messages_and_streams_go_side_by_side(void)
{
    runs(true, false, true);
}

static const struct test tests[] = {
    TEST(a_guest_and_a_listening_host_agree),
    TEST(a_guest_and_dom0_that_is_asked_for_each_connection_agree),
    TEST(clients_that_use_the_same_ports_again_at_once_get_their_own_data),
    TEST(messages_come_whole_or_not_at_all),
    TEST(messages_and_streams_go_side_by_side),
};

int main(int argc, char **argv)
{
    return harness_run("vsock_pair", tests, sizeof tests / sizeof *tests, argc, argv);
}
