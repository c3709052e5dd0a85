/* SPDX-License-Identifier: MIT */
/* inbox.c: see inbox.h.  Two queues, one after the other: chunks of memory, then packets in the pool. */
#include "inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct inbox_chunk {
    struct inbox_chunk *next;
    uint32_t len, size;         /* bytes in data[]: used, in all */
    uint8_t data[];
};

/* Small packets share a chunk, so that a flood of single bytes costs little more than its bytes. */
#define CHUNK_MIN 4096u

void inbox_table_init(struct inbox_table *t, struct link_back *link, uint64_t spill_limit)
{
    memset(t, 0, sizeof *t);
    t->link = link;
    t->spill_limit = spill_limit;
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

uint32_t inbox_peek(const struct inbox_table *t, const struct inbox *b, uint32_t want, struct iovec *iov, int max,
                    int *used)
{
    uint32_t bytes = 0, at = b->chunk_at;
    int n = 0;

    for (struct inbox_chunk *c = b->chunk; c && n < max && bytes < want; c = c->next, at = 0) {
        iov[n].iov_base = c->data + at;
        iov[n].iov_len = c->len - at < want - bytes ? c->len - at : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    at = b->first_at;
    for (uint16_t id = b->first; id && n < max && bytes < want; id = t->packet[id - 1].next, at = 0) {
        const struct inbox_packet *p = &t->packet[id - 1];

        iov[n].iov_base = (void *)((uintptr_t)p->data + at);
        iov[n].iov_len = p->len - at < want - bytes ? p->len - at : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    *used = n;
    return bytes;
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

static void free_first_chunk(struct inbox_table *t, struct inbox *b)
{
    struct inbox_chunk *c = b->chunk;

    t->spill_bytes -= sizeof *c + c->size;
    b->chunk = c->next;
    b->chunk_at = 0;
    if (!b->chunk)
        b->last_chunk = NULL;
    free(c);
}

void inbox_take(struct inbox_table *t, struct inbox *b, uint32_t len)
{
    b->bytes -= len;
    while (len && b->chunk) {
        uint32_t here = b->chunk->len - b->chunk_at, n = len < here ? len : here;

        b->chunk_at += n;
        len -= n;
        if (n == here)
            free_first_chunk(t, b);
    }
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

    while (b->chunk)
        free_first_chunk(t, b);
    while (b->first)
        return_first(t, b);
    memset(b, 0, sizeof *b);
    return bytes;
}

bool inbox_is_tight(const struct inbox_table *t)
{
    return t->held_packets > ring_slots(&t->link->tx) / 2 || t->held_bytes > t->link->mem.tx_bytes / 2;
}

/* A chunk with room for at least one byte more at the end of b. */
static int last_chunk(struct inbox_table *t, struct inbox *b, uint32_t len)
{
    uint32_t size = len > CHUNK_MIN ? len : CHUNK_MIN;
    struct inbox_chunk *c;

    if (b->last_chunk && b->last_chunk->len < b->last_chunk->size)
        return 0;
    if (t->spill_bytes + sizeof *c + size > t->spill_limit)
        return -ENOSPC;
    c = malloc(sizeof *c + size);
    if (!c)
        return -ENOMEM;
    c->next = NULL;
    c->len = 0;
    c->size = size;
    if (b->last_chunk)
        b->last_chunk->next = c;
    else
        b->chunk = c;
    b->last_chunk = c;
    t->spill_bytes += sizeof *c + size;
    return 0;
}

int inbox_spill(struct inbox_table *t, struct inbox *b)
{
    while (b->first) {
        const struct inbox_packet *p = &t->packet[b->first - 1];
        uint32_t left = p->len - b->first_at, n;
        struct inbox_chunk *c;
        int err = last_chunk(t, b, left);

        if (err)
            return err;
        c = b->last_chunk;
        n = left < c->size - c->len ? left : c->size - c->len;
        memcpy(c->data + c->len, p->data + b->first_at, n);
        c->len += n;
        b->held_bytes -= n;
        b->first_at += n;
        if (n == left)
            return_first(t, b);
    }
    return 0;
}
