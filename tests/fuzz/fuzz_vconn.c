/* SPDX-License-Identifier: MIT */
/* fuzz_vconn.c: one connection between an owner that keeps to the calls and a peer that keeps to nothing but the form of a
 * header.  A ledger in 64 bits, without any wrapping, says what the counters must amount to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in, *in_end;

static uint32_t byte(void)
{
    return in < in_end ? *in++ : 0;
}

static uint32_t word(void)
{
    uint32_t w = byte();

    return w | byte() << 8 | byte() << 16 | byte() << 24;
}

/* A length: often small, sometimes anything. */
static uint32_t some_length(void)
{
    uint32_t b = byte();

    return b < 128 ? b : b < 192 ? (b - 127) * 1024 : word();
}

static struct ledger {
    uint64_t sent, acked;       /* bytes to the peer */
    uint64_t got, eaten;        /* bytes from it; eaten stands still once we have shut receiving */
    uint64_t promised;          /* the furthest byte that it was ever told it may send */
    uint32_t part;              /* of got: of a message whose end has not come */
    uint32_t told;              /* the largest buf_alloc that left */
} book;

static void insist(bool cond, const char *what, const struct vconn *c)
{
    if (cond)
        return;
    fprintf(stderr, "%s (%s, owed %#x)\n", what, vconn_state_name(c->state), c->owed);
    abort();
}

static void check(const struct vconn *c)
{
    const char *why = vconn_invariant(c);

    insist(!why, why, c);
    insist(vconn_unread(c) == (c->shut_here & VSOCKIF_SHUTDOWN_RCV ? 0 : (uint32_t)(book.got - book.eaten)), "unread", c);
    insist(c->state != VCONN_CLOSED || c->error || book.acked == book.sent, "an end in order, and not all was consumed", c);
    insist(book.got <= book.promised, "took more than was promised", c);
    insist(!book.part || book.part < book.told, "keeps a message that cannot end", c);
    insist(!vconn_is_seqpacket(c) || c->buf_alloc >= book.told, "a buffer that shrinks under a message", c);
    insist((uint32_t)(c->tx_cnt - c->peer_fwd) == book.sent - book.acked, "in flight", c);
    if (vconn_room(c)) {
        int64_t window = c->peer_alloc < c->tx_cap ? c->peer_alloc : c->tx_cap;

        insist(vconn_room(c) == window - (int64_t)(book.sent - book.acked), "room", c);
        insist(!vconn_is_send_shut(c), "room where sending is shut", c);
    }
}

static void left(const struct vconn *c, const struct vsockif_hdr *hdr)
{
    insist(!vsockif_check(hdr), "a header that breaks a rule", c);
    insist(hdr->fwd_cnt == c->fwd_cnt && hdr->buf_alloc == c->buf_alloc, "credit in a header", c);
    insist(hdr->type == c->type, "another type", c);
    book.told = hdr->buf_alloc > book.told ? hdr->buf_alloc : book.told;
    if (book.eaten + hdr->buf_alloc > book.promised)
        book.promised = book.eaten + hdr->buf_alloc;
}

/* False: the device is closed. */
static bool receive(struct vconn *c)
{
    uint32_t how = byte();
    struct vsockif_hdr hdr = { .type = c->type, .op = (uint16_t)(1 + how % 7), .buf_alloc = some_length() };
    unsigned owed = c->owed, state = c->state, now;
    const char *why = NULL;
    uint32_t before = c->peer_fwd;

    if (hdr.op == VSOCKIF_OP_RW)
        hdr.len = 1 + some_length() % VSOCKIF_MAX_PACKET;
    if (hdr.op == VSOCKIF_OP_RW && vconn_is_seqpacket(c))
        hdr.flags = (const uint32_t[]){ 0, 0, VSOCKIF_SEQ_EOM, VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR }[byte() % 4];
    if (hdr.op == VSOCKIF_OP_SHUTDOWN)
        hdr.flags = 1 + byte() % 3;
    /* Mostly a fwd_cnt that can be. */
    hdr.fwd_cnt = how & 128 ? word() : c->peer_fwd + (c->tx_cnt - c->peer_fwd ? byte() % (c->tx_cnt - c->peer_fwd + 1) : 0);
    now = vconn_rx(c, &hdr, 0, &why);
    if (hdr.op == VSOCKIF_OP_RST && now & VCONN_NOW_CLOSED)
        vconn_heard(c, (struct reason){ (uint8_t)byte(), (uint8_t)byte() });
    if (now & VCONN_NOW_VIOLATION) {
        insist(why != NULL, "a violation without a sentence", c);
        return false;
    }
    book.acked += (uint32_t)(c->peer_fwd - before);
    if (now & (VCONN_NOW_DATA | VCONN_NOW_DROP))
        book.got += hdr.len;
    if (now & (VCONN_NOW_DATA | VCONN_NOW_DROP) && vconn_is_seqpacket(c))
        book.part = hdr.flags ? 0 : book.part + hdr.len;
    if (now & VCONN_NOW_EOF) {
        if (!(c->shut_here & VSOCKIF_SHUTDOWN_RCV))
            book.got -= book.part < book.got - book.eaten ? book.part : book.got - book.eaten;
        book.part = 0;
    }
    insist(hdr.op != VSOCKIF_OP_RST || !(c->owed & ~owed), "an answer to an RST", c);
    insist((c->state == VCONN_CLOSED && state != VCONN_CLOSED) == !!(now & VCONN_NOW_CLOSED), "the end was not told", c);
    insist(!(now & VCONN_NOW_ROOM) || vconn_room(c), "room that is none", c);
    return true;
}

static void begin(struct vconn *c)
{
    uint32_t kind = byte();
    struct vsockif_hdr request = { .op = VSOCKIF_OP_REQUEST, .type = kind & 2 ? VSOCKIF_TYPE_SEQPACKET : VSOCKIF_TYPE_STREAM,
                                   .buf_alloc = some_length() };
    uint32_t wrap = byte() & 1 ? UINT32_MAX - byte() : 0, cap = some_length();

    book = (struct ledger){ 0 };
    cap = cap ? cap : 1;
    if (kind & 1)
        vconn_open(c, some_length(), cap, 1000, 0), vconn_set_type(c, request.type);
    else
        vconn_offer(c, &request, some_length(), cap);
    /* As if wrap bytes had gone in either direction. */
    c->tx_cnt = c->peer_fwd = c->rx_cnt = c->fwd_cnt = c->told_fwd = wrap;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vconn c;
    struct vsockif_hdr hdr;
    uint64_t now = 0;

    in = data;
    in_end = data + size;
    begin(&c);
    check(&c);
    while (in < in_end) {
        uint32_t len, room;

        switch (byte() % 16) {
        case 0: case 1: case 2: case 3: case 4:
            if (!receive(&c))
                return 0;
            break;
        case 5: case 6:
            room = vconn_room(&c);
            len = some_length();
            len = len < room ? len : room;
            len = len < VSOCKIF_MAX_PACKET ? len : VSOCKIF_MAX_PACKET;
            if (!len)
                break;
            vconn_send(&c, len, &hdr);
            if (vconn_is_seqpacket(&c) && byte() & 1)
                vconn_end_message(&c, &hdr, len & 1);
            book.sent += len;
            left(&c, &hdr);
            break;
        case 7: case 8:
            if (vconn_owed(&c, &hdr))
                left(&c, &hdr);
            break;
        case 9:
            for (int n = 0; vconn_owed(&c, &hdr); n++) {
                left(&c, &hdr);
                insist(n < 6, "owes without end", &c);
            }
            insist(c.owed == 0, "owes what it does not send", &c);
            break;
        case 10:
            len = some_length();
            room = c.state == VCONN_ESTABLISHED ? vconn_unread(&c) : 0;         /* what is over is only thrown away */
            book.eaten += len < room ? len : room;
            vconn_consumed(&c, len);
            break;
        case 11: vconn_shutdown(&c, byte() % 4, now); break;
        case 12: vconn_want_room(&c); break;
        case 13: vconn_set_buf_alloc(&c, some_length()); break;
        case 14:
            now += byte() * 64;
            vconn_expire(&c, now);
            insist(vconn_deadline(&c) > now, "a deadline in the past", &c);
            break;
        case 15:
            switch (byte() % 8) {
            case 0: vconn_close(&c, now); break;
            case 1: vconn_abort(&c, 1 + (int)byte(), REASON(NONE)); break;
            case 2: vconn_transport_reset(&c); insist(c.owed == 0, "owes after a transport reset", &c); break;
            default: vconn_answer(&c); break;
            }
            break;
        }
        check(&c);
    }
    return 0;
}
