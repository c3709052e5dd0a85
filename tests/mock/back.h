/* SPDX-License-Identifier: MIT */
/* back.h: a backend by hand on the mocked host: front.h from the other side, before a frontend that is the library.
 *
 *     back_attach()        what the toolstack makes
 *     back_step()          the next step of the handshake (vsockif.h, section 3), if there is one to be done
 *     back_take()          takes packets, completes them, and judges the frontend by sections 5 to 8 (conn.h)
 *     back_open(), back_answer(), back_send(), …     what a stream does, as far as the frontend's credit and buffers allow
 *     back_raw()           any slot at all; from then on the frontend is not judged for what it may have been told
 *
 * The backend is domain 0, the frontend domain back.domid.   */
#ifndef MOCK_BACK_H
#define MOCK_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

#define BACK_CONNS 8
#define BACK_SLOTS 512

struct back_group {
    uint32_t page[64];          /* of the frontend's memory */
    uint32_t count;
};

struct back {
    uint32_t domid;
    bool has_messages;          /* it offers version 2, and the feature */
    bool opens_messages;        /* what back_open() opens is a SEQPACKET */
    char dir[64], front[64];    /* in xenstore */
    uint64_t cid;
    bool maps;                  /* pages are known, the port is bound */
    bool spoilt;                /* this connection has seen raw slots or indices */
    uint32_t port;
    uint32_t control;           /* page */
    struct back_group group[4]; /* tx ring, rx ring, tx pool, rx pool */
    uint32_t tx_cons, tx_rsp, rx_cons, rx_rsp;
    uint32_t held[BACK_SLOTS], held_count;      /* ids taken and not completed */
    bool is_held[BACK_SLOTS];
    struct { uint32_t id, off, size; } buffer[BACK_SLOTS];      /* posted, in their order */
    uint32_t first, count;
    struct conn conn[BACK_CONNS];         /* port is the frontend's, peer_port ours, cid ours */
    uint32_t next_port;
    bool holds;                 /* back_take() completes nothing */
};

void back_init(struct back *b, uint32_t domid, uint64_t cid);
void back_attach(struct back *b);
void back_detach(struct back *b);
bool back_step(struct back *b);
void back_state(struct back *b, const char *text);
void back_node(struct back *b, const char *leaf, const void *bytes, uint32_t len);
/* back_live falls and the port goes, as when the daemon dies or unmaps. */
void back_unmap(struct back *b);

void back_kick(struct back *b);
uint32_t back_take(struct back *b, uint32_t max);
/* The oldest of those that are held, or the newest. */
void back_complete(struct back *b, uint32_t max, bool newest);

struct conn *back_open(struct back *b, uint64_t cid, uint32_t guest_port, uint32_t alloc);
bool back_answer(struct back *b, struct conn *c, uint32_t alloc);
uint32_t back_send(struct back *b, struct conn *c, uint32_t len);
bool back_shutdown(struct back *b, struct conn *c, uint8_t flags);
bool back_reset(struct back *b, struct conn *c);
bool back_consume(struct back *b, struct conn *c, uint32_t len, uint32_t alloc);
bool back_ask(struct back *b, struct conn *c);

struct vsockif_hdr back_header(const struct back *b, const struct conn *c, unsigned op);
/* Into the rx ring (packets) or the tx ring (completions). */
void back_raw(struct back *b, bool tx, const struct vsockif_slot *slot);
/* Any packet, by the next buffers, as it is.  False: none are posted. */
bool back_packet(struct back *b, const struct vsockif_hdr *hdr);
uint32_t *back_word(struct back *b, bool tx, uint32_t index);
struct vsockif_control *back_control(struct back *b);

#endif
