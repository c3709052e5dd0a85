/* SPDX-License-Identifier: MIT */
/* inbox.h: data that a guest has sent and that its reader has not taken yet.
 *
 * The data stays where it is, in the guest's tx pool, under the id of its packet: holding it costs no memory and no
 * copy.  But it costs the guest that id and that piece of its pool, so one reader that stands still could in the
 * end stop all the guest's other streams.  So when much is held, the oldest that stands still is moved into memory
 * of the daemon ("spilled"), within the guest's limit (held.h).  Beyond the limit data stays in the pool, and only that
 * guest waits.
 *
 *     inbox_add()                      a packet goes to the end
 *     inbox_peek(), inbox_take()       the oldest bytes, as an iovec; so many of them are delivered
 *     inbox_add_part(), inbox_peek_part(), inbox_message()     the same of messages, which keep their ends
 *     inbox_drop()                     nobody will read the rest
 *     inbox_is_tight(), inbox_spill()  too much is held; move what one inbox holds into memory
 *     inbox_part()                     the guest is going away, and what it has sent is to stay
 *
 * An id goes back to the guest (link_back_done()) the moment that its last byte is delivered, spilled or dropped.  A struct inbox
 * is a value, all zero when empty; the table is one a device.  No I/O; one thread. */
#ifndef XVSD_INBOX_H
#define XVSD_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "chunks.h"
#include "link_back.h"

struct inbox {
    struct chunks spilled;                      /* older than what is held */
    uint16_t first, last;                       /* 1 + the id of a held packet, 0 for none */
    uint32_t first_at;                          /* bytes of the first packet that are delivered */
    uint32_t bytes;                             /* in all: what is not delivered yet */
    uint32_t held_bytes;                        /* of those, in the guest's pool */
    uint32_t whole;                             /* messages whose end is here */
    uint32_t front;                             /* bytes of the first of them, once somebody has asked; else 0 */
    bool of_messages;
};

struct inbox_packet {
    const uint8_t *data;        /* in the guest's pool: move, never interpret */
    uint32_t len;
    uint16_t next;              /* 1 + id, 0 at the end */
    uint16_t ends;              /* VSOCKIF_SEQ_*: of a part of a message */
};

struct inbox_table {
    struct link_back *link;
    struct inbox_packet packet[LINK_MAX_SLOTS];
    uint32_t held_packets;
    uint64_t held_bytes;        /* whole packets: what the guest cannot reuse */
    struct held *held;          /* the guest's limit, to which what is spilled is counted */
};

void inbox_table_init(struct inbox_table *t, struct link_back *link, struct held *held);

static inline bool inbox_is_empty(const struct inbox *b)
{
    return b->bytes == 0;
}

/* len is at least 1; the id is in flight. */
void inbox_add(struct inbox_table *t, struct inbox *b, uint32_t id, const uint8_t *data, uint32_t len);

/* A part of a message, and its flags (VSOCKIF_SEQ_*).  An inbox has messages or bytes, and never both. */
void inbox_add_part(struct inbox_table *t, struct inbox *b, uint32_t id, const uint8_t *data, uint32_t len, uint32_t ends);
/* Bytes of the first message, all of which is here; 0 if there is none such. */
uint32_t inbox_message(const struct inbox_table *t, struct inbox *b);
/* Up to want bytes of the first message behind its first skip: *ends are its flags, or 0 if its end is not among them. */
uint32_t inbox_peek_part(const struct inbox_table *t, const struct inbox *b, uint32_t skip, uint32_t want, struct iovec *iov, int max,
                         int *used, uint32_t *ends);
/* Copies the first len bytes, which are there. */
void inbox_copy(const struct inbox_table *t, const struct inbox *b, void *to, uint32_t len);
/* The end of the first message is about to be taken. */
static inline void inbox_end_message(struct inbox *b)
{
    b->whole--;
    b->front = 0;
}

/* Up to want bytes behind the first skip, in at most max pieces: returns the bytes, and *used. */
uint32_t inbox_peek_at(const struct inbox_table *t, const struct inbox *b, uint32_t skip, uint32_t want, struct iovec *iov, int max,
                       int *used);
/* …from the front. */
static inline uint32_t inbox_peek(const struct inbox_table *t, const struct inbox *b, uint32_t want, struct iovec *iov, int max,
                                  int *used)
{
    return inbox_peek_at(t, b, 0, want, iov, max, used);
}
/* The next up to want bytes behind skip, whichever the inbox has: as inbox_peek_part(), or as inbox_peek_at() with *flags 0. */
static inline uint32_t inbox_next(const struct inbox_table *t, const struct inbox *b, uint32_t skip, uint32_t want, struct iovec *iov,
                                  int max, int *used, uint32_t *flags)
{
    *flags = 0;
    return b->of_messages ? inbox_peek_part(t, b, skip, want, iov, max, used, flags) : inbox_peek_at(t, b, skip, want, iov, max, used);
}
/* The first len bytes are delivered; len is at most b->bytes. */
void inbox_take(struct inbox_table *t, struct inbox *b, uint32_t len);
/* Gives everything back and returns how many bytes were not delivered. */
uint32_t inbox_drop(struct inbox_table *t, struct inbox *b);

/* More than half of the ring is held, or more than so many bytes of the pool. */
bool inbox_is_tight(const struct inbox_table *t, uint32_t most);
/* Moves what b holds into memory, oldest first: 0, -ENOSPC at the guest's limit (perhaps after a part of it),
 * -ENOMEM. */
int inbox_spill(struct inbox_table *t, struct inbox *b);
/* The same, and what was in b is in 'out' then, which is the caller's.  Returns the bytes for which there was no memory. */
uint32_t inbox_part(struct inbox_table *t, struct inbox *b, struct chunks *out);

#endif
