/* SPDX-License-Identifier: MIT */
/* chunks.c: see chunks.h. */
#include "chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
    struct chunk *next;
    uint32_t len, size;         /* bytes in data[]: used, in all */
    uint32_t ends;              /* VSOCKIF_SEQ_*: of a part of a message */
    uint8_t data[];
};

#define MALLOC_COST 16u         /* of an allocation, beside its bytes */

static uint64_t cost_of(uint32_t size)
{
    return sizeof(struct chunk) + size + MALLOC_COST;
}

/* A last chunk that is empty. */
static int grow(struct chunks *c, struct held *h, uint32_t size)
{
    struct chunk *fresh;

    if (!held_take(h, cost_of(size)))
        return -ENOSPC;
    fresh = malloc(sizeof *fresh + size);
    if (!fresh) {
        held_give(h, cost_of(size));
        return -ENOMEM;
    }
    *fresh = (struct chunk){ .size = size };
    if (c->last)
        c->last->next = fresh;
    else
        c->first = fresh;
    c->last = fresh;
    return 0;
}

int chunks_add(struct chunks *c, struct held *h, const void *data, uint32_t len)
{
    uint32_t room;
    int err;

    if ((!c->last || c->last->len == c->last->size) && (err = grow(c, h, len > CHUNKS_LEAST ? len : CHUNKS_LEAST)))
        return err;
    room = c->last->size - c->last->len;
    len = len < room ? len : room;
    memcpy(c->last->data + c->last->len, data, len);
    c->last->len += len;
    return (int)len;
}

int chunks_add_part(struct chunks *c, struct held *h, const void *data, uint32_t len, uint32_t ends)
{
    int err = grow(c, h, len);

    if (err)
        return err;
    memcpy(c->last->data, data, len);
    c->last->len = len;
    c->last->ends = ends;
    return (int)len;
}

uint32_t chunks_peek_part(const struct chunks *c, uint32_t *skip, uint32_t want, struct iovec *iov, int max, int *used,
                          uint32_t *ends)
{
    uint32_t bytes = 0, at = c->at;
    int n = 0;

    *ends = 0;
    for (struct chunk *chunk = c->first; chunk && !*ends && n < max && bytes < want; chunk = chunk->next, at = 0) {
        uint32_t over = *skip < chunk->len - at ? *skip : chunk->len - at, here;

        *skip -= over;
        at += over;
        if (!(here = chunk->len - at))
            continue;
        iov[n].iov_base = chunk->data + at;
        if (here <= want - bytes)
            *ends = chunk->ends;
        iov[n].iov_len = here < want - bytes ? here : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    *used = n;
    return bytes;
}

uint32_t chunks_copy(const struct chunks *c, void *to, uint32_t len)
{
    uint32_t bytes = 0, at = c->at;

    for (const struct chunk *chunk = c->first; chunk && bytes < len; chunk = chunk->next, at = 0) {
        uint32_t here = chunk->len - at < len - bytes ? chunk->len - at : len - bytes;

        memcpy((uint8_t *)to + bytes, chunk->data + at, here);
        bytes += here;
    }
    return bytes;
}

uint32_t chunks_message(const struct chunks *c, uint32_t *ends)
{
    uint32_t bytes = 0, at = c->at;

    *ends = 0;
    for (const struct chunk *chunk = c->first; chunk && !*ends; chunk = chunk->next, at = 0) {
        bytes += chunk->len - at;
        *ends = chunk->ends;
    }
    return bytes;
}

uint32_t chunks_peek_at(const struct chunks *c, uint32_t *skip, uint32_t want, struct iovec *iov, int max, int *used)
{
    uint32_t bytes = 0, at = c->at;
    int n = 0;

    for (struct chunk *chunk = c->first; chunk && n < max && bytes < want; chunk = chunk->next, at = 0) {
        uint32_t over = *skip < chunk->len - at ? *skip : chunk->len - at, here;

        *skip -= over;
        at += over;
        if (!(here = chunk->len - at))
            continue;
        iov[n].iov_base = chunk->data + at;
        iov[n].iov_len = here < want - bytes ? here : want - bytes;
        bytes += (uint32_t)iov[n++].iov_len;
    }
    *used = n;
    return bytes;
}

static void free_first(struct chunks *c, struct held *h)
{
    struct chunk *chunk = c->first;

    held_give(h, cost_of(chunk->size));
    c->first = chunk->next;
    c->at = 0;
    if (!c->first)
        c->last = NULL;
    free(chunk);
}

uint32_t chunks_take(struct chunks *c, struct held *h, uint32_t len)
{
    uint32_t left = len;

    while (left && c->first) {
        uint32_t here = c->first->len - c->at, n = left < here ? left : here;

        c->at += n;
        left -= n;
        if (n == here)
            free_first(c, h);
    }
    return len - left;
}

void chunks_drop(struct chunks *c, struct held *h)
{
    while (c->first)
        free_first(c, h);
}
