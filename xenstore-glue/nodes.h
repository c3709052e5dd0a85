/* SPDX-License-Identifier: MIT */
/* nodes.h: what the two ends write and read about a device, one transaction for each act of life.h.
 *
 *     act          frontend              backend
 *     (look)       nodes_look(front, back)   nodes_look(back, front)
 *     OFFER                              nodes_offer()
 *     SHARE        nodes_read_back(), then nodes_share()
 *     MAP                                nodes_read_front()
 *     REFUSE                             nodes_refuse()
 *     CONNECT, CLOSING, CLOSED, RESTART: nodes_set_state()
 *
 * Everything that writes first makes sure that the directory is still there, within the transaction, so that a device
 * which was removed is not half created again: -ENOENT then.  Readers check every number (vsockif.h, section 2)
 * and return -EPROTO for a node that is missing or wrong, with a sentence in why (PARSE_WHY bytes, or NULL).
 * -ECONNRESET as in store.h.  One thread, that of the store. */
#ifndef XVS_NODES_H
#define XVS_NODES_H

#include <stdint.h>

#include "paths.h"
#include "store.h"

#define NODES_MAX_QUEUES 64u

/* The frontend's, and what it answers.  With more than one queue, control_ref and event_channel are of queue 0. */
struct front_nodes {
    uint32_t version;
    uint32_t features;          /* enum vsockif_feature; 0 before VSOCKIF_VERSION_FEATURES */
    uint32_t control_ref;       /* grant reference of the control page */
    uint32_t event_channel;     /* port, unbound, for the backend */
    uint32_t queues;            /* 1 unless it says otherwise */
    uint64_t cid;               /* of the offer that it has read; 0: whatever it is */
};

/* The backend's. */
struct back_nodes {
    uint64_t cid;               /* the guest's; 0 leaves it as the toolstack gave it */
    uint32_t versions;          /* bit v for version v (parse_versions()) */
    uint32_t features;          /* enum vsockif_feature; 0 if it has not VSOCKIF_VERSION_FEATURES */
    uint32_t max_ring_page_order;
    uint32_t max_pool_pages;    /* of each pool */
    uint32_t max_queues;        /* 1 unless it says otherwise */
};

/* The state nodes of both directories: 0 for one that does not exist or holds no state (why says so in the
 * latter case, else it is empty). */
int nodes_look(struct store *s, const char *own, const char *peer, uint8_t *own_state, uint8_t *peer_state, char *why);

/* Writes dir/state. */
int nodes_set_state(struct store *s, const char *dir, unsigned state);

/* The backend's versions and limits, the guest's cid, and state 2; -EAGAIN if the frontend is not in 1. */
int nodes_offer(struct store *s, const struct paths *p, const struct back_nodes *n);
/* What the backend offers; -EAGAIN if its state is not 2. */
int nodes_read_back(struct store *s, const struct paths *p, struct back_nodes *out, char *why);

/* The frontend's nodes, and state 3; -EAGAIN if it is not in 1 or the backend not in 2, or if that offers another cid by now. */
int nodes_share(struct store *s, const struct paths *p, const struct front_nodes *n);
/* What the frontend shares; -EAGAIN if its state is not 3. */
int nodes_read_front(struct store *s, const struct paths *p, struct front_nodes *out, char *why);

/* The guest's cid as the backend's directory has it, whatever its state: 0, or -errno with *cid 0. */
int nodes_cid(struct store *s, const struct paths *p, uint64_t *cid);

/* The backend's "error" (one line; control characters become spaces) and state 5. */
int nodes_refuse(struct store *s, const struct paths *p, const char *reason);
/* Forgets an earlier reason, when a connection has come about. */
int nodes_clear_error(struct store *s, const struct paths *p);

/* A guest finds its device: reads backend and backend-id in its own directory number, checks them, fills *p and
 * *id (or NULL).  -ENOENT if there is no such device; -EAGAIN if it comes and goes all the time. */
int nodes_find(struct store *s, uint32_t number, struct paths *p, struct device_id *id, char *why);

#endif
