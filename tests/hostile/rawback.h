/* SPDX-License-Identifier: MIT */
/* rawback.h: a backend by hand, for tests of the library: it does what it is told, right or wrong.
 *
 * It uses the product's link and store, but no connection table and no life cycle: the test writes every header and every
 * state.  All calls are made as dom0, in the thread of the test. */
#ifndef XVS_TEST_RAWBACK_H
#define XVS_TEST_RAWBACK_H

#include <xenevtchn.h>
#include <xengnttab.h>

#include "attach.h"
#include "link_back.h"
#include "nodes.h"

struct rawback {
    struct store *store;
    struct device_id id;
    struct paths paths;
    uint64_t cid;
    xengnttab_handle *gnttab;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    struct vsockif_control *control;
    struct link_back link;
    struct front_nodes nodes;
    uint32_t ring_pages, tx_pages, rx_pages;
    uint32_t features;          /* that it offers, with version 2; 0: it has version 1 alone */
};

/* Attaches device 'number' of the guest with the CID; both ends in state 1. */
int  rawback_open(struct rawback *b, uint32_t front, uint32_t number, uint64_t cid);
/* Writes versions, limits and state 2. */
int  rawback_offer(struct rawback *b);
/* The frontend's state node, 0 for none. */
uint8_t rawback_front_state(struct rawback *b);
int  rawback_set_state(struct rawback *b, unsigned state);
/* Once the frontend is in 3: maps, binds, sets back_live, writes 4. */
int  rawback_map(struct rawback *b);
void rawback_unmap(struct rawback *b);
/* Publishes and notifies, needed or not. */
void rawback_kick(struct rawback *b);
/* A header from the host's port to the guest's. */
struct vsockif_hdr rawback_header(const struct rawback *b, unsigned op, uint32_t host_port, uint32_t guest_port);
/* Sends it with hdr->len bytes of the letter 'x' and kicks: 0, or -ENOBUFS without posted buffers. */
int  rawback_send(struct rawback *b, const struct vsockif_hdr *hdr);
/* The next packet of the guest, completed at once; its data is dropped: 1, 0 or -EPROTO. */
int  rawback_recv(struct rawback *b, struct vsockif_hdr *hdr);
/* Removes the device. */
void rawback_close(struct rawback *b);

#endif
