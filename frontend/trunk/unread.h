/* SPDX-License-Identifier: MIT */
/* unread.h: bytes that have arrived and are not read yet, a queue of segments for each stream.
 *
 * A segment is a posted buffer, read in place, for as long as less than half of the device's buffers are
 * held that way; beyond, and for small packets behind a heap segment with room, bytes are copied to the heap and the buffer is posted
 * again at once.  So a stream whose reader sleeps never makes another stream wait, and the heap holds at
 * most what credit promised (vsockif.h, section 8: "a promise").
 *
 * Of messages it is kept where they end: with a posted buffer, and in a heap segment by two bits for each byte, so that messages of
 * one byte cost little more than their bytes.
 *
 * False is: no memory, and a byte is lost.  What is in the queue is in order, and the caller ends the stream there. */
#ifndef XVS_UNREAD_H
#define XVS_UNREAD_H

#include "trunk.h"

/* Takes the data of a packet (counted as received already). */
bool unread_packet(struct trunk *t, struct xvs_stream *s, const struct link_packet *packet);
/* flags: VSOCKIF_SEQ_*, of the last byte. */
bool unread_copy(struct trunk *t, struct xvs_stream *s, const uint8_t *data, uint32_t len, uint32_t flags);
/* The bytes of the first message, which is whole, and its flags. */
uint32_t unread_message(const struct xvs_stream *s, uint32_t *flags);
/* Copies what lies in posted buffers to the heap. */
bool unread_evacuate(struct trunk *t, struct xvs_stream *s);
void unread_drop(struct trunk *t, struct xvs_stream *s);

void unread_free(struct trunk *t, struct segment *heap);
/* Takes the first segment out of the queue and gives its memory back. */
static inline void unread_release_first(struct trunk *t, struct xvs_stream *s)
{
    struct segment *seg = s->first;

    if (!(s->first = seg->next))
        s->last = NULL;
    if (seg->id == SEGMENT_HEAP)
        unread_free(t, seg);
    else if (t->up)
        link_front_return(&t->link, seg->id);
}

#endif
