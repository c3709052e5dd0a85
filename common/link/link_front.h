/* SPDX-License-Identifier: MIT */
/* link_front.h: the frontend's end of a device's two rings and two pools, all in memory.
 *
 * Sending:    link_front_reserve() a piece of the tx pool, fill it, link_front_send() it with its header;
 *             link_front_control() for packets without data; link_front_owed() for all that a table owes.
 * Receiving:  link_front_recv() gives a packet whose data lies in up to LINK_PIECES posted buffers;
 *             link_front_return() gives each buffer back when its bytes are no longer needed.
 * Then:       link_front_publish() shows the backend everything since the last call; true: notify it.
 *             link_front_arm() before sleeping.
 *
 * Nothing is shown to the backend, and no notification can be due, between two calls of publish: that is
 * what makes batches.  -EPROTO means that the backend broke a rule; 'why' says which, with the values.  The struct
 * owns no memory but itself.  One link, one thread. */
#ifndef XVS_LINK_FRONT_H
#define XVS_LINK_FRONT_H

#include "pool.h"
#include "ring.h"
#include "vmux.h"

#define LINK_MAX_SLOTS     (32u << VSOCKIF_MAX_RING_PAGE_ORDER)
#define LINK_MIN_RX_BUFFER 4096u
#define LINK_PIECES        (VSOCKIF_MAX_PACKET / LINK_MIN_RX_BUFFER)

/* Where everything is; the sizes are the frontend's choice. */
struct link_memory {
    void *tx_ring, *rx_ring;            /* 2^order pages each */
    uint8_t *tx_pool, *rx_pool;
    uint32_t tx_order, rx_order;
    uint32_t tx_bytes, rx_bytes;        /* whole pages */
    uint32_t rx_buffer;                 /* bytes of a posted buffer: a power of two from LINK_MIN_RX_BUFFER to
                                           VSOCKIF_MAX_PACKET (the frontend's link only) */
};

struct link_piece {
    uint32_t id;
    uint32_t len;
    const uint8_t *data;
};

struct link_packet {
    struct vsockif_hdr hdr;             /* a private copy, not judged yet but for len and the pieces */
    uint32_t count;                     /* at least 1: a packet without data holds a buffer, too */
    struct link_piece piece[LINK_PIECES];
    struct reason reason;               /* of an RST: any two numbers */
};

struct link_counters {
    uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
};

struct link_front {
    struct ring tx, rx;
    struct pool pool;
    struct link_memory mem;
    uint32_t buffers;                           /* in the rx pool, each with its id */
    uint32_t posted_count;
    uint64_t posted[LINK_MAX_SLOTS / 64];       /* rx ids that the backend has */
    uint32_t free_ids;                          /* tx ids that the backend does not have: a stack */
    uint16_t free_id[LINK_MAX_SLOTS];
    struct { uint32_t off, bytes; bool flying; } flight[LINK_MAX_SLOTS];
    struct link_counters count;
    char why[128];
};

/* Initialises both rings in zeroed memory and posts every buffer of the rx pool (publish follows). */
void link_front_init(struct link_front *l, const struct link_memory *mem);

/* Takes a piece of up to want bytes of the tx pool: its size, or 0 when the pool or the ring is full. */
uint32_t link_front_reserve(struct link_front *l, uint32_t want, uint32_t *off);
static inline uint8_t *link_front_data(const struct link_front *l, uint32_t off)
{
    return l->mem.tx_pool + off;
}
/* Sends the first hdr->len bytes of a piece; 'bytes' is what link_front_reserve() returned, and what is not needed of it goes
 * back to the pool.  Room in the ring was made sure of by link_front_can_send(). */
void link_front_send(struct link_front *l, const struct vsockif_hdr *hdr, uint32_t off, uint32_t bytes);
/* Gives a piece back unsent. */
void link_front_cancel(struct link_front *l, uint32_t off, uint32_t bytes);

/* True if a packet with data has a slot (VSOCKIF_CONTROL_SLOTS stay free of them). */
static inline bool link_front_can_send(const struct link_front *l)
{
    return l->free_ids > VSOCKIF_CONTROL_SLOTS && ring_room(&l->tx) > VSOCKIF_CONTROL_SLOTS;
}
static inline bool link_front_can_control(const struct link_front *l)
{
    return l->free_ids > 0 && ring_room(&l->tx) > 0;
}
/* A packet without data, which if it is an RST may have a reason. */
void link_front_control(struct link_front *l, const struct vsockif_hdr *hdr, struct reason reason);
/* Sends what the table owes for as long as there are slots. */
void link_front_owed(struct link_front *l, struct vmux *m);

/* Takes back what the backend has finished with: how many packets, or -EPROTO. */
int link_front_reap(struct link_front *l);
/* 1 and a packet, 0 if there is none, or -EPROTO. */
int link_front_recv(struct link_front *l, struct link_packet *packet);
/* Posts the buffer again. */
void link_front_return(struct link_front *l, uint32_t id);
/* Buffers that are not posted: held by packets that somebody has not read yet. */
static inline uint32_t link_front_held(const struct link_front *l)
{
    return l->buffers - l->posted_count;
}

bool link_front_publish(struct link_front *l);
/* False: something has arrived meanwhile, do not sleep.  want_room: wake up for completions, too. */
bool link_front_arm(struct link_front *l, bool want_room);

#endif
