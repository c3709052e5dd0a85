/* SPDX-License-Identifier: MIT */
/* unread.c: see unread.h. */
#include "unread.h"

#include <stdlib.h>
#include <string.h>

#define HEAP_SEGMENT 4096u      /* bytes at least, so that a million 1-byte packets do not cost a million headers */

static void append(struct xvs_stream *s, struct segment *seg)
{
    seg->next = NULL;
    if (s->last)
        s->last->next = seg;
    else
        s->first = seg;
    s->last = seg;
}

static struct segment *heap_segment(struct trunk *t, uint32_t len)
{
    uint32_t size = len > HEAP_SEGMENT ? len : HEAP_SEGMENT;
    struct segment *seg = malloc(sizeof *seg + size);

    if (seg) {
        seg->data = (uint8_t *)(seg + 1);
        seg->len = 0;
        seg->room = size;
        seg->id = SEGMENT_HEAP;
        t->heap_bytes += sizeof *seg + size;
    }
    return seg;
}

static void heap_append(struct segment *seg, const uint8_t *data, uint32_t len)
{
    uint8_t *end = (uint8_t *)(uintptr_t)seg->data + seg->len;

    memcpy(end, data, len);
    seg->len += len;
    seg->room -= len;
}

bool unread_copy(struct trunk *t, struct xvs_stream *s, const uint8_t *data, uint32_t len)
{
    struct segment *seg = s->last;

    if (!seg || seg->room < len) {
        if (!(seg = heap_segment(t, len)))
            return false;
        append(s, seg);
    }
    heap_append(seg, data, len);
    s->unread += len;
    return true;
}

bool unread_packet(struct trunk *t, struct xvs_stream *s, const struct link_packet *packet)
{
    bool lost = false;          /* a byte: nothing behind it may be read */

    for (uint32_t i = 0; i < packet->count; i++) {
        const struct link_piece *piece = &packet->piece[i];
        bool fits_behind = s->last && s->last->room >= piece->len;

        if (lost || fits_behind || link_front_held(&t->link) > t->link.buffers / 2) {
            lost = lost || !unread_copy(t, s, piece->data, piece->len);
            link_front_return(&t->link, piece->id);
        } else {
            struct segment *seg = &t->segments[piece->id];

            *seg = (struct segment){ .data = piece->data, .len = piece->len, .id = piece->id };
            append(s, seg);
            s->unread += piece->len;
        }
    }
    return !lost;
}

void unread_free(struct trunk *t, struct segment *seg)
{
    const uint8_t *end = seg->data + seg->len + seg->room;

    t->heap_bytes -= (uint64_t)(end - (const uint8_t *)seg);
    free(seg);
}

void unread_drop(struct trunk *t, struct xvs_stream *s)
{
    while (s->first)
        unread_release_first(t, s);
    s->unread = 0;
}

bool unread_evacuate(struct trunk *t, struct xvs_stream *s)
{
    struct segment *seg = s->first;
    bool lost = false;

    s->first = s->last = NULL;
    s->unread = 0;
    while (seg) {
        struct segment *next = seg->next;

        if (seg->id != SEGMENT_HEAP) {
            lost = lost || !unread_copy(t, s, seg->data, seg->len);
        } else if (lost) {
            unread_free(t, seg);
        } else {
            append(s, seg);
            s->unread += seg->len;
        }
        seg = next;
    }
    return !lost;
}
