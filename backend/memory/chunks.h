/* SPDX-License-Identifier: MIT */
/* chunks.h: bytes in memory of the daemon's that wait for their reader, first come, first served.
 *
 * Every byte of memory that is taken for them is within a guest's limit (held.h), headers and what is not used of a chunk
 * included.  Small pieces share a chunk, so that a flood of single bytes costs little more than its bytes.  A struct
 * chunks is a value, all zero when it is empty.  No I/O; one thread. */
#ifndef XVSD_CHUNKS_H
#define XVSD_CHUNKS_H

#include <stddef.h>
#include <sys/uio.h>

#include "held.h"

#define CHUNKS_LEAST 4096u      /* bytes of data that a chunk has room for */

struct chunk;

struct chunks {
    struct chunk *first, *last;
    uint32_t at;                /* bytes of the first that are gone */
};

static inline bool chunks_are_empty(const struct chunks *c)
{
    return !c->first;
}

/* Takes a copy of up to len bytes, at least 1: how many, or -ENOSPC (the limit), -ENOMEM. */
int  chunks_add(struct chunks *c, struct held *h, const void *data, uint32_t len);
/* The same of a part of a message, whose flags (VSOCKIF_SEQ_*) stay with it: all of it, or nothing.  Its own chunk, and no larger. */
int  chunks_add_part(struct chunks *c, struct held *h, const void *data, uint32_t len, uint32_t ends);
/* Up to want bytes behind the first *skip, in at most max pieces: returns the bytes, and *used.  *skip is then what there was too
 * little for. */
uint32_t chunks_peek_at(const struct chunks *c, uint32_t *skip, uint32_t want, struct iovec *iov, int max, int *used);
/* …from the front. */
static inline uint32_t chunks_peek(const struct chunks *c, uint32_t want, struct iovec *iov, int max, int *used)
{
    uint32_t skip = 0;

    return chunks_peek_at(c, &skip, want, iov, max, used);
}
/* The same of parts, no further than to the end of the first message behind *skip: *ends are its flags, or 0 if that is not reached. */
uint32_t chunks_peek_part(const struct chunks *c, uint32_t *skip, uint32_t want, struct iovec *iov, int max, int *used,
                          uint32_t *ends);
/* Copies the first len bytes, or all that there are: how many. */
uint32_t chunks_copy(const struct chunks *c, void *to, uint32_t len);
/* Bytes of the first message, or of what there is of it, then *ends is 0. */
uint32_t chunks_message(const struct chunks *c, uint32_t *ends);
/* The first len bytes, or all that there are, are not needed any more: how many that were. */
uint32_t chunks_take(struct chunks *c, struct held *h, uint32_t len);
void chunks_drop(struct chunks *c, struct held *h);

#endif
