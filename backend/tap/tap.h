/* SPDX-License-Identifier: MIT */
/* tap.h: a capture of packets: copies of them in a ring of bounded size, for a reader who may be slow.
 *
 *     tap_new(), tap_free()      its maker, who reads it
 *     tap_join()                 it hears what this list's owner shows, until tap_leave()
 *     tap_show()                 the owner, for each packet, if the list is not empty
 *     tap_peek(), tap_taken()    what is to be read: records as tapif.h has them
 *     tap_end()                  the last record, which tells how many there were
 *
 * A packet for which there is no room is dropped and counted: whoever shows it never waits.  No I/O, no clock; one thread. */
#ifndef XVSD_TAP_H
#define XVSD_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "list.h"
#include "tapif.h"

#define TAP_BYTES (4u << 20)    /* of a capture; the kernel gives the pages as they are used */

struct tap {
    struct list link;           /* of whom it hears */
    void *owner;                /* the maker's */
    void (*filled)(struct tap *t);      /* there is something to be read, and was not */
    void (*gone)(struct tap *t);        /* who it heard is gone, and the link is in no list */
    uint32_t snap;              /* bytes of data that are copied, at most */
    uint32_t ports[TAPIF_PORTS], port_count;    /* either of a packet's is among them; 0: any */
    uint64_t seen, dropped;     /* packets */
    uint32_t first, used;       /* of the ring: bytes */
    uint8_t ring[];
};

struct tap_packet {
    enum tapif_kind kind;
    const struct vsockif_hdr *hdr;
    uint8_t reason, detail;
    const struct iovec *data;   /* hdr->len bytes, which may be a guest's and change meanwhile */
    int pieces;
};

/* NULL without memory.  owner, filled, gone, snap and ports are the caller's to set. */
struct tap *tap_new(void);
/* It leaves.  Harmless on NULL. */
void tap_free(struct tap *t);

void tap_join(struct tap *t, struct list *taps);
void tap_leave(struct tap *t);
/* now: ns since 1970. */
void tap_show(struct list *taps, const struct tap_packet *packet, uint64_t now);
/* Who shows them is gone: each is told. */
void tap_let_go(struct list *taps);

/* The oldest bytes in one piece; 0 for none. */
size_t tap_peek(const struct tap *t, const void **bytes);
void tap_taken(struct tap *t, size_t len);
/* True if it is there; false as long as there is no room for it. */
bool tap_end(struct tap *t, uint64_t now);

#endif
