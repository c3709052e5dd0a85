/* SPDX-License-Identifier: MIT */
/* tapread.h: records of a capture (tapif.h) out of the bytes that the daemon sends, which come in any pieces.
 *
 *     tapread_room(), tapread_added()    read() straight into it
 *     tapread_next()                     until it says that there is no whole one
 *
 * No I/O. */
#ifndef XVS_TAPREAD_H
#define XVS_TAPREAD_H

#include <stddef.h>
#include <stdint.h>

#include "tapif.h"

#define TAPREAD_BYTES (2 * TAPIF_SNAP_MOST)     /* more than two records of any size */

struct tapread {
    uint8_t *bytes;             /* TAPREAD_BYTES, aligned as malloc() does; the owner's */
    size_t begin, end;          /* what is there, and not taken */
};

/* Where the next bytes may go, *room of them, which is never 0 after tapread_next() has said 0. */
void *tapread_room(struct tapread *t, size_t *room);
void tapread_added(struct tapread *t, size_t len);
/* 1 with a record and its data, good until the next call of any of these; 0 if none is whole; -EPROTO if this is none. */
int  tapread_next(struct tapread *t, const struct tapif_record **record, const uint8_t **data);

#endif
