/* SPDX-License-Identifier: MIT */
/* front.c: see front.h.  Rings and pools are reached page by page (mock_page()), because a page moves when it is mapped. */
#include "front.h"

#include <stdio.h>
#include <string.h>

#include "mock.h"
#include "process.h"

#define PAGE VSOCKIF_PAGE_SIZE
#define CONNECTION 160u         /* pages of one connection at most; eight in a row have pages of their own */

/* ---- memory ---- */

static uint32_t ring_pages(const struct front *f)
{
    return f->ring_slots / 32;
}

static uint8_t *at(const struct front *f, uint32_t first, uint32_t offset)
{
    return mock_page(f->domid, first + offset / PAGE) + offset % PAGE;
}

uint32_t *front_word(struct front *f, bool tx, uint32_t index)
{
    return (uint32_t *)(void *)at(f, f->base + 1 + (tx ? 0 : ring_pages(f)), index * 4 % (ring_pages(f) * PAGE));
}

struct vsockif_control *front_control(const struct front *f)
{
    return (struct vsockif_control *)(void *)mock_page(f->domid, f->base);
}

static struct vsockif_slot *slot_at(struct front *f, bool tx, uint32_t index)
{
    return (struct vsockif_slot *)(void *)at(f, f->base + 1 + (tx ? 0 : ring_pages(f)),
                                             64 + (index & (f->ring_slots - 1)) * 64);
}

/* Bytes of a pool, which may lie in several pages. */
static void copy_pool(struct front *f, uint32_t first, uint32_t offset, uint8_t *bytes, uint32_t len, bool in)
{
    while (len) {
        uint32_t n = PAGE - offset % PAGE < len ? PAGE - offset % PAGE : len;

        if (in)
            memcpy(at(f, first, offset), bytes, n);
        else
            memcpy(bytes, at(f, first, offset), n);
        offset += n;
        bytes += n;
        len -= n;
    }
}

/* ---- life ---- */

void front_init(struct front *f, uint32_t domid, uint32_t number)
{
    memset(f, 0, sizeof *f);
    f->domid = domid;
    f->number = number;
    f->pool_pages = 4;
    f->buffer = 1024;
    f->next_port = 1u << 20;
    snprintf(f->dir, sizeof f->dir, "/local/domain/%u/device/vsock/%u", domid, number);
    snprintf(f->back, sizeof f->back, "/local/domain/0/backend/vsock/%u/%u", domid, number);
}

void front_node(struct front *f, const char *leaf, const void *bytes, uint32_t len)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", f->dir, leaf);
    mock_store_write_bytes(path, bytes, len);
}

void front_state(struct front *f, const char *text)
{
    front_node(f, "state", text, (uint32_t)strlen(text));
}

static void node_number(struct front *f, const char *leaf, uint32_t value)
{
    char text[16];

    front_node(f, leaf, text, (uint32_t)snprintf(text, sizeof text, "%u", value));
}

static void forget(struct front *f)
{
    f->shares = f->up = f->spoilt = false;
    memset(f->conn, 0, sizeof f->conn);
}

void front_die(struct front *f)
{
    if (!f->shares)
        return;
    for (uint32_t i = 0; i < CONNECTION; i++)
        mock_revoke(f->domid, FRONT_FIRST_REF + f->base + i);
    front_control(f)->front_live = 0;
    mock_port_send(f->domid, f->port);
    mock_port_close(f->domid, f->port);
    forget(f);
}

void front_share(struct front *f)
{
    struct vsockif_control *control;
    uint32_t end, ref;

    front_die(f);
    f->base = f->connection++ % 8 * CONNECTION;
    ref = FRONT_FIRST_REF + f->base;
    f->ring_slots = 32u << f->order;
    f->first_tx_pool = f->base + 1 + 2 * ring_pages(f);
    f->first_rx_pool = f->first_tx_pool + f->pool_pages;
    end = f->first_rx_pool + f->pool_pages;
    for (uint32_t page = f->base; page < end; page++) {
        mock_page_clear(f->domid, page);
        mock_grant(f->domid, FRONT_FIRST_REF + page, page, page < f->first_tx_pool || page >= f->first_rx_pool);
    }
    control = front_control(f);
    *control = (struct vsockif_control){
        .magic = VSOCKIF_CONTROL_MAGIC, .version = VSOCKIF_VERSION, .tx_ring_pages = ring_pages(f),
        .rx_ring_pages = ring_pages(f), .tx_pool_pages = f->pool_pages, .rx_pool_pages = f->pool_pages, .front_live = 1
    };
    for (uint32_t page = f->base + 1; page < end; page++)
        control->ref[page - f->base - 1] = FRONT_FIRST_REF + page;
    for (int tx = 0; tx < 2; tx++)
        *front_word(f, tx, 1) = *front_word(f, tx, 3) = 1;     /* both events */
    f->port = mock_port_new(f->domid, 0);
    f->tx_prod = f->tx_cons = f->rx_prod = f->rx_cons = f->next_off = 0;
    memset(f->in_flight, 0, sizeof f->in_flight);
    f->first_posted = f->posted_count = f->free_rx_count = 0;
    for (uint32_t id = 0; id < f->ring_slots && (id + 1) * f->buffer <= f->pool_pages * PAGE; id++)
        f->free_rx[f->free_rx_count++] = id;
    f->shares = true;
    f->cid = mock_store_number(f->back, "cid");
    node_number(f, "version", f->has_messages ? 2 : 1);
    if (f->has_messages)
        front_node(f, "features", "seqpacket", 9);
    node_number(f, "control-ref", ref);
    node_number(f, "event-channel", f->port);
    front_state(f, "3");
}

bool front_step(struct front *f)
{
    uint32_t own = mock_store_number(f->dir, "state"), peer = mock_store_number(f->back, "state");

    if (!own || !peer)
        return false;
    if (peer == 4 && f->shares && (own == 3 || !f->up)) {
        if (own == 3)
            front_state(f, "4");
        f->up = true;
        front_post(f, FRONT_SLOTS);
        front_kick(f);
        return true;
    }
    if (peer >= 5 && (f->shares || own != 6)) {
        front_die(f);
        front_state(f, "6");
        return true;
    }
    if (own == 1 && peer == 2) {
        front_share(f);
        return true;
    }
    if (own >= 5 || (own >= 3 && !f->shares)) {
        front_state(f, "1");
        return true;
    }
    return false;
}

bool front_connect(struct front *f)
{
    for (int i = 0; i < 40 && !f->up; i++) {
        front_step(f);
        if (!process_rest())
            return false;
        if (i > 6)
            process_pass(1000);
    }
    return f->up;
}

/* ---- the tx ring ---- */

static void publish(struct front *f)
{
    *front_word(f, true, 0) = f->tx_prod;
    *front_word(f, false, 0) = f->rx_prod;
}

void front_kick(struct front *f)
{
    if (!f->shares)
        return;
    publish(f);
    mock_port_send(f->domid, f->port);
}

void front_raw(struct front *f, bool tx, const struct vsockif_slot *slot)
{
    if (!f->shares)
        return;
    f->spoilt = true;
    *slot_at(f, tx, tx ? f->tx_prod++ : f->rx_prod++) = *slot;
}

/* Takes the answers: ids are free again. */
static void reap(struct front *f)
{
    uint32_t prod = *front_word(f, true, 2);

    if (f->spoilt) {
        memset(f->in_flight, 0, sizeof f->in_flight);
        f->tx_cons = prod;
        return;
    }
    MOCK_MUST(prod - f->tx_cons <= f->tx_prod - f->tx_cons, "tx answers %u are more than the %u requests", prod, f->tx_prod);
    for (; f->tx_cons != prod; f->tx_cons++) {
        uint32_t id = slot_at(f, true, f->tx_cons)->id;

        MOCK_MUST(id < f->ring_slots && f->in_flight[id], "an answer to tx id %u, which is not in flight", id);
        f->in_flight[id] = false;
    }
}

/* Where in the tx pool the next packet may lie: behind the last one, or behind whatever is still in flight there; UINT32_MAX. */
static uint32_t find_place(const struct front *f, uint32_t len)
{
    uint32_t off = f->next_off, end = f->pool_pages * PAGE;

    if (off + len > end)
        off = 0;
    for (uint32_t tried = 0, id = 0; id < f->ring_slots; id++) {
        if (!f->in_flight[id] || off >= f->tx_data[id].off + f->tx_data[id].size || f->tx_data[id].off >= off + len)
            continue;
        if (++tried > f->ring_slots + 1)
            return UINT32_MAX;
        off = f->tx_data[id].off + f->tx_data[id].size;
        if (off + len > end)
            off = 0;
        id = UINT32_MAX;        /* once more, from here */
    }
    return off;
}

/* A packet with len bytes of the flow.  False: there is no slot, or no room in the pool. */
static bool send_packet(struct front *f, struct vsockif_hdr *hdr, struct flow *flow)
{
    uint32_t id = 0, off = 0, len = hdr->len, slots = f->ring_slots - (len ? VSOCKIF_CONTROL_SLOTS : 0);
    struct vsockif_slot slot = { 0 };
    static uint8_t bytes[VSOCKIF_MAX_PACKET];

    if (!f->shares)
        return false;
    reap(f);
    while (id < slots && f->in_flight[id])
        id++;
    if (id >= slots || f->tx_prod - f->tx_cons >= slots || len > f->pool_pages * PAGE)
        return false;
    if (len && (off = find_place(f, len)) == UINT32_MAX)
        return false;
    if (len) {
        flow_fill(flow, bytes, len);
        copy_pool(f, f->first_tx_pool, off, bytes, len, true);
        f->next_off = off + len;
    }
    f->in_flight[id] = true;
    f->tx_data[id].off = off;
    f->tx_data[id].size = len;
    slot.hdr = *hdr;
    slot.id = id;
    slot.off = len ? off : 0;
    slot.size = len;
    *slot_at(f, true, f->tx_prod++) = slot;
    return true;
}

/* ---- streams ---- */

struct vsockif_hdr front_header(const struct front *f, const struct conn *c, unsigned op)
{
    return (struct vsockif_hdr){ .src_cid = f->cid, .dst_cid = c->cid, .src_port = c->port, .dst_port = c->peer_port,
                                 .type = c->type, .op = (uint16_t)op, .buf_alloc = c->alloc,
                                 .fwd_cnt = c->fwd };
}

static bool send_op(struct front *f, struct conn *c, unsigned op, uint32_t flags)
{
    struct vsockif_hdr hdr = front_header(f, c, op);

    hdr.flags = flags;
    return send_packet(f, &hdr, NULL);
}

struct conn *front_open(struct front *f, uint64_t cid, uint32_t peer_port, uint32_t alloc)
{
    struct conn *c;

    if (!f->up || !(c = conn_new(f->conn, FRONT_CONNS, cid, f->next_port, peer_port)))
        return NULL;
    f->next_port++;
    if (f->opens_messages)
        c->type = VSOCKIF_TYPE_SEQPACKET;
    f->opens_messages = false;
    conn_promise(c, alloc);
    c->state = CONN_ASKED;
    if (send_op(f, c, VSOCKIF_OP_REQUEST, 0))
        return c;
    c->state = CONN_FREE;
    return NULL;
}

bool front_answer(struct front *f, struct conn *c, uint32_t alloc)
{
    if (c->state != CONN_OFFERED)
        return false;
    if (!alloc)
        return front_reset(f, c);
    conn_promise(c, alloc);
    if (!send_op(f, c, VSOCKIF_OP_RESPONSE, 0))
        return false;
    c->state = CONN_OPEN;
    return true;
}

uint32_t front_send_part(struct front *f, struct conn *c, uint32_t len, uint32_t ends)
{
    struct vsockif_hdr hdr = front_header(f, c, VSOCKIF_OP_RW);
    uint32_t room = conn_room(c);

    if (c->state != CONN_OPEN || c->shut & VSOCKIF_SHUTDOWN_SEND)
        return 0;
    hdr.len = len < room ? len : room;
    if (hdr.len > VSOCKIF_MAX_PACKET)
        hdr.len = VSOCKIF_MAX_PACKET;
    if (c->type == VSOCKIF_TYPE_SEQPACKET)
        hdr.flags = ends;
    if (!hdr.len || !send_packet(f, &hdr, &c->out))
        return 0;
    c->tx += hdr.len;
    return hdr.len;
}

uint32_t front_send(struct front *f, struct conn *c, uint32_t len)
{
    /* Most are a message, or its end. */
    return front_send_part(f, c, len, len == 4096 ? 0 : len == 100 ? 3 : 1);
}

bool front_shutdown(struct front *f, struct conn *c, uint8_t flags)
{
    flags = (flags | c->shut) & 3;
    if (c->state != CONN_OPEN || !flags || !send_op(f, c, VSOCKIF_OP_SHUTDOWN, flags))
        return false;
    c->shut = flags;
    return true;
}

bool front_reset(struct front *f, struct conn *c)
{
    if (c->state == CONN_FREE || !send_op(f, c, VSOCKIF_OP_RST, 0))
        return false;
    c->state = CONN_FREE;
    return true;
}

bool front_consume(struct front *f, struct conn *c, uint32_t len, uint32_t alloc)
{
    if (c->state != CONN_OPEN)
        return false;
    conn_consume(c, len);
    conn_promise(c, alloc);
    c->asked = false;
    return send_op(f, c, VSOCKIF_OP_CREDIT_UPDATE, 0);
}

bool front_ask(struct front *f, struct conn *c)
{
    return c->state == CONN_OPEN && send_op(f, c, VSOCKIF_OP_CREDIT_REQUEST, 0);
}

/* ---- the rx ring ---- */

void front_post(struct front *f, uint32_t max)
{
    while (f->shares && f->free_rx_count && max-- && f->rx_prod - f->rx_cons < f->ring_slots) {
        uint32_t id = f->free_rx[--f->free_rx_count];
        struct vsockif_slot slot = { .id = id, .off = id * f->buffer, .size = f->buffer };

        *slot_at(f, false, f->rx_prod++) = slot;
        f->posted[(f->first_posted + f->posted_count++) % FRONT_SLOTS] = id;
    }
}

static void receive(struct front *f, const struct vsockif_hdr *h, const uint8_t *data)
{
    struct conn none = { .type = h->type, .cid = h->src_cid, .port = h->dst_port, .peer_port = h->src_port };

    MOCK_MUST(h->dst_cid == f->cid, "a packet for CID %llu came to %llu", (unsigned long long)h->dst_cid,
              (unsigned long long)f->cid);
    MOCK_MUST(h->src_cid != f->cid || h->op == VSOCKIF_OP_RST, "a packet of the guest's own");
    if (!conn_receive(f->conn, FRONT_CONNS, h->src_cid, h->dst_port, h->src_port, h, data) && h->op == VSOCKIF_OP_REQUEST)
        send_op(f, &none, VSOCKIF_OP_RST, 0);   /* all are in use */
}

/* The next packet: its buffers are in order, filled one after the other. */
static void take_packet(struct front *f)
{
    struct vsockif_slot slot = *slot_at(f, false, f->rx_cons);
    uint32_t count = slot.count, got = 0;
    struct vsockif_hdr hdr = slot.hdr;
    static uint8_t bytes[VSOCKIF_MAX_PACKET + PAGE];

    MOCK_MUST(count >= 1 && count <= f->posted_count, "a packet in %u buffers, of %u posted", count, f->posted_count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = f->posted[f->first_posted % FRONT_SLOTS];

        slot = *slot_at(f, false, f->rx_cons + i);
        MOCK_MUST(slot.id == id, "buffer %u is answered, %u is the next", slot.id, id);
        MOCK_MUST(slot.count == (i ? 0 : count), "count %u in buffer %u of a packet", slot.count, i);
        MOCK_MUST(slot.size <= f->buffer && (i + 1 == count || slot.size == f->buffer), "%u bytes in a buffer of %u",
                  slot.size, f->buffer);
        MOCK_MUST(got + slot.size <= VSOCKIF_MAX_PACKET, "a packet that is too long");
        copy_pool(f, f->first_rx_pool, id * f->buffer, bytes + got, slot.size, false);
        got += slot.size;
        f->first_posted = (f->first_posted + 1) % FRONT_SLOTS;
        f->posted_count--;
        f->free_rx[f->free_rx_count++] = id;
    }
    MOCK_MUST(got == hdr.len, "%u bytes in the buffers of a packet of %u", got, hdr.len);
    f->rx_cons += count;
    receive(f, &hdr, bytes);
}

uint32_t front_take(struct front *f, uint32_t max)
{
    uint32_t prod, n = 0;

    if (!f->shares)
        return 0;
    mock_port_take(f->domid, f->port);
    prod = *front_word(f, false, 2);
    if (f->spoilt) {
        f->rx_cons = prod;
        return 0;
    }
    reap(f);
    MOCK_MUST(prod - f->rx_cons <= f->posted_count, "rx answers up to %u, %u are taken and %u posted", prod, f->rx_cons,
              f->posted_count);
    for (; n < max && f->rx_cons != prod; n++)
        take_packet(f);
    f->packets += n;
    front_post(f, FRONT_SLOTS);
    *front_word(f, false, 3) = f->rx_cons + 1;     /* rsp_event: tell us of the next */
    *front_word(f, true, 3) = f->tx_cons + 1;
    publish(f);
    return n;
}
