/* SPDX-License-Identifier: MIT */
/* hostile_backend.c: a backend in a real dom0 that breaks the rules, one after the other, towards the driver in a guest's kernel
 * (tests/xenlab/groups/61-kernel-life.sh); towards the library test_hostile_backend.c does.
 *
 *     hostile_backend DOMID CID PORT          breaks rules
 *     hostile_backend DOMID CID PORT ROUNDS   breaks none, and asks for more than a guest has memory for
 *
 * In the guest somebody listens on PORT and reads nothing, and somebody for messages on PORT + 1, who does.  For each rule: the
 * handshake, a stream to PORT, the rule is broken; the driver must close the device and say why, and take part in the next handshake.
 * Prints "RULE: what the guest wrote as its error", one a line.  Status 0, or 1 with a sentence. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hosted.h"
#include "rawback.h"

#define HOST_PORT 5000u
#define MESSAGE_MOST (256u << 10)        /* a buffer of Linux's usual size */

static struct rawback back;
static uint32_t port;
static const char *rule = "";

/* There is nothing to become: this is a domain. */
void hosted_become(uint32_t domid)
{
    (void)domid;
}

static void check(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "hostile_backend: %s: %s: %s\n", rule, what, strerror(-err));
    exit(1);
}

static void wait_for_state(unsigned state)
{
    uint64_t end = clock_deadline_ms(60000);

    while (rawback_front_state(&back) != state) {
        if (clock_now_ns() / 1000000 > end)
            check(-ETIMEDOUT, state == VSOCKIF_INITIALISING ? "the frontend's 1" :
                              state == VSOCKIF_INITIALISED ? "the frontend's 3" :
                              state == VSOCKIF_CONNECTED ? "the frontend's 4" : "the frontend closes");
        usleep(20000);
    }
}

static void connect_device(void)
{
    wait_for_state(VSOCKIF_INITIALISING);
    check(rawback_offer(&back), "the offer");
    wait_for_state(VSOCKIF_INITIALISED);
    check(rawback_map(&back), "mapping");
    wait_for_state(VSOCKIF_CONNECTED);
}

static void wait_for_op(unsigned op)
{
    struct vsockif_hdr got = { .op = 0 };
    uint64_t end = clock_deadline_ms(60000);

    while (got.op != op) {
        int n = rawback_recv(&back, &got);

        check(n < 0 ? n : 0, "the frontend's ring");
        if (clock_now_ns() / 1000000 > end)
            check(-ETIMEDOUT, "the frontend's answer");
        if (n == 0) {
            rawback_kick(&back);
            usleep(5000);
        }
    }
}

static struct vsockif_hdr header(unsigned op, uint32_t len)
{
    struct vsockif_hdr hdr = rawback_header(&back, op, HOST_PORT, port);

    hdr.len = len;
    return hdr;
}

static void stream(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_REQUEST, 0);

    check(rawback_send(&back, &hdr), "a REQUEST");
    wait_for_op(VSOCKIF_OP_RESPONSE);
}

/* What the frontend has written as its error; the domain is its own directory's. */
static void print_error(void)
{
    char path[256], text[1024] = "";

    snprintf(path, sizeof path, "/local/domain/%u/error/device/vsock/0/error", back.id.front);
    if (store_read(back.store, path, text, sizeof text) <= 0)
        snprintf(text, sizeof text, "no error");
    printf("%s: %s\n", rule, text);
    fflush(stdout);
}

/* The frontend closes, is answered, and comes again. */
static void expect_end(void)
{
    rawback_kick(&back);
    wait_for_state(VSOCKIF_CLOSING);
    rawback_unmap(&back);
    check(rawback_set_state(&back, VSOCKIF_CLOSED), "state 6");
    print_error();
}

/* ---- the ways ---- */

/* One response into the rx ring by hand. */
static void put_rx(struct vsockif_hdr hdr, uint32_t id, uint32_t size, uint16_t count)
{
    struct vsockif_slot slot = { .hdr = hdr, .id = id, .size = size, .count = count };

    check(link_back_refill(&back.link), "buffers");
    ring_put(&back.link.rx, &slot);
}

static void send_header(struct vsockif_hdr hdr)
{
    check(rawback_send(&back, &hdr), "a packet");
}

static uint32_t posted_id(void)
{
    check(link_back_refill(&back.link), "buffers");
    return back.link.buffer[back.link.first].id;
}

static void rx_index_ahead(void)  { __atomic_store_n(back.link.rx.out_prod, back.link.rx.out + 100000, __ATOMIC_SEQ_CST); }
static void rx_index_back(void)   { __atomic_store_n(back.link.rx.out_prod, back.link.rx.out - 1, __ATOMIC_SEQ_CST); }
static void rx_id_beyond(void)    { put_rx(header(VSOCKIF_OP_RW, 10), 100000, 10, 1); }
static void rx_size_beyond(void)  { put_rx(header(VSOCKIF_OP_RW, 4000), posted_id(), 5000, 1); }
static void rx_count_zero(void)   { put_rx(header(VSOCKIF_OP_RW, 10), posted_id(), 10, 0); }
static void rx_count_lies(void)   { put_rx(header(VSOCKIF_OP_RW, 10), posted_id(), 10, 16); }
static void rx_length_any(void)   { put_rx(header(VSOCKIF_OP_RW, 0x80000000u), posted_id(), 10, 1); }
static void rx_in_parts(void)     { put_rx(header(VSOCKIF_OP_RW, 3 * 4096), posted_id(), 4096, 3); }
static void op_unknown(void)      { send_header(header(99, 0)); }
static void data_of_nothing(void) { put_rx(header(VSOCKIF_OP_RW, 0), posted_id(), 0, 1); }
static void data_with_no_op(void) { send_header(header(VSOCKIF_OP_SHUTDOWN, 10)); }

/* Some packet must be on its way, or every index but the old is too far ahead. */
static bool answer_to_nobody(uint32_t i)
{
    struct vsockif_hdr hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, i, 9999);

    /* Each look at xenstore costs as much as many packets. */
    return (i % 16 || rawback_front_state(&back) == VSOCKIF_CONNECTED) && rawback_send(&back, &hdr) == 0;
}

static void tx_index_ahead(void)
{
    __atomic_store_n(back.link.tx.out_prod, back.link.tx.out + 1000, __ATOMIC_SEQ_CST);
    /* The driver looks there when it sends: for a REQUEST to nobody it has to. */
    for (uint32_t i = 0; i < 300 && answer_to_nobody(i); i++)
        ;
}

static void tx_id_not_in_flight(void)
{
    struct vsockif_slot slot = { .id = 200 };

    /* Answers to nobody fill the ring until the driver has to look for answers of ours: and there is this one. */
    for (uint32_t i = 0; i < 300 && answer_to_nobody(i); i++) {
        struct link_request r;

        while (link_back_recv(&back.link, &r) > 0)
            ring_put(&back.link.tx, &slot);
        rawback_kick(&back);
    }
}

static void rx_id_twice(void)
{
    uint32_t id = posted_id();

    put_rx(header(VSOCKIF_OP_RW, 10), id, 10, 1);
    put_rx(header(VSOCKIF_OP_RW, 10), id, 10, 1);
}

static void source_local(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.src_cid = VSOCKIF_CID_LOCAL;
    send_header(hdr);
}

static void source_wide(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.src_cid |= UINT64_C(1) << 40;
    send_header(hdr);
}

static void destination_other(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.dst_cid++;
    send_header(hdr);
}

static void type_unknown(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.type = 7;
    send_header(hdr);
}

static void flags_unknown(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.flags = 4;
    send_header(hdr);
}

/* Of a feature that this backend does not offer. */
static void type_not_agreed(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_CREDIT_UPDATE, 0);

    hdr.type = VSOCKIF_TYPE_SEQPACKET;
    send_header(hdr);
}

/* With that feature: a message has no other flags, and its end comes before MSG_EOR. */
static void message_flags_unknown(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_RW, 10);

    hdr.type = VSOCKIF_TYPE_SEQPACKET;
    hdr.flags = VSOCKIF_SEQ_EOR;
    send_header(hdr);
}

static void message_of_nothing(void)
{
    struct vsockif_hdr hdr = header(VSOCKIF_OP_RW, 0);

    hdr.type = VSOCKIF_TYPE_SEQPACKET;
    hdr.flags = VSOCKIF_SEQ_EOM;
    put_rx(hdr, posted_id(), 0, 1);
}

static void state_unknown(void)
{
    check(rawback_set_state(&back, 9), "state 9");
}

static void state_back(void)
{
    check(rawback_set_state(&back, VSOCKIF_INITWAIT), "state 2");
}

static const struct {
    const char *name;
    void (*brk)(void);
} ways[] = {
    { "rx index ahead", rx_index_ahead },      { "rx index back", rx_index_back },
    { "rx id beyond", rx_id_beyond },          { "rx id twice", rx_id_twice },
    { "rx size beyond", rx_size_beyond },      { "rx count zero", rx_count_zero },
    { "rx count lies", rx_count_lies },        { "rx length any", rx_length_any },
    { "rx in parts", rx_in_parts },            { "tx index ahead", tx_index_ahead },
    { "tx id not in flight", tx_id_not_in_flight }, { "op unknown", op_unknown },
    { "data of nothing", data_of_nothing },    { "data with no op", data_with_no_op },
    { "source local", source_local },          { "source wide", source_wide },
    { "destination other", destination_other }, { "type unknown", type_unknown },
    { "flags unknown", flags_unknown },        { "state unknown", state_unknown },
    { "state back", state_back },              { "type not agreed", type_not_agreed },
    { "message flags unknown", message_flags_unknown },
    { "message of nothing", message_of_nothing },
};

/* What breaks no rule of the device, in a storm: it is answered, or not, and nothing is closed. */
static void storms(void)
{
    struct vsockif_hdr hdr, got;

    rule = "storms";
    back.features = 0;
    connect_device();
    stream();
    for (uint32_t i = 0; i < 3000; i++) {
        hdr = i % 3 == 0 ? rawback_header(&back, VSOCKIF_OP_REQUEST, i, 9999) :
              i % 3 == 1 ? header(VSOCKIF_OP_CREDIT_REQUEST, 0) :
                           rawback_header(&back, VSOCKIF_OP_RW, i, 9999);
        hdr.len = i % 3 == 2 ? 4096 : 0;
        while (rawback_send(&back, &hdr) == -ENOBUFS) {
            rawback_kick(&back);
            usleep(1000);
        }
        /* Its answers are taken slowly. */
        if (i % 16 == 0)
            rawback_recv(&back, &got);
    }
    /* Still there, and it answers. */
    hdr = header(VSOCKIF_OP_SHUTDOWN, 0);
    hdr.flags = VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND;
    check(rawback_send(&back, &hdr), "SHUTDOWN");
    while (rawback_recv(&back, &got) > 0)
        ;
    if (rawback_front_state(&back) != VSOCKIF_CONNECTED)
        check(-EPIPE, "the device was closed");
    printf("storms: still connected\n");
    rawback_unmap(&back);
    check(rawback_set_state(&back, VSOCKIF_CLOSING), "state 5");
    wait_for_state(VSOCKIF_INITIALISING);
}

/* Until there is a buffer again, or the guest is no more. */
static void send_anyhow(const struct vsockif_hdr *hdr)
{
    uint64_t end = clock_deadline_ms(60000);

    while (rawback_send(&back, hdr) == -ENOBUFS) {
        if (clock_now_ns() / 1000000 > end)
            check(-ETIMEDOUT, "the guest takes no packet any more");
        rawback_kick(&back);
        usleep(1000);
    }
}

static void send_message(uint32_t to, uint32_t len, uint32_t flags)
{
    struct vsockif_hdr hdr = rawback_header(&back, VSOCKIF_OP_RW, HOST_PORT, to);

    hdr.type = VSOCKIF_TYPE_SEQPACKET;
    hdr.len = len;
    hdr.flags = flags;
    send_anyhow(&hdr);
}

/* A message that fills all that the guest has promised, and goes on: that connection is over, and the guest says why. */
static void message_without_end(void)
{
    struct vsockif_hdr hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, HOST_PORT, port + 1);
    uint64_t end = clock_deadline_ms(60000);
    struct link_request r = { 0 };
    uint32_t sent = 0;

    rule = "message without an end";
    back.features = VSOCKIF_FEATURE_SEQPACKET;
    connect_device();
    hdr.type = VSOCKIF_TYPE_SEQPACKET;
    send_anyhow(&hdr);
    wait_for_op(VSOCKIF_OP_RESPONSE);
    send_message(port + 1, 10, VSOCKIF_SEQ_EOM);
    while (r.hdr.op != VSOCKIF_OP_RST) {
        int n = link_back_recv(&back.link, &r);

        check(n < 0 ? n : 0, "the frontend's ring");
        if (n)
            link_back_done(&back.link, r.id);
        if (!n && sent < MESSAGE_MOST) {
            send_message(port + 1, 4096, 0);
            sent += 4096;
        } else if (!n) {
            usleep(5000);
        }
        rawback_kick(&back);
        if (clock_now_ns() / 1000000 > end)
            check(-ETIMEDOUT, "the guest's RST");
    }
    printf("%s: RST, reason %u after %u bytes\n", rule, r.reason.code, sent);
    if (rawback_front_state(&back) != VSOCKIF_CONNECTED)
        check(-EPIPE, "the device was closed");
    rawback_unmap(&back);
    check(rawback_set_state(&back, VSOCKIF_CLOSING), "state 5");
    wait_for_state(VSOCKIF_INITIALISING);
}

/* In each round a connection that the listener is to keep, one for nobody, and three questions that each are owed an answer; and not one
 * answer is taken before the end. */
static void flood(uint32_t rounds)
{
    struct vsockif_hdr hdr, got;

    rule = "flood";
    connect_device();
    stream();
    for (uint32_t i = 0; i < rounds; i++) {
        hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, 10000 + i, port);
        send_anyhow(&hdr);
        hdr = rawback_header(&back, VSOCKIF_OP_REQUEST, 10000 + i, 9999);
        send_anyhow(&hdr);
        hdr = header(VSOCKIF_OP_CREDIT_REQUEST, 0);
        for (int n = 0; n < 3; n++)
            send_anyhow(&hdr);
    }
    /* It lives, and answers what it owes. */
    send_anyhow(&hdr);
    wait_for_op(VSOCKIF_OP_CREDIT_UPDATE);
    for (int idle = 0; idle < 100; idle++) {
        rawback_kick(&back);
        usleep(5000);
        while (rawback_recv(&back, &got) > 0)
            idle = 0;
    }
    if (rawback_front_state(&back) != VSOCKIF_CONNECTED)
        check(-EPIPE, "the device was closed");
    printf("flood: still connected\n");
    rawback_unmap(&back);
    check(rawback_set_state(&back, VSOCKIF_CLOSING), "state 5");
    wait_for_state(VSOCKIF_INITIALISING);
}

static void break_all(void)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        rule = ways[i].name;
        back.features = strncmp(rule, "message", 7) == 0 ? VSOCKIF_FEATURE_SEQPACKET : 0;
        connect_device();
        stream();
        ways[i].brk();
        expect_end();
    }
    storms();
    message_without_end();
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: hostile_backend DOMID CID PORT [ROUNDS]\n");
        return 2;
    }
    port = (uint32_t)atoi(argv[3]);
    check(rawback_open(&back, (uint32_t)atoi(argv[1]), 0, strtoull(argv[2], NULL, 10)), "attaching");
    if (argc == 5)
        flood((uint32_t)atoi(argv[4]));
    else
        break_all();
    rawback_close(&back);
    return 0;
}
