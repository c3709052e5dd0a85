/* SPDX-License-Identifier: MIT */
/* back.c: see back.h. */
#include "back.h"

#include <stdio.h>
#include <string.h>

#include "mock.h"

#define PAGE VSOCKIF_PAGE_SIZE
#define GROUP_PAGES (sizeof ((struct back_group *)0)->page / sizeof ((struct back_group *)0)->page[0])

enum { TX_RING, RX_RING, TX_POOL, RX_POOL };

/* ---- memory ---- */

static uint8_t *at(const struct back *b, int group, uint32_t offset)
{
    const struct back_group *g = &b->group[group];

    MOCK_MUST(offset / PAGE < g->count, "offset %u of group %d, which has %u pages", offset, group, g->count);
    return mock_page(b->domid, g->page[offset / PAGE]) + offset % PAGE;
}

static uint32_t slots_of(const struct back *b, bool tx)
{
    return 32 * b->group[tx ? TX_RING : RX_RING].count;
}

uint32_t *back_word(struct back *b, bool tx, uint32_t index)
{
    int group = tx ? TX_RING : RX_RING;

    return (uint32_t *)(void *)at(b, group, index * 4 % (b->group[group].count * PAGE));
}

struct vsockif_control *back_control(struct back *b)
{
    return (struct vsockif_control *)(void *)mock_page(b->domid, b->control);
}

static struct vsockif_slot *slot_at(struct back *b, bool tx, uint32_t index)
{
    return (struct vsockif_slot *)(void *)at(b, tx ? TX_RING : RX_RING, 64 + (index & (slots_of(b, tx) - 1)) * 64);
}

static void copy_pool(struct back *b, int group, uint32_t offset, uint8_t *bytes, uint32_t len, bool in)
{
    while (len) {
        uint32_t n = PAGE - offset % PAGE < len ? PAGE - offset % PAGE : len;

        if (in)
            memcpy(at(b, group, offset), bytes, n);
        else
            memcpy(bytes, at(b, group, offset), n);
        offset += n;
        bytes += n;
        len -= n;
    }
}

/* ---- life ---- */

void back_init(struct back *b, uint32_t domid, uint64_t cid)
{
    memset(b, 0, sizeof *b);
    b->domid = domid;
    b->cid = cid;
    b->next_port = 1u << 30;
    snprintf(b->dir, sizeof b->dir, "/local/domain/0/backend/vsock/%u/0", domid);
    snprintf(b->front, sizeof b->front, "/local/domain/%u/device/vsock/0", domid);
}

static void put(const char *dir, const char *leaf, const void *bytes, uint32_t len)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, leaf);
    mock_store_write_bytes(path, bytes, len);
}

static void put_text(const char *dir, const char *leaf, const char *text)
{
    put(dir, leaf, text, (uint32_t)strlen(text));
}

static void put_number(const char *dir, const char *leaf, uint64_t value)
{
    char text[24];

    put(dir, leaf, text, (uint32_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value));
}

void back_node(struct back *b, const char *leaf, const void *bytes, uint32_t len)
{
    put(b->dir, leaf, bytes, len);
}

void back_state(struct back *b, const char *text)
{
    put_text(b->dir, "state", text);
}

void back_attach(struct back *b)
{
    put_text(b->dir, "frontend", b->front);
    put_number(b->dir, "frontend-id", b->domid);
    put_number(b->dir, "cid", b->cid);
    put_text(b->dir, "state", "1");
    put_number(b->front, "backend-id", 0);
    put_text(b->front, "state", "1");
    put_text(b->front, "backend", b->dir);
}

void back_detach(struct back *b)
{
    back_unmap(b);
    mock_store_remove(b->front);
    mock_store_remove(b->dir);
}

void back_unmap(struct back *b)
{
    if (!b->maps)
        return;
    back_control(b)->back_live = 0;
    mock_port_send(0, b->port);
    mock_port_close(0, b->port);
    b->maps = b->spoilt = false;
    memset(b->conn, 0, sizeof b->conn);
}

/* The pages of a group, by their references.  False: the frontend has taken them back already. */
static bool find_group(struct back *b, struct back_group *g, uint32_t pages, const uint32_t *refs)
{
    MOCK_MUST(pages >= 1 && pages <= GROUP_PAGES, "the frontend shares %u pages in a group", pages);
    g->count = pages;
    for (uint32_t i = 0; i < pages; i++)
        if ((g->page[i] = mock_page_of(b->domid, refs[i])) == UINT32_MAX)
            return false;
    return true;
}

static bool map(struct back *b)
{
    const struct vsockif_control *c;
    const uint32_t *refs;

    back_unmap(b);
    b->control = mock_page_of(b->domid, mock_store_number(b->front, "control-ref"));
    if (b->control == UINT32_MAX)
        return false;
    c = back_control(b);
    MOCK_MUST(c->magic == VSOCKIF_CONTROL_MAGIC && c->version == VSOCKIF_VERSION && c->front_live == 1,
              "the frontend's control page: magic %x, version %u, live %u", c->magic, c->version, c->front_live);
    refs = c->ref;
    if (!find_group(b, &b->group[TX_RING], c->tx_ring_pages, refs) ||
        !find_group(b, &b->group[RX_RING], c->rx_ring_pages, refs += c->tx_ring_pages) ||
        !find_group(b, &b->group[TX_POOL], c->tx_pool_pages, refs += c->rx_ring_pages) ||
        !find_group(b, &b->group[RX_POOL], c->rx_pool_pages, refs += c->tx_pool_pages) ||
        !(b->port = mock_port_bind(0, b->domid, mock_store_number(b->front, "event-channel"))))
        return false;
    b->tx_cons = b->tx_rsp = b->rx_cons = b->rx_rsp = 0;
    b->held_count = b->first = b->count = 0;
    memset(b->is_held, 0, sizeof b->is_held);
    b->maps = true;
    back_control(b)->back_live = 1;
    *back_word(b, true, 1) = *back_word(b, false, 1) = 1;
    return true;
}

bool back_step(struct back *b)
{
    uint32_t own = mock_store_number(b->dir, "state"), peer = mock_store_number(b->front, "state");

    if (!own || !peer)
        return false;
    if (peer == 1 && own != 2) {
        back_unmap(b);
        put_text(b->dir, "versions", b->has_messages ? "1,2" : "1");
        put_text(b->dir, "features", "seqpacket");      /* of version 1 it says nothing */
        put_number(b->dir, "max-ring-page-order", 1);
        put_number(b->dir, "max-pool-pages", GROUP_PAGES);
        back_state(b, "2");
        return true;
    }
    if (peer == 3 && own == 2) {
        back_state(b, map(b) ? "4" : "5");
        return true;
    }
    if (peer >= 5 && own != 6) {
        back_unmap(b);
        back_state(b, "6");
        return true;
    }
    if ((peer == 3 || peer == 4) && !(own == 4 && b->maps) && own < 5) {
        back_unmap(b);
        back_state(b, "5");
        return true;
    }
    return false;
}

/* ---- to the frontend ---- */

static void publish(struct back *b)
{
    *back_word(b, true, 2) = b->tx_rsp;
    *back_word(b, false, 2) = b->rx_rsp;
}

void back_kick(struct back *b)
{
    if (!b->maps)
        return;
    publish(b);
    mock_port_send(0, b->port);
}

void back_raw(struct back *b, bool tx, const struct vsockif_slot *slot)
{
    if (!b->maps)
        return;
    b->spoilt = true;
    *slot_at(b, tx, tx ? b->tx_rsp++ : b->rx_rsp++) = *slot;
}

/* Section 6, rx request: what a posted buffer must be. */
static void take_buffers(struct back *b)
{
    uint32_t prod = *back_word(b, false, 0);

    if (b->spoilt) {
        b->rx_cons = prod;
        return;
    }
    MOCK_MUST(prod - b->rx_rsp <= slots_of(b, false), "the frontend posts up to %u, with %u answered", prod, b->rx_rsp);
    for (; b->rx_cons != prod; b->rx_cons++) {
        const struct vsockif_slot *slot = slot_at(b, false, b->rx_cons);

        MOCK_MUST(slot->id < slots_of(b, false) && slot->size >= 64 && slot->size <= VSOCKIF_MAX_PACKET &&
                  !(slot->size % 64) && !(slot->off % 64) &&
                  (uint64_t)slot->off + slot->size <= (uint64_t)b->group[RX_POOL].count * PAGE,
                  "a buffer with id %u, off %u, size %u", slot->id, slot->off, slot->size);
        b->buffer[(b->first + b->count++) % BACK_SLOTS].id = slot->id;
        b->buffer[(b->first + b->count - 1) % BACK_SLOTS].off = slot->off;
        b->buffer[(b->first + b->count - 1) % BACK_SLOTS].size = slot->size;
    }
}

static uint32_t room(const struct back *b)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < b->count; i++)
        bytes += b->buffer[(b->first + i) % BACK_SLOTS].size;
    return bytes;
}

/* len bytes, with the header in the first of the buffers that they take. */
static bool send_packet(struct back *b, const struct vsockif_hdr *hdr, struct flow *flow, uint32_t len)
{
    uint32_t first = b->rx_rsp, count = 0;
    static uint8_t bytes[VSOCKIF_MAX_PACKET];

    if (!b->maps)
        return false;
    take_buffers(b);
    if (!b->count || room(b) < len)
        return false;
    do {
        uint32_t i = b->first % BACK_SLOTS, n = len < b->buffer[i].size ? len : b->buffer[i].size;
        struct vsockif_slot slot = { .id = b->buffer[i].id, .size = n };

        if (n && flow) {
            flow_fill(flow, bytes, n);
            copy_pool(b, RX_POOL, b->buffer[i].off, bytes, n, true);
        }
        if (!count)
            slot.hdr = *hdr;
        *slot_at(b, false, b->rx_rsp++) = slot;
        len -= n;
        count++;
        b->first = (b->first + 1) % BACK_SLOTS;
        b->count--;
    } while (len);
    slot_at(b, false, first)->count = (uint16_t)count;
    return true;
}

bool back_packet(struct back *b, const struct vsockif_hdr *hdr)
{
    b->spoilt = true;
    return send_packet(b, hdr, NULL, hdr->len <= room(b) && hdr->len <= VSOCKIF_MAX_PACKET ? hdr->len : 0);
}

/* ---- streams ---- */

struct vsockif_hdr back_header(const struct back *b, const struct conn *c, unsigned op)
{
    return (struct vsockif_hdr){ .src_cid = c->cid, .dst_cid = b->cid, .src_port = c->peer_port, .dst_port = c->port,
                                 .type = c->type, .op = (uint16_t)op, .buf_alloc = c->alloc,
                                 .fwd_cnt = c->fwd };
}

static bool send_op(struct back *b, struct conn *c, unsigned op, uint32_t flags)
{
    struct vsockif_hdr hdr = back_header(b, c, op);

    hdr.flags = flags;
    return send_packet(b, &hdr, NULL, 0);
}

struct conn *back_open(struct back *b, uint64_t cid, uint32_t guest_port, uint32_t alloc)
{
    struct conn *c;

    if (!b->maps || !(c = conn_new(b->conn, BACK_CONNS, cid, guest_port, b->next_port)))
        return NULL;
    b->next_port++;
    if (b->opens_messages)
        c->type = VSOCKIF_TYPE_SEQPACKET;
    conn_promise(c, alloc);
    c->state = CONN_ASKED;
    if (send_op(b, c, VSOCKIF_OP_REQUEST, 0))
        return c;
    c->state = CONN_FREE;
    return NULL;
}

bool back_answer(struct back *b, struct conn *c, uint32_t alloc)
{
    if (c->state != CONN_OFFERED)
        return false;
    if (!alloc)
        return back_reset(b, c);
    conn_promise(c, alloc);
    if (!send_op(b, c, VSOCKIF_OP_RESPONSE, 0))
        return false;
    c->state = CONN_OPEN;
    return true;
}

uint32_t back_send(struct back *b, struct conn *c, uint32_t len)
{
    struct vsockif_hdr hdr = back_header(b, c, VSOCKIF_OP_RW);

    if (c->state != CONN_OPEN || c->shut & VSOCKIF_SHUTDOWN_SEND || !b->maps)
        return 0;
    take_buffers(b);
    hdr.len = len < conn_room(c) ? len : conn_room(c);
    if (hdr.len > room(b))
        hdr.len = room(b);
    if (hdr.len > VSOCKIF_MAX_PACKET)
        hdr.len = VSOCKIF_MAX_PACKET;
    /* Most are a message, or its end. */
    if (c->type == VSOCKIF_TYPE_SEQPACKET)
        hdr.flags = len == 4096 ? 0 : len == 100 ? 3 : 1;
    if (!hdr.len || !send_packet(b, &hdr, &c->out, hdr.len))
        return 0;
    c->tx += hdr.len;
    return hdr.len;
}

bool back_shutdown(struct back *b, struct conn *c, uint8_t flags)
{
    flags = (flags | c->shut) & 3;
    if (c->state != CONN_OPEN || !flags || !send_op(b, c, VSOCKIF_OP_SHUTDOWN, flags))
        return false;
    c->shut = flags;
    return true;
}

bool back_reset(struct back *b, struct conn *c)
{
    if (c->state == CONN_FREE || !send_op(b, c, VSOCKIF_OP_RST, 0))
        return false;
    c->state = CONN_FREE;
    return true;
}

bool back_consume(struct back *b, struct conn *c, uint32_t len, uint32_t alloc)
{
    if (c->state != CONN_OPEN)
        return false;
    conn_consume(c, len);
    conn_promise(c, alloc);
    return send_op(b, c, VSOCKIF_OP_CREDIT_UPDATE, 0);
}

bool back_ask(struct back *b, struct conn *c)
{
    return c->state == CONN_OPEN && send_op(b, c, VSOCKIF_OP_CREDIT_REQUEST, 0);
}

/* ---- from the frontend ---- */

static void complete(struct back *b, uint32_t id)
{
    struct vsockif_slot slot = { .id = id };

    b->is_held[id] = false;
    *slot_at(b, true, b->tx_rsp++) = slot;
}

void back_complete(struct back *b, uint32_t max, bool newest)
{
    while (b->maps && b->held_count && max--) {
        uint32_t id = b->held[newest ? b->held_count - 1 : 0];

        if (!newest)
            memmove(b->held, b->held + 1, (b->held_count - 1) * sizeof b->held[0]);
        b->held_count--;
        complete(b, id);
    }
    if (b->maps)
        publish(b);
}

static void take_packet(struct back *b)
{
    struct vsockif_slot slot = *slot_at(b, true, b->tx_cons++);
    static uint8_t bytes[VSOCKIF_MAX_PACKET];

    MOCK_MUST(slot.id < slots_of(b, true) && !b->is_held[slot.id], "tx id %u, which is beyond the ring or in flight", slot.id);
    MOCK_MUST(slot.size == slot.hdr.len && slot.size <= VSOCKIF_MAX_PACKET, "a packet of %u bytes in %u", slot.hdr.len,
              slot.size);
    MOCK_MUST((uint64_t)(slot.size ? slot.off : 0) + slot.size <= (uint64_t)b->group[TX_POOL].count * PAGE,
              "data at %u, %u bytes", slot.off, slot.size);
    copy_pool(b, TX_POOL, slot.off, bytes, slot.size, false);
    b->is_held[slot.id] = true;
    b->held[b->held_count++] = slot.id;
    MOCK_MUST(slot.hdr.src_cid == b->cid, "a packet from CID %llu", (unsigned long long)slot.hdr.src_cid);
    conn_receive(b->conn, BACK_CONNS, slot.hdr.dst_cid, slot.hdr.src_port, slot.hdr.dst_port, &slot.hdr, bytes);
}

uint32_t back_take(struct back *b, uint32_t max)
{
    uint32_t prod, n = 0;

    if (!b->maps)
        return 0;
    mock_port_take(0, b->port);
    prod = *back_word(b, true, 0);
    take_buffers(b);
    if (b->spoilt) {
        b->tx_cons = prod;
        return 0;
    }
    MOCK_MUST(prod - b->tx_rsp <= slots_of(b, true), "the frontend sends up to %u, with %u answered", prod, b->tx_rsp);
    for (; n < max && b->tx_cons != prod; n++)
        take_packet(b);
    if (!b->holds)
        back_complete(b, UINT32_MAX, false);
    *back_word(b, true, 1) = b->tx_cons + 1;       /* req_event: tell us of the next */
    *back_word(b, false, 1) = b->rx_cons + 1;
    publish(b);
    return n;
}
