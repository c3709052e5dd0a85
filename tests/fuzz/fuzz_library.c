/* SPDX-License-Identifier: MIT */
/* fuzz_library.c: the whole library before a hostile backend, on a mocked host (tests/mock).
 *
 * As fuzz_daemon.c, from the other side: an input is a header and operations of four bytes.  Half of them are what an
 * application does with the public calls, half what a backend and a toolstack do to it, right or wrong, between those calls or within
 * them.  What the library sends is judged by the wire's rules, and bytes by their place in their stream; what programs of the guest say
 * to each other must never be seen in a shared page.  In the end an honest backend comes: the device must
 * come up again and carry bytes, and closing it must leave nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "back.h"
#include "mock.h"
#include "process.h"
#include "whole.h"
#include "xvs.h"

#define GUEST     1u
#define CID       1001u
#define STREAMS   8
#define LISTENERS 3
#define PORT      50u           /* of the first listener */
#define SECRET    "only within this guest"

struct header { uint8_t options, unused[2], end; };     /* bits of the options; bit 0: the end is that bytes are carried */
struct op { uint8_t what, a, b, c; };   /* 0x40 and more of the backend's: the library runs next; 0xc0: within its work */

struct end {
    struct xvs_stream *s;       /* NULL: none */
    struct flow out, in;
    bool local, messages, peeked;
    void *piece;                /* xvs_reserve()'s */
    ssize_t piece_size;
};

static struct xvs *x;
static struct back back;
static struct end end[STREAMS];
static struct xvs_listener *listener[LISTENERS];
static bool spoilt;             /* the backend has broken a rule: what arrives may be anything */
static char run_dir[64];

/* The library runs: the backend may do something within (on_call()). */
#define LIB(call) (mock_in_product = true, (call))
#define OUT() (mock_in_product = false)

static uint32_t of_table(const uint32_t *table, size_t count, unsigned i)
{
    return table[i % count];
}
#define OF(i, ...) of_table((const uint32_t[]){ __VA_ARGS__ }, sizeof (const uint32_t[]){ __VA_ARGS__ } / 4, i)

/* ---- operations ---- */

/* New ones go to the end: the corpus knows their numbers. */
#define OPS(X)                                                                                                         \
    X(PROCESS) X(EVENTS) X(LISTEN) X(ACCEPT) X(CONNECT) X(SEND) X(MORE) X(RECV) X(PEEK) X(DONE) X(RESERVE) X(COMMIT)   \
    X(SHUTDOWN) X(CLOSE) X(RESET) X(BUFFER) X(FLUSH) X(UNLISTEN) X(LOOK) X(LOCAL)                                      \
    X(TIME) X(STORE) X(ATTACH) X(DETACH) X(STEP) X(UP) X(STATE) X(NODE) X(UNMAP)                                       \
    X(B_TAKE) X(B_HOLD) X(B_COMPLETE) X(B_KICK) X(B_OPEN) X(B_ANSWER) X(B_SEND) X(B_SHUT) X(B_RESET) X(B_CONSUME)      \
    X(B_ASK) X(B_MANGLE) X(B_RAW) X(B_WORD) X(B_CONTROL)

enum op_kind {
#define X(name) OP_##name,
    OPS(X)
#undef X
    OP_COUNT
};

#include "mutate.h"             /* it wants OP_COUNT */

static bool is_backends(enum op_kind kind)
{
    return kind >= OP_TIME;
}

static bool touches_store(enum op_kind kind)
{
    return kind >= OP_STORE && kind <= OP_NODE;
}

static void process(void)
{
    int err = LIB(xvs_process(x));

    OUT();
    MOCK_MUST(!err, "xvs_process(): %s", strerror(-err));
}

static void come_up(void)
{
    for (int i = 0; i < 12 && !(xvs_is_up(x) && back.maps); i++) {
        mock_now_ns += (i > 4 ? 6000 : 60) * UINT64_C(1000000);
        process();
        back_step(&back);
        process();
    }
    back_take(&back, UINT32_MAX);
}

static void close_end(struct end *e, bool reset)
{
    if (!e->s)
        return;
    if (reset)
        LIB(xvs_stream_reset(e->s));
    else
        LIB(xvs_stream_close(e->s));
    OUT();
    memset(e, 0, sizeof *e);
}

static void open_end(struct end *e, struct xvs_stream *s, uint8_t seed)
{
    memset(e, 0, sizeof *e);
    e->s = s;
    e->out.seed = seed;
    e->local = xvs_stream_peer(s).cid == XVS_CID_LOCAL;
    e->messages = xvs_stream_is_seqpacket(s);
}

/* What a local stream carries is the secret; what others carry, their pattern. */
static void fill(struct end *e, uint8_t *bytes, size_t len)
{
    if (!e->local) {
        flow_fill(&e->out, bytes, (uint32_t)len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)SECRET[(e->out.bytes + i) % (sizeof SECRET - 1)];
    e->out.bytes += (uint32_t)len;
}

static void check(struct end *e, const uint8_t *bytes, size_t len)
{
    if (!e->local) {
        MOCK_MUST(spoilt || flow_check(&e->in, bytes, (uint32_t)len), "an application reads what nobody sent, from %u",
                  e->in.bytes);
        return;
    }
    for (size_t i = 0; i < len; i++)
        MOCK_MUST(bytes[i] == (uint8_t)SECRET[(e->in.bytes + i) % (sizeof SECRET - 1)], "a local stream lost its bytes");
    e->in.bytes += (uint32_t)len;
}

static void send_some(struct end *e, uint32_t len, unsigned flags)
{
    static uint8_t bytes[200000];
    struct flow before = e->out;
    ssize_t n;

    if (!e->s)
        return;
    fill(e, bytes, len);
    n = LIB(xvs_send(e->s, bytes, len, flags));
    OUT();
    e->out = before;
    if (n > 0)
        e->out.bytes += (uint32_t)n;
    MOCK_MUST(n <= (ssize_t)len, "%zd bytes of %u were sent", n, len);
    MOCK_MUST(!e->messages || n <= 0 || n == (ssize_t)len, "%zd bytes of a message of %u were sent", n, len);
}

/* So many bytes of a message are not looked at. */
static void skip(struct end *e, size_t len)
{
    e->in.bytes += (uint32_t)len;
}

static void recv_some(struct end *e, uint32_t len)
{
    static uint8_t bytes[200000];
    ssize_t n;

    if (!e->s || e->peeked)
        return;
    if (e->messages) {
        n = LIB(xvs_recv(e->s, bytes, len, XVS_TRUNC));
        OUT();
        if (n > 0)
            check(e, bytes, n < (ssize_t)len ? (size_t)n : len);
        if (n > (ssize_t)len)
            skip(e, (size_t)n - len);
        return;
    }
    n = LIB(xvs_recv(e->s, bytes, len, 0));
    OUT();
    MOCK_MUST(n <= (ssize_t)len, "%zd bytes of %u were read", n, len);
    if (n > 0)
        check(e, bytes, (size_t)n);
}

/* Looks at pieces and consumes some of them. */
static void peek_some(struct end *e, uint32_t len)
{
    struct iovec iov[4];
    size_t whole;
    int n;

    if (!e->s)
        return;
    n = LIB(xvs_peek(e->s, iov, 4));
    OUT();
    whole = xvs_stream_readable(e->s);
    for (int i = 0; i < n && len; i++) {
        size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

        if (!e->local && !spoilt)
            check(e, iov[i].iov_base, part);
        else if (e->local)
            check(e, iov[i].iov_base, part);
        LIB(xvs_done(e->s, part));
        OUT();
        len -= (uint32_t)part;
        if (e->messages)
            skip(e, whole - part);          /* it is consumed with it */
        if (part < iov[i].iov_len || e->messages)
            break;
    }
}

static void reserve(struct end *e, uint32_t len)
{
    if (!e->s)
        return;
    e->piece_size = LIB(xvs_reserve(e->s, len, &e->piece));
    OUT();
}

/* Fills what was reserved just before: the piece is good until the device is processed. */
static void commit(struct end *e, uint32_t len, unsigned flags)
{
    struct flow before = e->out;
    int err;

    if (!e->s || e->piece_size <= 0)
        return;
    len = len < (uint32_t)e->piece_size ? len : (uint32_t)e->piece_size;
    fill(e, e->piece, len);
    err = LIB(xvs_commit(e->s, len, flags));
    OUT();
    if (err)
        e->out = before;
    e->piece_size = 0;
}

static void drop_pieces(void)
{
    for (int i = 0; i < STREAMS; i++)
        end[i].piece_size = 0;
}

static void connect_to(struct end *e, uint64_t cid, uint32_t port, bool messages, uint8_t seed)
{
    struct xvs_stream *s;

    if (e->s)
        return;
    if (!LIB(messages ? xvs_connect_seqpacket(x, cid, port, &s) : xvs_connect(x, cid, port, &s)))
        open_end(e, s, seed);
    OUT();
}

static void accept_one(struct xvs_listener *l, struct end *e, uint8_t seed)
{
    struct xvs_stream *s;

    if (!l || e->s)
        return;
    if (!LIB(xvs_accept(l, &s)))
        open_end(e, s, seed);
    OUT();
}

static void look(void)
{
    struct xvs_stats stats = { .size = sizeof stats };
    static FILE *null;

    if (!null && (null = fopen("/dev/null", "w")))
        setvbuf(null, NULL, _IONBF, 0);
    xvs_get_stats(x, &stats);
    xvs_dump(x, null);
    MOCK_MUST(*xvs_reason(x), "no reason");
}

static void node(const struct op *o)
{
    static const char *const leaves[] = { "cid", "versions", "max-ring-page-order", "max-pool-pages", "multi-queue-max-queues",
                                          "state", "frontend" };
    static const char *const values[] = { "", "0", "1", "2", "4294967295", "4294967296", "-1", "01", "x", "1,2", "2,3,7", "1000",
                                          "1001", "3", "\n1", "18446744073709551616" };
    char path[100], many[300];

    if (o->a & 1) {
        back_node(&back, leaves[o->b % 7], values[o->c % 16], (uint32_t)strlen(values[o->c % 16]));
    } else if (o->a & 2) {
        memset(many, '7', sizeof many);
        back_node(&back, leaves[o->b % 7], many, o->c);
    } else if (o->a & 4) {
        snprintf(path, sizeof path, "%s/%s", back.front, (const char *[]){ "backend", "backend-id", "state" }[o->b % 3]);
        mock_store_write(path, "%s", o->c & 1 ? "/local/domain/0/backend/vsock/2/0" : values[o->c % 16]);
    } else {
        snprintf(path, sizeof path, "%s/%s", back.dir, leaves[o->b % 7]);
        mock_store_remove(path);
    }
}

static void store_op(const struct op *o)
{
    switch (o->a % 4) {
    case 0:  mock_store_lose(true); break;
    case 1:  mock_store_lose(false); break;
    case 2:  mock_store_conflict(); break;
    default: if (mock_store_is_away()) mock_store_lose(false); break;
    }
}

static struct conn *conn_of(unsigned i)
{
    return &back.conn[i % BACK_CONNS];
}

static void mangle(const struct op *o)
{
    struct conn none = { .type = VSOCKIF_TYPE_STREAM, .cid = 2, .port = PORT, .peer_port = 7 }, *c = conn_of(o->a);
    uint32_t value = OF(o->c, 0, 1, 2, 3, 8, 64, 4095, 4096, 65535, 65536, 65537, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 5000);
    struct vsockif_hdr h;

    if (!back.maps)
        return;
    if (c->state == CONN_FREE)
        c = &none;
    c->spoilt = spoilt = true;
    h = back_header(&back, c, o->b >> 4 & 7);
    if (h.op == VSOCKIF_OP_RW)
        h.len = 100;
    if (h.op == VSOCKIF_OP_SHUTDOWN)
        h.flags = 1 + o->c % 3;
    switch (o->b & 15) {
    case 0:  h.src_cid = value; break;
    case 1:  h.dst_cid = value; break;
    case 2:  h.src_port = value; break;
    case 3:  h.dst_port = value; break;
    case 4:  h.len = value; break;
    case 5:  h.type = (uint16_t)value; break;
    case 6:  h.op = (uint16_t)value; break;
    case 7:  h.flags = value; break;
    case 8:  h.buf_alloc = value; break;
    case 9:  h.fwd_cnt += value; break;
    default: break;
    }
    back_packet(&back, &h);
}

static void raw(const struct op *o)
{
    struct vsockif_slot slot = { .id = o->b, .size = OF(o->c, 0, 1, 64, 100, 4096, 65536, 65537, 1u << 31), .count = o->c >> 3,
                                 .status = (int16_t)(o->b - o->c) };

    slot.hdr = back_header(&back, conn_of(o->a), VSOCKIF_OP_RW);
    slot.hdr.len = OF(o->c >> 5, 0, 1, 100, 4096, 65536, 65537, 1u << 31, 64);
    spoilt = true;
    back_raw(&back, o->a & 8, &slot);
}

static void word(const struct op *o)
{
    uint32_t *w;

    if (!back.maps)
        return;
    spoilt = back.spoilt = true;
    w = back_word(&back, o->a & 4, o->b < 128 ? o->b % 4 : o->b);
    switch (o->a & 3) {
    case 0:  *w += o->c; break;
    case 1:  *w -= o->c; break;
    case 2:  *w = OF(o->c, 0, 1, 0xffffffff, 0x80000000, 31, 32, 33, 64); break;
    default: *w ^= 1u << (o->c & 31); break;
    }
    mock_port_send(0, back.port);
}

static void open_from_back(const struct op *o)
{
    back.opens_messages = back.has_messages && o->b & 128;
    back_open(&back, OF(o->b, 2, 2, 1002, 77), PORT + o->b / 4 % LISTENERS, OF(o->c, 262144, 65536, 4096, 1, 0, 0xffffffff));
    back.opens_messages = false;
}

static void control(const struct op *o)
{
    if (!back.maps)
        return;
    if (o->b < 240)
        ((uint8_t *)back_control(&back))[o->b] = o->c;
    else
        back_control(&back)->back_live = o->c & 1;
}

static void act(const struct op *o)
{
    struct end *e = &end[o->a % STREAMS];
    struct xvs_listener **l = &listener[o->b % LISTENERS];
    struct xvs_event ev;

    switch ((enum op_kind)(o->what % 64 % OP_COUNT)) {
    case OP_PROCESS:   process(); drop_pieces(); break;
    case OP_EVENTS:
        while (LIB(xvs_next_event(x, &ev)))
            ;
        OUT();
        break;
    case OP_LISTEN:
        if (!*l)
            LIB((o->c & 128 ? xvs_listen_seqpacket : xvs_listen)(x, PORT + o->b % LISTENERS, 1 + o->c % 4, l));
        OUT();
        break;
    case OP_ACCEPT:    accept_one(*l, e, o->c); break;
    case OP_CONNECT:   connect_to(e, OF(o->b, 2, 2, 2, 1002, 1, 1, 0, CID), o->b & 8 ? PORT + o->b / 16 % LISTENERS : 7,
                                  o->b & 128, o->c); break;
    case OP_SEND:      send_some(e, OF(o->b, 1, 10, 1000, 4096, 20000, 65536, 200000, 0), 0); break;
    case OP_MORE:      send_some(e, OF(o->b, 1, 10, 1000, 4096, 20000, 65536, 200000, 0), XVS_MORE); break;
    case OP_RECV:      recv_some(e, OF(o->b, 200000, 1, 100, 4096)); break;
    case OP_PEEK:      peek_some(e, OF(o->b, 200000, 1, 100, 4096, 0)); break;
    case OP_DONE:      if (e->s) xvs_stream_readable(e->s), xvs_stream_writable(e->s), xvs_stream_error(e->s); break;
    case OP_RESERVE:   reserve(e, OF(o->b, 1, 1000, 65536, 100000)); break;
    case OP_COMMIT:    commit(e, OF(o->b, 100000, 0, 1, 500), o->c & XVS_MORE); break;
    case OP_SHUTDOWN:  if (e->s) LIB(xvs_shutdown(e->s, o->b % 4)); OUT(); break;
    case OP_CLOSE:     close_end(e, false); break;
    case OP_RESET:     close_end(e, true); break;
    case OP_BUFFER:    if (e->s) LIB(xvs_stream_set_buffer(e->s, OF(o->b, 4096, 65536, 1u << 20, 64u << 20, 1))); OUT(); break;
    case OP_FLUSH:     LIB(xvs_flush(x)); OUT(); drop_pieces(); break;
    case OP_UNLISTEN:  if (*l) LIB(xvs_listener_close(*l)); OUT(); *l = NULL; break;
    case OP_LOOK:      look(); break;
    case OP_LOCAL:
        /* Both ends of a stream within this guest. */
        if (!listener[0])
            LIB(xvs_listen(x, PORT, 4, &listener[0]));
        OUT();
        connect_to(e, XVS_CID_LOCAL, PORT, o->c & 128, 1);
        accept_one(listener[0], &end[(o->a + 1) % STREAMS], 2);
        send_some(e, OF(o->b, 1, 1000, 20000), o->c & XVS_MORE);
        recv_some(&end[(o->a + 1) % STREAMS], 100000);
        break;
    case OP_TIME:      mock_now_ns += OF(o->b, 1, 10, 100, 1000, 2000, 8000, 60000) * UINT64_C(1000000); break;
    case OP_STORE:     store_op(o); break;
    case OP_ATTACH:    if (!mock_store_read(back.dir)) back_attach(&back); break;
    case OP_DETACH:    back_detach(&back); break;
    case OP_STEP:      back_step(&back); break;
    case OP_UP:        come_up(); drop_pieces(); break;
    case OP_STATE:     back_state(&back, (const char *[]){ "0", "1", "2", "3", "4", "5", "6", "7" }[o->b & 7]); break;
    case OP_NODE:      node(o); break;
    case OP_UNMAP:     back_unmap(&back); break;
    case OP_B_TAKE:    back_take(&back, o->b & 1 ? 1 + o->c % 4u : UINT32_MAX); break;
    case OP_B_HOLD:    back.holds = o->b & 1; break;
    case OP_B_COMPLETE: back_complete(&back, 1 + o->b % 8u, o->c & 1); break;
    case OP_B_KICK:    back_kick(&back); break;
    case OP_B_OPEN:
        open_from_back(o);
        break;
    case OP_B_ANSWER:  back_answer(&back, conn_of(o->a), OF(o->b, 262144, 65536, 4096, 1, 0, 0xffffffff)); break;
    case OP_B_SEND:    back_send(&back, conn_of(o->a), OF(o->b, 1, 100, 4096, 20000, 65536)); break;
    case OP_B_SHUT:    back_shutdown(&back, conn_of(o->a), o->b & 3); break;
    case OP_B_RESET:   back_reset(&back, conn_of(o->a)); break;
    case OP_B_CONSUME: back_consume(&back, conn_of(o->a), OF(o->b, 0xffffffff, 0, 1, 1000), OF(o->c, 262144, 4096, 0, 0xffffffff)); break;
    case OP_B_ASK:     back_ask(&back, conn_of(o->a)); break;
    case OP_B_MANGLE:  mangle(o); break;
    case OP_B_RAW:     if (back.maps) raw(o); break;
    case OP_B_WORD:    word(o); break;
    case OP_B_CONTROL: control(o); break;
    default: break;
    }
}

/* ---- in the middle of the library's work ---- */

static struct op later;
static unsigned later_in;

static int on_call(enum mock_call call)
{
    struct op now = later;

    (void)call;
    if (!later_in || --later_in)
        return 0;
    if (mock_store_in_transaction() && touches_store((enum op_kind)(now.what % 64 % OP_COUNT))) {
        mock_store_conflict();
        later_in = 1;
        return 0;
    }
    act(&now);
    return 0;
}

static void show(const struct op *o)
{
    static const char *const op_names[] = {
#define X(name) #name,
        OPS(X)
#undef X
    };

    fprintf(stderr, "-- %s%s %u %u %u\n", op_names[o->what % 64 % OP_COUNT], o->what >= 0xc0 ? " (within)" : "", o->a, o->b, o->c);
}

static void play(const struct op *o)
{
    enum op_kind kind = (enum op_kind)(o->what % 64 % OP_COUNT);

    if (process_is_loud)
        show(o);
    if (o->what >= 0xc0 && is_backends(kind) && kind != OP_UP) {
        later = *o;
        later_in = 1 + o->c % 16;
        return;
    }
    act(o);
    if (o->what >= 0x40 && is_backends(kind))
        process(), drop_pieces();
}

/* ---- the end ---- */

static void carries_bytes(void)
{
    struct conn *c = NULL;

    for (int i = 0; i < STREAMS; i++)
        close_end(&end[i], true);
    for (int i = 0; i < LISTENERS; i++) {
        if (listener[i])
            xvs_listener_close(listener[i]);
        listener[i] = NULL;
    }
    back_unmap(&back);
    mock_store_remove(back.dir);
    mock_store_remove(back.front);
    back.holds = false;
    process();
    mock_now_ns += UINT64_C(20000000000);
    process();
    spoilt = false;
    back_attach(&back);
    come_up();
    MOCK_MUST(xvs_is_up(x) && back.maps, "it does not come up before an honest backend: %s; frontend %s, backend %s", xvs_reason(x),
              mock_store_state(back.front), mock_store_state(back.dir));
    MOCK_MUST(!xvs_listen(x, PORT, 4, &listener[0]), "it cannot listen");
    c = back_open(&back, 2, PORT, 65536);
    back_kick(&back);
    process();
    accept_one(listener[0], &end[0], 9);
    MOCK_MUST(c && end[0].s, "a REQUEST is not heard");
    process();
    back_take(&back, UINT32_MAX);
    MOCK_MUST(c->state == CONN_OPEN && back_send(&back, c, 3000) == 3000, "an honest backend is not answered");
    send_some(&end[0], 2000, 0);
    back_kick(&back);
    process();
    recv_some(&end[0], 10000);
    back_take(&back, UINT32_MAX);
    MOCK_MUST(c->rx == 2000 && end[0].in.bytes == 3000, "an honest stream lost bytes: %u of 2000, %u of 3000", c->rx,
              end[0].in.bytes);
}

static void find_secret(void)
{
    for (uint32_t page = 0; page < 400; page++)
        MOCK_MUST(!memmem(mock_page(GUEST, page), VSOCKIF_PAGE_SIZE, SECRET, sizeof SECRET - 1),
                  "the backend can read what one program of the guest said to another");
}

static void on_log(void *arg, const char *line)
{
    (void)arg;
    for (const char *c = line; *c; c++)
        MOCK_MUST((unsigned char)*c >= 0x20, "a control character in the log");
    if (process_is_loud)
        fprintf(stderr, "%s\n", line);
}

static void run(const uint8_t *data, size_t size)
{
    struct header header = { 0 };
    struct xvs_options options;
    int err;

    memcpy(&header, data, size < sizeof header ? size : sizeof header);
    mock_self = GUEST;
    mock_now_ns = UINT64_C(1000000000000);
    spoilt = false;
    memset(end, 0, sizeof end);
    memset(listener, 0, sizeof listener);
    mock_store_write("/local/domain/1/domid", "1");
    back_init(&back, GUEST, CID);
    back.has_messages = header.options & 32;
    if (!(header.options & 1))
        back_attach(&back);
    xvs_options_init(&options);
    options.tx_pool = options.rx_pool = header.options & 2 ? 256u << 10 : 64u << 10;
    options.buffer = header.options & 4 ? 4096 : 65536;
    options.max_streams = header.options & 8 ? 3 : 64;
    options.spin = 0;
    options.run_dir = run_dir;
    options.log = on_log;
    err = xvs_open(&options, &x);
    MOCK_MUST(!err, "xvs_open(): %s: %s", strerror(-err), xvs_open_error());
    if (header.options & 16)
        come_up();
    mock_on_call = on_call;
    for (size_t at = sizeof header; at + sizeof(struct op) <= size && at < MUTATE_MOST; at += sizeof(struct op)) {
        struct op o;

        memcpy(&o, data + at, sizeof o);
        play(&o);
    }
    mock_on_call = NULL;
    later_in = 0;
    if (mock_store_is_away())
        mock_store_lose(false);
    if (header.end & 1)
        carries_bytes();
    find_secret();
    xvs_close(x);
    x = NULL;
    back_unmap(&back);
    MOCK_MUST(!*mock_left_over(), "the device is closed, and %s", mock_left_over());
    mock_reset();
}

static void remove_run_dir(void)
{
    char path[100];

    snprintf(path, sizeof path, "%s/device-0.lock", run_dir);
    unlink(path);
    rmdir(run_dir);
}

static void warm_up(void)
{
    snprintf(run_dir, sizeof run_dir, "%s/xvs-mock.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    MOCK_MUST(mkdtemp(run_dir), "cannot make %s", run_dir);
    mock_clock = true;
    atexit(remove_run_dir);
    run((const uint8_t[]){ 16, 0, 0, 1, OP_LOOK, 0, 0, 0 }, 8);
}
