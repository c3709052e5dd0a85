/* SPDX-License-Identifier: MIT */
/* pcapng.h: a capture as a file that tcpdump, tshark and wireshark read.
 *
 * pcapng (draft-ietf-opsawg-pcapng) with Linux's link type for AF_VSOCK (LINKTYPE_VSOCK, 271; linux/vsockmon.h): each packet is a struct
 * af_vsockmon_hdr, the 44 bytes of virtio's header, which are xvs's own, and the data.  Beyond that it has which way a packet went,
 * how many were dropped before it, and for a reset its reason as a comment.  No I/O but to 'to', whose errors are its own. */
#ifndef XVS_PCAPNG_H
#define XVS_PCAPNG_H

#include <stdio.h>

#include "tapif.h"

struct pcapng {
    FILE *to;
    uint64_t began;             /* ns since 1970: the first packet, 0 while there is none */
    uint64_t dropped;           /* up to the last packet */
    uint64_t written;           /* packets */
};

/* name: the interface's; filter: what is captured of it, in words, or ""; snap: bytes of data. */
void pcapng_begin(struct pcapng *p, FILE *to, const char *name, const char *filter, uint32_t snap);
void pcapng_packet(struct pcapng *p, const struct tapif_record *record, const uint8_t *data);
/* The sums, of the last record. */
void pcapng_end(struct pcapng *p, const struct tapif_record *record);

#endif
