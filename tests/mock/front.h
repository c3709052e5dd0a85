/* SPDX-License-Identifier: MIT */
/* front.h: a guest by hand on the mocked host: right as long as it is asked for what is right, and wrong where it is asked to be.
 *
 *     front_step()         the next step of the handshake (vsockif.h, section 3), if there is one to be done
 *     front_kick()         publishes nothing new, notifies
 *     front_take()         takes packets, posts their buffers again, and judges the backend by sections 5 to 8 (conn.h)
 *     front_open(), front_answer(), front_send(), front_shutdown(), front_reset(), front_consume()
 *                          what a stream does, as far as the other end's credit and this one's state allow
 *     front_raw()          any slot at all; from then on the backend is not judged for what it may have been told */
#ifndef MOCK_FRONT_H
#define MOCK_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

#define FRONT_CONNS   8
#define FRONT_SLOTS   64
#define FRONT_PAGES   64u       /* most pages of a pool */
#define FRONT_FIRST_REF 16u     /* …of page 0; the others follow */

struct front {
    uint32_t domid, number;
    char dir[64], back[64];     /* in xenstore */
    uint64_t cid;
    uint32_t order, pool_pages, buffer;         /* of the next connection: ring order, pages of each pool, bytes of a buffer */
    bool shares;                /* pages are granted, and the port is there */
    bool has_messages;          /* it answers by version 2, with the feature */
    bool opens_messages;        /* what front_open() opens next is a SEQPACKET */
    bool up;                    /* both ends are in 4, and buffers were posted */
    bool spoilt;                /* this connection has seen raw slots, indices or a spoilt control page */
    uint32_t connection, base;  /* how many there were; the first page of this one, its control page */
    uint32_t ring_slots, first_tx_pool, first_rx_pool;      /* slots; pages */
    uint32_t port;
    uint32_t tx_prod, tx_cons, rx_prod, rx_cons;
    bool in_flight[FRONT_SLOTS];                /* tx ids */
    struct { uint32_t off, size; } tx_data[FRONT_SLOTS];
    uint32_t next_off;                          /* in the tx pool */
    uint32_t posted[FRONT_SLOTS];               /* rx ids in the order of posting */
    uint32_t first_posted, posted_count;
    uint32_t free_rx[FRONT_SLOTS], free_rx_count;
    struct conn conn[FRONT_CONNS];
    uint32_t next_port;
    uint64_t packets;           /* taken in all */
};

void front_init(struct front *f, uint32_t domid, uint32_t number);

/* True if there was a step. */
bool front_step(struct front *f);
/* Steps until it is connected or comes no further; process_rest() in between, and time. */
bool front_connect(struct front *f);
/* Pages, port and nodes, and state 3, without asking how the backend is. */
void front_share(struct front *f);
/* As a process that dies: the pages are revoked, front_live falls, the port is closed. */
void front_die(struct front *f);
void front_state(struct front *f, const char *text);
void front_node(struct front *f, const char *leaf, const void *bytes, uint32_t len);

void front_kick(struct front *f);
/* At most max packets; how many there were. */
uint32_t front_take(struct front *f, uint32_t max);
void front_post(struct front *f, uint32_t max);

/* A connection from here: to the host, or to another guest.  NULL: all are in use, or there is no room. */
struct conn *front_open(struct front *f, uint64_t cid, uint32_t peer_port, uint32_t alloc);
/* The REQUEST that came: taken (with so much credit), or refused with 0. */
bool front_answer(struct front *f, struct conn *c, uint32_t alloc);
/* Up to len bytes of its pattern; how many went. */
uint32_t front_send(struct front *f, struct conn *c, uint32_t len);
/* The same of messages, as a part with these VSOCKIF_SEQ_*. */
uint32_t front_send_part(struct front *f, struct conn *c, uint32_t len, uint32_t ends);
bool front_shutdown(struct front *f, struct conn *c, uint8_t flags);
bool front_reset(struct front *f, struct conn *c);
/* So many more bytes are consumed, and so large is the buffer from now on; both are told. */
bool front_consume(struct front *f, struct conn *c, uint32_t len, uint32_t alloc);
bool front_ask(struct front *f, struct conn *c);      /* CREDIT_REQUEST */

struct vsockif_hdr front_header(const struct front *f, const struct conn *c, unsigned op);
void front_raw(struct front *f, bool tx, const struct vsockif_slot *slot);
/* A u32 of a ring's header (0 to 3), or anything else of its pages. */
uint32_t *front_word(struct front *f, bool tx, uint32_t index);
struct vsockif_control *front_control(const struct front *f);

#endif
