/* SPDX-License-Identifier: MIT */
/* tapread.c: see tapread.h. */
#include "tapread.h"

#include <errno.h>
#include <string.h>

void *tapread_room(struct tapread *t, size_t *room)
{
    if (t->begin) {
        memmove(t->bytes, t->bytes + t->begin, t->end - t->begin);
        t->end -= t->begin;
        t->begin = 0;
    }
    *room = TAPREAD_BYTES - t->end;
    return t->bytes + t->end;
}

void tapread_added(struct tapread *t, size_t len)
{
    t->end += len;
}

static int is_good(const struct tapif_record *r)
{
    return r->captured <= TAPIF_SNAP_MOST && r->size == tapif_size(r->captured) && r->kind <= TAPIF_END && r->captured <= r->hdr.len;
}

int tapread_next(struct tapread *t, const struct tapif_record **record, const uint8_t **data)
{
    const struct tapif_record *r = (const struct tapif_record *)(const void *)(t->bytes + t->begin);

    if (t->end - t->begin < sizeof *r)
        return 0;
    if (!is_good(r))
        return -EPROTO;
    if (t->end - t->begin < r->size)
        return 0;
    t->begin += r->size;
    *record = r;
    *data = (const uint8_t *)(r + 1);
    return 1;
}
