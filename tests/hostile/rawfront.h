/* SPDX-License-Identifier: MIT */
/* rawfront.h: a guest by hand, for tests of the daemon: it does what it is told, right or wrong.
 *
 * It knows pages, slots and nodes, but no link, no table and no life cycle: the test writes each slot and each state, and
 * may write over anything between two calls.  The process becomes the guest's domain for what it opens
 * (hosted.h) and is dom0 again when a call returns.  One thread. */
#ifndef XVS_TEST_RAWFRONT_H
#define XVS_TEST_RAWFRONT_H

#include <xenevtchn.h>
#include <xengnttab.h>

#include "nodes.h"
#include "ring.h"

#define RAWFRONT_ORDER  1u          /* 64 slots in each ring */
#define RAWFRONT_POOL   64u         /* pages in each pool */
#define RAWFRONT_BUFFER 4096u       /* bytes of a posted buffer */

struct rawfront {
    struct store *store;            /* as the guest */
    struct device_id id;
    struct paths paths;             /* as the guest sees them */
    uint64_t cid;
    uint32_t order, pool;           /* the defaults above; may be made greater before the pages are shared */
    uint32_t features;              /* that it answers with, by version 2; 0: it has version 1 alone */
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    int port;
    struct vsockif_control *control;
    uint32_t control_ref;
    uint8_t *pages;                 /* tx ring, rx ring, tx pool, rx pool */
    uint8_t *tx_pool, *rx_pool;
    struct ring tx, rx;
    uint32_t next_id;
    uint8_t says[2], heard[2];      /* reason and detail, of each packet that is sent; of the last that came */
};

/* The device that the daemon has made for this guest.  0 or a negative errno. */
int  rawfront_open(struct rawfront *f, uint32_t domid);
/* Allocates and fills pages, control page and port, as a correct guest does; nothing is in xenstore yet.  The test may
 * spoil them now. */
int  rawfront_share(struct rawfront *f);
/* Waits for the backend's 2, writes the nodes and 3.  -ETIMEDOUT. */
int  rawfront_offer_pages(struct rawfront *f);
/* Waits for the backend's state: 0 or -ETIMEDOUT. */
int  rawfront_wait(struct rawfront *f, unsigned state);
/* Writes 1, waits for 2, shares, writes 3, waits for 4, writes 4, posts all buffers. */
int  rawfront_connect(struct rawfront *f);
/* Lets the pages and the port go. */
void rawfront_unshare(struct rawfront *f);
int  rawfront_set_state(struct rawfront *f, const char *text);
/* A node of the guest's directory. */
int  rawfront_write(struct rawfront *f, const char *leaf, const char *text);
void rawfront_close(struct rawfront *f);

/* A header to the host's port, with the credit of an end that has 256 KiB. */
struct vsockif_hdr rawfront_header(const struct rawfront *f, unsigned op, uint32_t port, uint32_t host_port);
/* Puts a slot as it is into the tx ring. */
void rawfront_put(struct rawfront *f, const struct vsockif_slot *slot);
/* A correct packet: a free id, data at the place in the pool that belongs to the id. */
void rawfront_send(struct rawfront *f, const struct vsockif_hdr *hdr);
void rawfront_post(struct rawfront *f, uint32_t id);
/* Publishes both rings and notifies, needed or not. */
void rawfront_kick(struct rawfront *f);
/* The next packet from the daemon, within ms: 1, or 0.  Its buffers are posted again. */
int  rawfront_recv(struct rawfront *f, struct vsockif_hdr *hdr, int ms);
/* The same, with its data, of which there must be room for hdr->len bytes. */
int  rawfront_recv_data(struct rawfront *f, struct vsockif_hdr *hdr, void *data, int ms);
/* Waits until so many tx requests have been answered, within ms; how many were. */
uint32_t rawfront_reap(struct rawfront *f, uint32_t count, int ms);

#endif
