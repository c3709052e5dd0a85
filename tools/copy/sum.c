/* SPDX-License-Identifier: MIT */
/* sum.c: see sum.h. */
#include "sum.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL          /* its header has all of it: nothing is linked */
#include <xxhash.h>

struct sum {
    XXH3_state_t *state;
    uint64_t next;              /* where the next byte lies if it follows the last one */
};

struct sum *sum_new(void)
{
    struct sum *s = calloc(1, sizeof *s);

    if (s && !(s->state = XXH3_createState())) {
        free(s);
        return NULL;
    }
    return s;
}

void sum_free(struct sum *s)
{
    if (s)
        XXH3_freeState(s->state);
    free(s);
}

void sum_begin(struct sum *s)
{
    XXH3_128bits_reset(s->state);
    s->next = 0;
}

static void add_number(struct sum *s, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    XXH3_128bits_update(s->state, bytes, sizeof bytes);
}

void sum_add(struct sum *s, uint64_t offset, const void *bytes, size_t len)
{
    if (!len)
        return;
    if (offset != s->next)
        add_number(s, offset);
    XXH3_128bits_update(s->state, bytes, len);
    s->next = offset + len;
}

void sum_end(struct sum *s, uint64_t size, uint8_t out[SUM_SIZE])
{
    XXH128_canonical_t canonical;

    add_number(s, size);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(s->state));
    memcpy(out, canonical.digest, SUM_SIZE);
}
