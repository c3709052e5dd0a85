/* SPDX-License-Identifier: MIT */
/* inbox.c: see inbox.h.  Two queues, one after the other: chunks of memory, then packets in the pool. */
#include "inbox.h"

#include <string.h>

void inbox_table_init(struct inbox_table *t, struct link_back *link, struct held *held)
{
    memset(t, 0, sizeof *t);
    t->link = link;
    t->held = held;
}

void inbox_add(struct inbox_table *t, struct inbox *b, uint32_t id, const uint8_t *data, uint32_t len)
{
    t->packet[id] = (struct inbox_packet){ .data = data, .len = len };
    if (b->last)
        t->packet[b->last - 1].next = (uint16_t)(id + 1);
    else
        b->first = (uint16_t)(id + 1);
    b->last = (uint16_t)(id + 1);
    b->bytes += len;
    b->held_bytes += len;
    t->held_packets++;
    t->held_bytes += len;
}

uint32_t inbox_peek_at(const struct inbox_table *t, const struct inbox *b, uint32_t skip, uint32_t want, struct iovec *iov, int max,
                       int *used)
{
    uint32_t bytes = 0, at = b->first_at;
    int n = 0;

    if (!chunks_are_empty(&b->spilled))
        bytes = chunks_peek_at(&b->spilled, &skip, want, iov, max, &n);
    for (uint16_t id = b->first; id && n < max && bytes < want; id = t->packet[id - 1].next, at = 0) {
        const struct inbox_packet *p = &t->packet[id - 1];
        uint32_t over = skip < p->len - at ? skip : p->len - at;

        skip -= over;
        at += over;
        if (at == p->len)
            continue;
        iov[n].iov_base = (void *)((uintptr_t)p->data + at);
        iov[n].iov_len = p->len - at < want - bytes ? p->len - at : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    *used = n;
    return bytes;
}

void inbox_add_part(struct inbox_table *t, struct inbox *b, uint32_t id, const uint8_t *data, uint32_t len, uint32_t ends)
{
    inbox_add(t, b, id, data, len);
    t->packet[id].ends = (uint16_t)ends;
    b->of_messages = true;
    b->whole += ends & VSOCKIF_SEQ_EOM;
}

uint32_t inbox_message(const struct inbox_table *t, struct inbox *b)
{
    uint32_t bytes, ends, at = b->first_at;

    if (!b->whole || b->front)
        return b->front;
    bytes = chunks_message(&b->spilled, &ends);
    for (uint16_t id = b->first; id && !ends; id = t->packet[id - 1].next, at = 0) {
        bytes += t->packet[id - 1].len - at;
        ends = t->packet[id - 1].ends;
    }
    return b->front = bytes;
}

uint32_t inbox_peek_part(const struct inbox_table *t, const struct inbox *b, uint32_t skip, uint32_t want, struct iovec *iov, int max,
                         int *used, uint32_t *ends)
{
    uint32_t bytes, at = b->first_at;
    int n;

    bytes = chunks_peek_part(&b->spilled, &skip, want, iov, max, &n, ends);
    for (uint16_t id = b->first; id && !*ends && n < max && bytes < want; id = t->packet[id - 1].next, at = 0) {
        const struct inbox_packet *p = &t->packet[id - 1];
        uint32_t over = skip < p->len - at ? skip : p->len - at, here;

        skip -= over;
        at += over;
        if (!(here = p->len - at))
            continue;
        if (here <= want - bytes)
            *ends = p->ends;
        iov[n].iov_base = (void *)((uintptr_t)p->data + at);
        iov[n].iov_len = here < want - bytes ? here : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    *used = n;
    return bytes;
}

void inbox_copy(const struct inbox_table *t, const struct inbox *b, void *to, uint32_t len)
{
    uint32_t bytes = chunks_copy(&b->spilled, to, len), at = b->first_at;

    for (uint16_t id = b->first; id && bytes < len; id = t->packet[id - 1].next, at = 0) {
        const struct inbox_packet *p = &t->packet[id - 1];
        uint32_t here = p->len - at < len - bytes ? p->len - at : len - bytes;

        memcpy((uint8_t *)to + bytes, p->data + at, here);
        bytes += here;
    }
}

/* Gives the first held packet back to the guest. */
static void return_first(struct inbox_table *t, struct inbox *b)
{
    uint32_t id = b->first - 1u;
    struct inbox_packet *p = &t->packet[id];

    t->held_packets--;
    t->held_bytes -= p->len;
    b->first = p->next;
    b->first_at = 0;
    if (!b->first)
        b->last = 0;
    link_back_done(t->link, id);
}

void inbox_take(struct inbox_table *t, struct inbox *b, uint32_t len)
{
    b->bytes -= len;
    if (!chunks_are_empty(&b->spilled))
        len -= chunks_take(&b->spilled, t->held, len);
    b->held_bytes -= len;
    while (len) {
        uint32_t here = t->packet[b->first - 1].len - b->first_at, n = len < here ? len : here;

        b->first_at += n;
        len -= n;
        if (n == here)
            return_first(t, b);
    }
}

uint32_t inbox_drop(struct inbox_table *t, struct inbox *b)
{
    uint32_t bytes = b->bytes;

    chunks_drop(&b->spilled, t->held);
    while (b->first)
        return_first(t, b);
    memset(b, 0, sizeof *b);
    return bytes;
}

bool inbox_is_tight(const struct inbox_table *t, uint32_t most)
{
    return t->held_packets > ring_slots(&t->link->tx) / 2 || t->held_bytes > most;
}

int inbox_spill(struct inbox_table *t, struct inbox *b)
{
    while (b->first) {
        const struct inbox_packet *p = &t->packet[b->first - 1];
        uint32_t left = p->len - b->first_at;
        int n = b->of_messages ? chunks_add_part(&b->spilled, t->held, p->data + b->first_at, left, p->ends)
                               : chunks_add(&b->spilled, t->held, p->data + b->first_at, left);

        if (n < 0)
            return n;
        b->held_bytes -= (uint32_t)n;
        b->first_at += (uint32_t)n;
        if ((uint32_t)n == left)
            return_first(t, b);
    }
    return 0;
}

uint32_t inbox_part(struct inbox_table *t, struct inbox *b, struct chunks *out)
{
    inbox_spill(t, b);
    *out = b->spilled;
    b->spilled = (struct chunks){ 0 };
    b->bytes = b->held_bytes;
    return inbox_drop(t, b);
}
