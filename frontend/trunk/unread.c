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

/* Of messages it begins with two maps of 'ends' words each, a bit for each byte behind them: a message ends here, and it has EOR. */
static struct segment *heap_segment(struct trunk *t, uint32_t len, bool of_messages)
{
    uint32_t size = len > HEAP_SEGMENT ? len : HEAP_SEGMENT, words = of_messages ? (size + 63) / 64 : 0;
    size_t maps = 2 * words * sizeof(uint64_t);
    struct segment *seg = malloc(sizeof *seg + maps + size);

    if (seg) {
        memset(seg + 1, 0, maps);
        seg->data = (uint8_t *)(seg + 1) + maps;
        seg->len = 0;
        seg->room = size;
        seg->id = SEGMENT_HEAP;
        seg->ends = words;
        t->heap_bytes += sizeof *seg + maps + size;
    }
    return seg;
}

static uint64_t *maps_of(const struct segment *seg)
{
    return (uint64_t *)(uintptr_t)(seg + 1);
}

/* Where data is, among the bytes that the maps are of. */
static uint32_t place_of(const struct segment *seg, const uint8_t *data)
{
    return (uint32_t)(data - (const uint8_t *)(maps_of(seg) + 2 * seg->ends));
}

static void mark(struct segment *seg, uint32_t flags)
{
    uint32_t at = place_of(seg, seg->data) + seg->len - 1;
    uint64_t *maps = maps_of(seg);

    maps[at / 64] |= (uint64_t)(flags & VSOCKIF_SEQ_EOM) << at % 64;
    maps[seg->ends + at / 64] |= (uint64_t)!!(flags & VSOCKIF_SEQ_EOR) << at % 64;
}

static void heap_append(struct segment *seg, const uint8_t *data, uint32_t len)
{
    uint8_t *end = (uint8_t *)(uintptr_t)seg->data + seg->len;

    memcpy(end, data, len);
    seg->len += len;
    seg->room -= len;
}

static bool copy(struct trunk *t, struct xvs_stream *s, const uint8_t *data, uint32_t len, uint32_t flags)
{
    struct segment *seg = s->last;

    if (!seg || seg->room < len) {
        if (!(seg = heap_segment(t, len, has_messages(s))))
            return false;
        append(s, seg);
    }
    heap_append(seg, data, len);
    if (flags)
        mark(seg, flags);
    s->unread += len;
    return true;
}

bool unread_copy(struct trunk *t, struct xvs_stream *s, const uint8_t *data, uint32_t len, uint32_t flags)
{
    if (!copy(t, s, data, len, flags))
        return false;
    s->messages += flags & VSOCKIF_SEQ_EOM;
    return true;
}

/* The last byte that came is the last of a message. */
static void end_message(struct xvs_stream *s, uint32_t flags)
{
    if (s->last->id == SEGMENT_HEAP)
        mark(s->last, flags);
    else
        s->last->ends = flags;
    s->messages++;
}

/* Bytes of seg, from its skip-th unread one on, up to the end of a message, or all; *flags are 0 then. */
static uint32_t up_to_end(const struct segment *seg, uint32_t skip, uint32_t *flags)
{
    const uint64_t *maps = maps_of(seg);
    uint32_t from, end;

    *flags = seg->ends;
    if (seg->id != SEGMENT_HEAP)
        return seg->len - skip;
    from = place_of(seg, seg->data) + skip;
    end = from + seg->len - skip;
    *flags = 0;
    for (uint32_t at = from; at < end; at = (at | 63) + 1) {
        uint64_t bits = maps[at / 64] >> at % 64;

        if (!bits)
            continue;
        at += (uint32_t)__builtin_ctzll(bits);
        *flags = VSOCKIF_SEQ_EOM | (maps[seg->ends + at / 64] >> at % 64 & 1 ? VSOCKIF_SEQ_EOR : 0);
        return at + 1 - from;
    }
    return end - from;
}

uint32_t unread_message(const struct xvs_stream *s, uint32_t *flags)
{
    uint32_t len = 0;

    *flags = 0;
    for (const struct segment *seg = s->first; seg && !*flags; seg = seg->next)
        len += up_to_end(seg, 0, flags);
    return len;
}

static uint32_t count_messages(const struct xvs_stream *s)
{
    uint32_t messages = 0, flags;

    for (const struct segment *seg = s->first; seg; seg = seg->next)
        for (uint32_t at = 0; at < seg->len; messages += !!flags)
            at += up_to_end(seg, at, &flags);
    return messages;
}

bool unread_packet(struct trunk *t, struct xvs_stream *s, const struct link_packet *packet)
{
    uint32_t flags = packet->hdr.flags;
    bool lost = false;          /* a byte: nothing behind it may be read */

    for (uint32_t i = 0; i < packet->count; i++) {
        const struct link_piece *piece = &packet->piece[i];
        bool fits_behind = s->last && s->last->room >= piece->len;

        if (lost || fits_behind || link_front_held(&t->link) > t->link.buffers / 2) {
            lost = lost || !copy(t, s, piece->data, piece->len, 0);
            link_front_return(&t->link, piece->id);
        } else {
            struct segment *seg = &t->segments[piece->id];

            *seg = (struct segment){ .data = piece->data, .len = piece->len, .id = piece->id };
            append(s, seg);
            s->unread += piece->len;
        }
    }
    if (flags && !lost)
        end_message(s, flags);
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
    s->unread = s->messages = 0;
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
            lost = lost || !copy(t, s, seg->data, seg->len, seg->ends);
        } else if (lost) {
            unread_free(t, seg);
        } else {
            append(s, seg);
            s->unread += seg->len;
        }
        seg = next;
    }
    if (lost && has_messages(s))
        s->messages = count_messages(s);
    return !lost;
}
