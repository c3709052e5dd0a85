/* SPDX-License-Identifier: MIT */
/* tapif.h: what follows the daemon's answer to {"verb":"capture"} on its control socket: records, one a packet, until the end.
 *
 *     struct tapif_record     size says how long it is with what follows it
 *     captured bytes of data  the first ones of the packet's hdr.len
 *     0 to 7 zero bytes       so that the next one is aligned
 *
 * Little-endian, as vsockif.h.  A packet for which there was no room is not there, and 'dropped' of the next record has counted it. */
#ifndef XVS_TAPIF_H
#define XVS_TAPIF_H

#include "vsockif.h"

enum tapif_kind {
    TAPIF_FROM_GUEST,
    TAPIF_TO_GUEST,
    TAPIF_END                   /* nothing follows; hdr is zero */
};

struct tapif_record {
    uint32_t size;              /* bytes of all of it */
    uint32_t captured;          /* bytes of data */
    uint64_t time;              /* ns since 1970 */
    uint64_t seen;              /* packets that the filter let through, this one and those that were dropped among them */
    uint64_t dropped;           /* of those, up to here */
    uint8_t  kind;              /* enum tapif_kind */
    uint8_t  reason, detail;    /* of an RST, as in struct vsockif_slot */
    uint8_t  reserved;
    struct vsockif_hdr hdr;
} __attribute__((packed, aligned(8)));

VSOCKIF_ASSERT(sizeof(struct tapif_record) == 80);

#define TAPIF_SNAP_MOST (1u << 20)      /* of data: more than any packet has */
#define TAPIF_PORTS     16u             /* in a filter */

/* A record's size, with so many bytes of data. */
static inline uint32_t tapif_size(uint32_t captured)
{
    return (uint32_t)sizeof(struct tapif_record) + ((captured + 7) & ~UINT32_C(7));
}

#endif
