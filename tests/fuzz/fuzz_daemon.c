/* SPDX-License-Identifier: MIT */
/* fuzz_daemon.c: the whole daemon, on a mocked host (tests/mock), with three guests, host programs and a hostile world.
 *
 * An input is a header and a sequence of operations of four bytes each: what, and three arguments.  Each is done while the daemon
 * sleeps, or in the middle of its work: at the n-th call that it makes from then on.  What guests do is right or
 * wrong, as the operation says; what the daemon sends them is judged by the wire's rules, and bytes are checked by their place in
 * their stream.  In the end the world is mended; the daemon must then serve a new guest, keep nothing of those that are gone,
 * stop when it is told to, and leave nothing open, mapped or allocated. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "front.h"
#include "host.h"
#include "mock.h"
#include "process.h"
#include "whole.h"
#include "world.h"

#define GUESTS    3
#define ENDS      6
#define LISTENERS 4
#define CLIENTS   2
#define FIRST_PORT 5000u        /* of host programs: as many as there are listeners */
#define RESTARTS  3
#define STOP_MS   4000u         /* what a stop may take, and some more */

struct header {
    uint8_t guests;             /* a bit each: those that are connected before the first operation */
    uint8_t settings;           /* which of settings_text[] */
    uint8_t shape;              /* of the guests' rings, pools and buffers */
    uint8_t end;                /* END_* */
};
#define END_MENDED  1u          /* the world is put in order, and a new guest served */
#define END_DEATHS  2u          /* …then all guests die */
#define END_RESTART 4u          /* …by another daemon */
#define END_CLOSED  8u          /* not so: host programs close before the daemon is stopped */
#define END_READ    16u         /* all that has come is read */
#define END_IDLE    32u         /* …and then it has nothing to do for a while */

/* 'what' is the kind of operation in its lower six bits.  0x80: the daemon does not run before the next one; 0xc0: within its work, at
 * a call that c says. */
struct op { uint8_t what, a, b, c; };

/* ---- the world ---- */

struct guest {
    bool lives;
    uint32_t domid;
    char name[80];
    struct front front;         /* device 0 */
};

static struct guest guest[GUESTS];
static struct host_end end[ENDS], client[CLIENTS];
static int listener[LISTENERS];
static uint32_t last_domid, restarts;

static const char *const settings_text[] = {
    "[daemon]\nspin_us = 0\nservices = yes\n",
    "[daemon]\npolicy_cuts = yes\n",
    "[daemon]\nspin_us = 0\nattach = manual\nservices = yes\n",
    "[daemon]\nspin_us = 0\nservices = yes\nmax_connections = 2\nheld_spill_bytes = 8192\n",
    "[daemon]\nspin_us = 0\n[guest a]\ncid = 77\n[guest b]\ncid = 78\n[group g]\nguests = a, c\n",
    "[daemon]\nspin_us = 0\npolicy_cuts = yes\n[guest a]\ncid = 78\n[guest b]\ncid = 77\nsocket_mode = 0660\n",
    "[daemon]\nspin_us = 0\nmax_ring_page_order = 0\nmax_pool_pages = 2\nsocket_mode = 0666\nlog_level = debug\n",
    "[daemon]\nspin_us = seldom\n",
};
#define SETTINGS (sizeof settings_text / sizeof *settings_text)

/* One of them comes with each settings.  Where a group is asked for, it is not always there. */
static const char *const policy_text[] = {
    WORLD_OPEN, WORLD_OPEN, NULL, WORLD_OPEN, "* @group:g b allow\n* b @group:g allow\n* @unix @any allow\n* @any @unix allow\n",
    "* b a allow\n1-9 @unix/user:root @any allow\n* @unix/user:root a deny\n* @unix @any allow\n7-4999 @any @unix allow\n",
    "* @any @any deny\n* @unix/group:root @any allow\n", "nonsense\n",
};

static void settle_on(uint8_t which)
{
    world_settings(settings_text[which % SETTINGS]);
    world_policy(policy_text[(which ^ which >> 4) % (sizeof policy_text / sizeof *policy_text)]);
}

static const char *const names[] = {
    "a", "b", "c", "dom2", "dom1", "a b", "..", "x/../../y", "", "Domain-0", "a:1", "\x1b[2J\nforged",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
};
#define NAMES (sizeof names / sizeof *names)

static void appears(struct guest *g, const char *name, uint8_t shape)
{
    static const uint32_t pools[] = { 4, 1, 16, 64 }, buffers[] = { 1024, 4096, 64, 256 };

    g->domid = ++last_domid;
    g->lives = true;
    snprintf(g->name, sizeof g->name, "%s", name);
    front_init(&g->front, g->domid, 0);
    g->front.has_messages = g != &guest[GUESTS - 1];     /* the last one is older */
    g->front.order = shape & 1;
    g->front.pool_pages = pools[shape >> 1 & 3];
    g->front.buffer = buffers[shape >> 3 & 3];
    world_appear(g->domid, name);
}

static void dies(struct guest *g, unsigned how)
{
    if (g->lives)
        world_die(g->domid, &g->front, how);
    g->lives = false;
}

static const char *dir_of(const struct guest *g, unsigned how)
{
    static char dir[100];

    if (how & 1 && g->front.cid)
        snprintf(dir, sizeof dir, "cid/%llu", (unsigned long long)g->front.cid);
    else
        snprintf(dir, sizeof dir, "guest/%s", g->name);
    return dir;
}

static uint32_t of_table(const uint32_t *table, size_t count, unsigned i)
{
    return table[i % count];
}
#define OF(i, ...) of_table((const uint32_t[]){ __VA_ARGS__ }, sizeof (const uint32_t[]){ __VA_ARGS__ } / 4, i)

/* ---- operations ---- */

/* New ones go to the end: the corpus knows their numbers. */
#define OPS(X)                                                                                                         \
    X(DOMAIN_NEW) X(DOMAIN_DIE) X(DOMAIN_NAME) X(TIME) X(STORE) X(SETTINGS) X(CONTROL) X(CONTROL_RAW) X(STOP)          \
    X(STEP) X(CONNECT) X(STATE) X(NODE) X(NODE_GONE) X(CONTROL_PAGE) X(GRANT) X(GUEST_DIE)                             \
    X(OPEN) X(ANSWER) X(SEND) X(SHUT) X(RESET) X(CONSUME) X(ASK) X(TAKE) X(POST) X(KICK) X(MANGLE) X(RAW) X(WORD)      \
    X(HOST_CONNECT) X(HOST_SAY) X(HOST_WRITE) X(HOST_READ) X(HOST_SHUT) X(HOST_CLOSE) X(LISTEN) X(ACCEPT) X(UNLISTEN)  \
    X(DUPLEX) X(LISTEN_MESSAGES) X(CALL_MESSAGES) X(DUPLEX_MESSAGES)

enum op_kind {
#define X(name) OP_##name,
    OPS(X)
#undef X
    OP_COUNT
};

#include "mutate.h"             /* it wants OP_COUNT */

/* A number that none has is one of the first ones: so what is older than the newest of them keeps its meaning. */
static enum op_kind kind_of(const struct op *o)
{
    unsigned n = o->what % 64;

    return (enum op_kind)(n < OP_COUNT ? n : n % (OP_DUPLEX + 1));
}

static bool touches_store(enum op_kind kind)
{
    return kind <= OP_STORE || (kind >= OP_STEP && kind <= OP_NODE_GONE);
}

/* Time passes, and a whole handshake is done, only while the daemon sleeps. */
static bool needs_rest(enum op_kind kind)
{
    return kind == OP_TIME || kind == OP_CONNECT || kind == OP_DUPLEX || kind == OP_DUPLEX_MESSAGES;
}

static struct conn *conn_of(struct front *f, unsigned i)
{
    return &f->conn[i % FRONT_CONNS];
}

static void control_request(unsigned which, unsigned argument)
{
    static const char *const requests[] = {
        "{\"verb\":\"ls\"}\n", "{\"verb\":\"stats\"}\n", "{\"verb\":\"dump\",\"domain\":%u}\n", "{\"verb\":\"reload\"}\n",
        "{\"verb\":\"attach\",\"domain\":%u}\n", "{\"verb\":\"detach\",\"domain\":%u}\n",
        "{\"verb\":\"detach\",\"domain\":%u,\"device\":0}\n", "{\"verb\":\"attach\",\"domain\":%u,\"device\":3,\"cid\":99}\n",
        "{\"verb\":\"attach\",\"domain\":\"a\",\"cid\":77}\n", "{\"verb\":\"detach\",\"domain\":\"c\"}\n",
        "{\"verb\":\"ls\",\"x\":%u}\n", "[\"ls\"]\n{\"verb\":\"ls\"}\n{}\n",
    };
    struct host_end *c = &client[argument >> 4 & 1];
    char line[200];

    if (c->fd < 0 && !host_control(c))
        return;
    /* The argument is a guest's domid, or one that is not there. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, requests[which % (sizeof requests / sizeof *requests)],
             argument % 4 < GUESTS ? guest[argument % 4].domid : 4000u);
#pragma clang diagnostic pop
    host_say(c, line, (uint32_t)strlen(line));
}

static void control_raw(const struct op *o)
{
    struct host_end *c = &client[o->a & 1];
    char bytes[256];

    if (c->fd < 0 && !host_control(c))
        return;
    switch (o->a >> 1 & 7) {
    case 0: host_say(c, &o->b, 2); break;
    case 1: host_say(c, "\n", 1); break;
    case 2: host_say(c, "{\"verb\":", 8); break;
    case 3: memset(bytes, o->b, sizeof bytes); for (int i = 0; i < 257; i++) host_say(c, bytes, sizeof bytes); break;
    case 4: host_half_close(c, SHUT_WR); break;
    case 5: host_half_close(c, SHUT_RD); break;
    case 6: for (int i = 0; i < 40; i++) control_request(0, (unsigned)(o->a & 1) << 4); break;
    default: host_close(c); break;
    }
}

/* What has come for a client of the control socket: whole lines, each an object with "ok". */
static void control_read(struct host_end *c)
{
    char bytes[4096];
    ssize_t n;

    while (c->fd >= 0 && (n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        if (!c->in.bytes++)
            MOCK_MUST(!strncmp(bytes, "{\"ok\":", 6) || !strncmp(bytes, "{\"", 2), "an answer begins with %.20s", bytes);
}

static void node(struct front *f, const struct op *o)
{
    static const char *const leaves[] = {
        "state", "version", "control-ref", "event-channel", "multi-queue-num-queues", "backend", "backend-id", "queue-0/x",
    }, *const values[] = {
        "", "0", "1", "2", "4294967295", "4294967296", "-1", "01", "x", "1,2", "99", "4", "\n<0>forged", " 1",
        "/local/domain/0/backend/vsock/1/0",
    };
    char many[200];

    if (o->c % 16 == 15) {
        memset(many, '7', sizeof many);
        front_node(f, leaves[o->b % 8], many, o->c & 16 ? 63 : sizeof many);
    } else if (o->c % 16 == 14) {
        front_node(f, leaves[o->b % 8], "1\0002", 3);
    } else {
        front_node(f, leaves[o->b % 8], values[o->c % 15], (uint32_t)strlen(values[o->c % 15]));
    }
}

static void control_page(struct front *f, const struct op *o)
{
    uint32_t values[] = { 0, 1, 3, 32, 65, 0xffffffffu, 0x80000000u, o->c };
    uint32_t *words = (uint32_t *)(void *)front_control(f);

    if (!f->shares)
        return;
    f->spoilt = true;
    if (o->b < 6)
        words[o->b] = values[o->c & 7];
    else if (o->b == 6)
        front_control(f)->front_live = o->c;
    else if (o->b == 7)
        front_control(f)->back_live = o->c;
    else
        words[16 + o->b % 140] = o->b & 1 ? words[16 + o->c % 140] : o->c & 2 ? FRONT_FIRST_REF + f->base : o->c;
}

/* A packet of a stream's that is right but for one field. */
static void mangle(struct front *f, const struct op *o)
{
    struct conn none = { .type = VSOCKIF_TYPE_STREAM, .cid = 2, .port = 7, .peer_port = FIRST_PORT }, *c = conn_of(f, o->a >> 2);
    struct vsockif_slot slot = { 0 };
    uint32_t value = OF(o->c, 0, 1, 2, 3, 8, 64, 4095, 4096, 65535, 65536, 65537, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 5000);

    if (c->state == CONN_FREE)
        c = &none;
    c->spoilt = true;
    slot.hdr = front_header(f, c, o->b >> 4 & 7);
    slot.id = f->tx_prod % (f->ring_slots ? f->ring_slots : 32);
    if (slot.hdr.op == VSOCKIF_OP_RW)
        slot.hdr.len = slot.size = 100;
    if (slot.hdr.op == VSOCKIF_OP_SHUTDOWN)
        slot.hdr.flags = 1 + o->c % 3;
    switch (o->b & 15) {
    case 0:  slot.hdr.src_cid = value; break;
    case 1:  slot.hdr.dst_cid = o->c & 16 ? guest[o->c % GUESTS].front.cid : value; break;
    case 2:  slot.hdr.src_port = value; break;
    case 3:  slot.hdr.dst_port = value; break;
    case 4:  slot.hdr.len = value; break;
    case 5:  slot.hdr.len = slot.size = value; break;
    case 6:  slot.hdr.type = (uint16_t)value; break;
    case 7:  slot.hdr.op = (uint16_t)value; break;
    case 8:  slot.hdr.flags = value; break;
    case 9:  slot.hdr.buf_alloc = value; break;
    case 10: slot.hdr.fwd_cnt += value; break;
    case 11: slot.id = value; break;
    case 12: slot.off = value; break;
    case 13: slot.size = value; break;
    default: break;
    }
    front_raw(f, true, &slot);
}

static void raw(struct front *f, const struct op *o)
{
    struct vsockif_slot slot = { .id = o->b, .off = (uint32_t)o->c * 64, .size = OF(o->b >> 4, 64, 1024, 4096, 65536, 0, 63, 128, 1u << 31) };

    slot.count = o->c;
    front_raw(f, o->a & 4, &slot);
}

static void word(struct front *f, const struct op *o)
{
    uint32_t *w = front_word(f, o->a & 4, o->b < 128 ? o->b % 4 : o->b);

    if (!f->shares)
        return;
    f->spoilt = true;
    switch (o->a >> 3 & 3) {
    case 0:  *w += o->c; break;
    case 1:  *w -= o->c; break;
    case 2:  *w = OF(o->c, 0, 1, 0xffffffff, 0x80000000, 31, 32, 33, 64); break;
    default: *w ^= 1u << (o->c & 31); break;
    }
    if (o->a & 32 && o->b < 128 && !(o->b & 3))
        mock_port_send(f->domid, f->port);
}

static void host_connect_to(const struct op *o)
{
    struct host_end *h = &end[o->a % ENDS];
    const struct guest *g = &guest[o->b % GUESTS];
    static const uint32_t says[] = { 99, 99, 99, 99, 99, 99, 3, 0 };

    if (kind_of(o) == OP_CALL_MESSAGES)
        host_connect_messages(h, dir_of(g, o->b >> 2), 1 + (o->b >> 5), says[o->c & 7], o->c);
    else
        host_connect(h, dir_of(g, o->b >> 2), 1 + (o->b >> 5), says[o->c & 7], o->c);
}

/* With some, for all guests. */
static void listen_at(const struct op *o, const char *dir, bool messages)
{
    unsigned which = o->b % LISTENERS;

    host_unlisten(listener[which]);
    listener[which] = (messages ? host_listen_messages : host_listen)(dir, FIRST_PORT + which);
}

/* A stream to a host program, whole: so that what comes after it meets one more often. */
static void duplex(const struct op *o, struct guest *g, bool messages)
{
    struct front *f = &g->front;

    if (!f->up || (messages && !f->has_messages))
        return;
    listen_at(o, dir_of(g, 0), messages);
    f->opens_messages = messages;
    front_open(f, VSOCKIF_CID_HOST, FIRST_PORT + o->b % LISTENERS, 65536);
    front_kick(f);
    process_rest();
    host_accept(&end[o->a % ENDS], listener[o->b % LISTENERS], o->c);
    front_take(f, FRONT_SLOTS);
}

static void host_say_some(const struct op *o)
{
    struct host_end *h = &end[o->a % ENDS];
    static const char *const words[] = { "\n", "CONNECT 7\n", "connect 4294967295\r\n", "CONNECT 4294967296\n", "GET / HTTP/1.0\r\n",
                                         "CONNECT", " 1\n", "CONNECT 1\nCONNECT 2\n" };

    /* Only as long as it is not a stream whose bytes are checked. */
    if (h->wants_ok && !h->out.bytes)
        host_say(h, words[o->b & 7], (uint32_t)strlen(words[o->b & 7]));
}

static void store_op(const struct op *o)
{
    switch (o->a & 7) {
    case 0: mock_store_lose(true); break;
    case 1: mock_store_lose(false); break;
    case 2: if (mock_store_is_away()) mock_store_lose(false); break;
    case 3: mock_store_conflict(); break;
    case 4: mock_store_fire(o->b & 1 ? "@introduceDomain" : "@releaseDomain"); break;
    case 5: mock_store_remove("/local/domain/0/backend/vsock"); break;
    case 6: {
        char path[80];

        snprintf(path, sizeof path, "/local/domain/0/backend/vsock/%u", guest[o->b % GUESTS].domid);
        mock_store_remove(path);
        break;
    }
    default: mock_store_write("/local/domain/0/backend/vsock/x/y", "%u", o->b); break;
    }
}

static void act(const struct op *o)
{
    struct guest *g = &guest[o->a % 4 % GUESTS];
    struct front *f = &g->front;
    struct host_end *h = &end[o->a % ENDS];

    switch (kind_of(o)) {
    case OP_DOMAIN_NEW:
        if (!g->lives)
            appears(g, names[o->b % NAMES], o->c);
        break;
    case OP_DOMAIN_DIE:
        dies(g, o->b);
        break;
    case OP_DOMAIN_NAME:
        if (g->lives) {
            snprintf(g->name, sizeof g->name, "%s", names[o->b % NAMES]);
            world_name(g->domid, g->name);
        }
        break;
    case OP_TIME:
        process_pass(OF(o->b, 1, 10, 50, 100, 300, 500, 1000, 2000, 5000, 8000, 20000));
        break;
    case OP_STORE:       store_op(o); break;
    case OP_SETTINGS:
        settle_on(o->b);
        if (!(o->c & 1))
            raise(SIGHUP);
        break;
    case OP_CONTROL:     control_request(o->b, o->a); break;
    case OP_CONTROL_RAW: control_raw(o); break;
    case OP_STOP:        raise(o->b & 1 ? SIGINT : SIGTERM); break;
    case OP_STEP:        if (g->lives) front_step(f); break;
    case OP_CONNECT:     if (g->lives) front_connect(f); break;
    case OP_STATE:       if (g->lives) front_state(f, (const char *[]){ "0", "1", "2", "3", "4", "5", "6", "7" }[o->b & 7]); break;
    case OP_NODE:        if (g->lives) node(f, o); break;
    case OP_NODE_GONE:
        if (g->lives) {
            char path[128];

            snprintf(path, sizeof path, "%s%s", f->dir, (const char *[]){ "", "/state", "/control-ref", "/backend" }[o->b & 3]);
            mock_store_remove(path);
        }
        break;
    case OP_CONTROL_PAGE: control_page(f, o); break;
    case OP_GRANT:
        if (o->b & 1)
            mock_revoke(f->domid, FRONT_FIRST_REF + f->base + o->c % 140);
        else
            mock_grant(f->domid, FRONT_FIRST_REF + f->base + o->c % 140, f->base + o->b % 16, o->b & 2);
        break;
    case OP_GUEST_DIE:   front_die(f); break;
    case OP_OPEN:
        f->opens_messages = f->has_messages && o->c & 128;
        front_open(f, o->b & 4 ? guest[o->b % 4 % GUESTS].front.cid : VSOCKIF_CID_HOST,
                   o->b & 8 ? OF(o->b >> 4, 7, 9, 19, 1, 2) : FIRST_PORT + (o->b >> 4) % LISTENERS,
                   OF(o->c, 262144, 65536, 4096, 1000, 1, 0, 0xffffffff, 16384));
        break;
    case OP_ANSWER:      front_answer(f, conn_of(f, o->b), OF(o->c, 262144, 65536, 4096, 1, 0, 0xffffffff)); break;
    case OP_SEND:        front_send(f, conn_of(f, o->b), OF(o->c, 1, 10, 100, 1000, 4096, 4097, 16384, 65536)); break;
    case OP_SHUT:        front_shutdown(f, conn_of(f, o->b), o->c & 3); break;
    case OP_RESET:       front_reset(f, conn_of(f, o->b)); break;
    case OP_CONSUME:     front_consume(f, conn_of(f, o->b), OF(o->c, 0xffffffff, 0, 1, 1000), OF(o->c >> 4, 262144, 4096, 0, 0xffffffff)); break;
    case OP_ASK:         front_ask(f, conn_of(f, o->b)); break;
    case OP_TAKE:        front_take(f, o->b & 1 ? 1 + o->c : FRONT_SLOTS); break;
    case OP_POST:        front_post(f, 1 + o->b); break;
    case OP_KICK:        front_kick(f); break;
    case OP_MANGLE:      if (f->shares) mangle(f, o); break;
    case OP_RAW:         raw(f, o); break;
    case OP_WORD:        if (f->shares) word(f, o); break;
    case OP_HOST_CONNECT:
    case OP_CALL_MESSAGES: host_connect_to(o); break;
    case OP_HOST_SAY:    host_say_some(o); break;
    case OP_HOST_WRITE:  if (!h->wants_ok) host_write(h, OF(o->b, 1, 10, 100, 1000, 4096, 16384, 65536, 400000)); break;
    case OP_HOST_READ:   host_read(h, OF(o->b, 1u << 20, 1, 100, 4096)); break;
    case OP_HOST_SHUT:   host_half_close(h, (int)(o->b % 3)); break;
    case OP_HOST_CLOSE:  host_close(h); break;
    case OP_LISTEN:      listen_at(o, o->c >= 0xc0 ? "any" : dir_of(g, o->c), false); break;
    case OP_LISTEN_MESSAGES: listen_at(o, o->c >= 0xc0 ? "any" : dir_of(g, o->c), true); break;
    case OP_ACCEPT:      host_accept(h, listener[o->b % LISTENERS], o->c); break;
    case OP_UNLISTEN:    host_unlisten(listener[o->b % LISTENERS]); listener[o->b % LISTENERS] = -1; break;
    case OP_DUPLEX:      duplex(o, g, false); break;
    case OP_DUPLEX_MESSAGES: duplex(o, g, true); break;
    default:
        break;
    }
}

/* ---- in the middle of the daemon's work ---- */

static struct op later;
static unsigned later_in;       /* calls from now; 0: there is none */

static int on_call(enum mock_call call)
{
    struct op now;

    if (!later_in || call == MOCK_epoll_wait)
        return 0;
    if (later_in > 1) {
        later_in--;
        return 0;
    }
    if (mock_store_in_transaction() && touches_store(kind_of(&later))) {
        mock_store_conflict();  /* it is done as soon as the transaction is over */
        return 0;
    }
    now = later;
    later_in = 0;
    act(&now);
    return 0;
}

/* ---- a run ---- */

/* It has ended: in order, or with a sentence; and another one takes its place. */
static void ended(void)
{
    const char *left = mock_left_over();

    MOCK_MUST(!*left, "the daemon ended, and %s", left);
    MOCK_MUST(!process_status() || strstr(process_log(), "xvsd: "), "it ended with status %d and no word", process_status());
}

static void go_on(void)
{
    if (process_rest())
        return;
    ended();
    if (restarts++ < RESTARTS)
        world_daemon();
}

static void show(const struct op *o)
{
    static const char *const op_names[] = {
#define X(name) #name,
        OPS(X)
#undef X
    };

    fprintf(stderr, "-- %s%s %u %u %u\n", op_names[kind_of(o)],
            o->what >= 0xc0 ? " (within)" : o->what >= 0x80 ? " (and)" : "", o->a, o->b, o->c);
}

static void play(const struct op *o)
{
    enum op_kind kind = kind_of(o);

    if (process_is_loud)
        show(o);
    if (o->what >= 0xc0 && !needs_rest(kind)) {
        later = *o;
        later_in = 1 + o->c % 32;
        return;
    }
    act(o);
    if (o->what < 0x80)
        go_on();
}

static void read_all(void)
{
    for (int i = 0; i < CLIENTS; i++)
        control_read(&client[i]);
    for (int i = 0; i < ENDS; i++)
        host_read(&end[i], UINT32_MAX);
    for (int i = 0; i < GUESTS; i++)
        front_take(&guest[i].front, UINT32_MAX);
}

/* ---- the end ---- */

static void close_ends(void)
{
    for (int i = 0; i < ENDS; i++)
        host_close(&end[i]);
    for (int i = 0; i < CLIENTS; i++)
        host_close(&client[i]);
    for (int i = 0; i < LISTENERS; i++) {
        host_unlisten(listener[i]);
        listener[i] = -1;
    }
}

/* All guests are gone: so is what the daemon had of them. */
static void all_die(void)
{
    const char *path;

    for (int i = 0; i < GUESTS; i++)
        dies(&guest[i], (unsigned)i);
    process_pass(3000);
    for (uint32_t domid = 1; domid <= last_domid; domid++)
        MOCK_MUST(!mock_mappings(domid), "pages of domain %u are still mapped", domid);
    path = mock_store_next("/local/domain/0/backend/vsock/", NULL);
    while (path && !strncmp(path + 30, "x", 1))
        path = mock_store_next("/local/domain/0/backend/vsock/", path);
    MOCK_MUST(!path, "%s is left of a domain that is gone", path);
    path = mock_store_next("/local/domain/0/error/backend/vsock/", NULL);
    MOCK_MUST(!path, "%s is left of a domain that is gone", path);
}

static void mend(const struct header *header)
{
    uint64_t rounds;
    char name[24];

    mock_on_call = NULL;
    later_in = 0;
    close_ends();
    if (mock_store_is_away())
        mock_store_lose(false);
    if (process_is_running() && header->end & END_RESTART)
        MOCK_MUST(process_end(), "it does not stop");
    else
        process_pass(STOP_MS);  /* it may have been told to stop already */
    if (!process_is_running())
        ended();
    settle_on(0);
    if (!process_is_running())
        world_daemon();
    else
        raise(SIGHUP);
    process_pass(6000);         /* xenstored is asked every 5 s whether it lives */
    MOCK_MUST(process_is_running(), "it does not run on a host that is in order: %s", process_log());
    MOCK_MUST(!mock_store_events(), "%u watches have fired and are not heard", mock_store_events());
    snprintf(name, sizeof name, "new%u", last_domid);
    world_serves(++last_domid, name);
    if (header->end & END_DEATHS)
        all_die();
    if (!(header->end & END_IDLE))
        return;
    rounds = process_rounds();
    process_pass(20000);
    MOCK_MUST(process_rounds() - rounds < 400, "it wakes up %llu times in 20 s with nothing to do",
              (unsigned long long)(process_rounds() - rounds));
}

static void check_log(void)
{
    for (const char *c = process_log(); *c; c++)
        MOCK_MUST((unsigned char)*c >= 0x20 || *c == '\n', "a control character in the log");
}

static void run(const uint8_t *data, size_t size)
{
    struct header header = { 0 };

    memcpy(&header, data, size < sizeof header ? size : sizeof header);
    memset(guest, 0, sizeof guest);
    last_domid = restarts = 0;
    world_new();
    settle_on(header.settings % SETTINGS);
    for (int i = 0; i < ENDS; i++)
        host_end_init(&end[i]);
    for (int i = 0; i < CLIENTS; i++)
        host_end_init(&client[i]);
    for (int i = 0; i < LISTENERS; i++)
        listener[i] = -1;
    for (int i = 0; i < GUESTS; i++)
        appears(&guest[i], names[i], header.shape);
    world_daemon();
    for (int i = 0; i < GUESTS; i++)
        if (header.guests >> i & 1 && process_is_running())
            front_connect(&guest[i].front);
    mock_on_call = on_call;
    for (size_t at = sizeof header; at + sizeof(struct op) <= size && at < MUTATE_MOST && process_is_running(); at += sizeof(struct op)) {
        struct op o;

        memcpy(&o, data + at, sizeof o);
        play(&o);
    }
    if (header.end & END_READ)
        read_all();
    if (header.end & END_MENDED)
        mend(&header);
    mock_on_call = NULL;
    later_in = 0;
    if (header.end & (END_CLOSED | END_MENDED))
        close_ends();
    check_log();
    if (process_is_running())
        MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    ended();
    check_log();
    close_ends();
    for (int i = 0; i < GUESTS; i++)
        front_die(&guest[i].front);
    world_over();
}

static void warm_up(void)
{
    world_open();
    atexit(world_close);
    run((const uint8_t[]){ 7, 0, 0, 31 }, sizeof(struct header));
    run((const uint8_t[]){ 7, 5, 0, 31 }, sizeof(struct header));       /* a user is looked up, */
    run((const uint8_t[]){ 7, 6, 0, 31 }, sizeof(struct header));       /* …and a group */
}
