/* SPDX-License-Identifier: MIT */
/* conn.c: see conn.h. */
#include "conn.h"

#include "mock.h"

void flow_fill(struct flow *f, uint8_t *to, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        to[i] = pattern(f->seed, f->bytes + i);
    f->bytes += len;
}

bool flow_check(struct flow *f, const uint8_t *from, uint32_t len)
{
    if (len && !f->bytes)
        f->seed = from[0];
    for (uint32_t i = 0; i < len; i++)
        if (from[i] != pattern(f->seed, f->bytes + i))
            return false;
    f->bytes += len;
    return true;
}

static struct conn *find(struct conn *all, int count, uint64_t cid, uint32_t port, uint32_t peer_port)
{
    for (struct conn *c = all; c < all + count; c++)
        if (c->state != CONN_FREE && c->cid == cid && c->port == port && c->peer_port == peer_port)
            return c;
    return NULL;
}

struct conn *conn_new(struct conn *all, int count, uint64_t cid, uint32_t port, uint32_t peer_port)
{
    for (struct conn *c = all; c < all + count; c++)
        if (c->state == CONN_FREE) {
            *c = (struct conn){ .type = VSOCKIF_TYPE_STREAM, .cid = cid, .port = port, .peer_port = peer_port };
            c->out.seed = (uint8_t)(port * 37 + peer_port * 11 + cid);
            return c;
        }
    return NULL;
}

void conn_promise(struct conn *c, uint32_t alloc)
{
    c->alloc = alloc;
    if ((uint64_t)c->fwd + alloc > c->allowed)
        c->allowed = (uint64_t)c->fwd + alloc;
}

void conn_consume(struct conn *c, uint32_t len)
{
    c->fwd += len < c->rx - c->fwd ? len : c->rx - c->fwd;
}

uint32_t conn_room(const struct conn *c)
{
    uint32_t in_flight = c->tx - c->peer_fwd;

    return c->peer_alloc > in_flight ? c->peer_alloc - in_flight : 0;
}

/* ---- judging ---- */

static void judge_header(const struct vsockif_hdr *h)
{
    bool data = h->op == VSOCKIF_OP_RW;

    MOCK_MUST(h->op >= VSOCKIF_OP_REQUEST && h->op <= VSOCKIF_OP_CREDIT_REQUEST, "a packet with op %u", h->op);
    MOCK_MUST(h->type == VSOCKIF_TYPE_STREAM || h->type == VSOCKIF_TYPE_SEQPACKET, "a packet of type %u", h->type);
    MOCK_MUST(h->src_cid != VSOCKIF_CID_LOCAL && h->dst_cid != VSOCKIF_CID_LOCAL, "CID 1 on the wire");
    MOCK_MUST(data ? h->len >= 1 && h->len <= VSOCKIF_MAX_PACKET : !h->len, "op %u with %u bytes", h->op, h->len);
    if (data && h->type == VSOCKIF_TYPE_SEQPACKET)
        MOCK_MUST(h->flags == 0 || h->flags == 1 || h->flags == 3, "a part of a message with flags %u", h->flags);
    else
        MOCK_MUST(h->op == VSOCKIF_OP_SHUTDOWN ? h->flags >= 1 && h->flags <= 3 : !h->flags, "op %u with flags %u", h->op,
                  h->flags);
}

static void judge_credit(struct conn *c, const struct vsockif_hdr *h)
{
    MOCK_MUST(h->fwd_cnt - c->peer_fwd <= c->tx - c->peer_fwd, "it says that %u bytes of %u were consumed, before %u",
              h->fwd_cnt, c->tx, c->peer_fwd);
    c->peer_fwd = h->fwd_cnt;
    c->peer_alloc = h->buf_alloc;
}

static void judge_data(struct conn *c, uint32_t len, const uint8_t *data)
{
    MOCK_MUST(!(c->peer_shut & VSOCKIF_SHUTDOWN_SEND), "data after SHUTDOWN");
    MOCK_MUST((uint64_t)c->rx + len <= c->allowed, "data beyond the credit: %u and %u, of %llu", c->rx, len,
              (unsigned long long)c->allowed);
    c->rx += len;
    if (c->cid != VSOCKIF_CID_HOST || c->peer_port != CONN_SOURCE)
        MOCK_MUST(flow_check(&c->in, data, len), "bytes that nobody sent, from %u in %u of them", c->in.bytes, len);
}

static void judge(struct conn *c, const struct vsockif_hdr *h, const uint8_t *data)
{
    MOCK_MUST(h->op != VSOCKIF_OP_REQUEST && c->state != CONN_OFFERED, "op %u, and its REQUEST was not answered", h->op);
    if (h->op == VSOCKIF_OP_RESPONSE) {
        MOCK_MUST(c->state == CONN_ASKED, "a RESPONSE that nobody waits for");
        c->state = CONN_OPEN;
    }
    MOCK_MUST(c->state != CONN_ASKED, "op %u before a RESPONSE", h->op);
    judge_credit(c, h);
    c->asked |= h->op == VSOCKIF_OP_CREDIT_REQUEST;
    if (h->op == VSOCKIF_OP_SHUTDOWN) {
        MOCK_MUST((h->flags & c->peer_shut) == c->peer_shut, "SHUTDOWN %u takes %u back", h->flags, c->peer_shut);
        c->peer_shut = (uint8_t)h->flags;
    }
    if (h->op == VSOCKIF_OP_RW)
        judge_data(c, h->len, data);
}

struct conn *conn_receive(struct conn *all, int count, uint64_t cid, uint32_t port, uint32_t peer_port,
                          const struct vsockif_hdr *h, const uint8_t *data)
{
    struct conn *c = find(all, count, cid, port, peer_port);

    judge_header(h);
    if (!c && h->op == VSOCKIF_OP_REQUEST) {
        if ((c = conn_new(all, count, cid, port, peer_port))) {
            c->state = CONN_OFFERED;
            c->type = h->type;
            judge_credit(c, h);
        }
        return c;
    }
    if (!c || c->spoilt)
        return NULL;            /* the tail of one that is over */
    if (h->type != c->type)
        MOCK_MUST(h->op == VSOCKIF_OP_RST, "op %u of type %u in a connection of type %u", h->op, h->type, c->type);
    else if (h->op == VSOCKIF_OP_RST)
        c->state = CONN_FREE;
    else
        judge(c, h, data);
    return NULL;
}
