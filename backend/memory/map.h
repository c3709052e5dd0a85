/* SPDX-License-Identifier: MIT */
/* map.h: a guest's pages and its event channel, from the grant of its control page to the mapped rings.
 *
 * map_open() takes the channel, which is bound already, maps the control page, copies it once, checks every number of the copy, and maps the four
 * groups of pages that it names (vsockif.h, section 4); then it sets back_live.  It does all of that or nothing.
 * map_close() undoes it in the order that lets the guest see back_live fall while the channel can still tell it.  One thread. */
#ifndef XVSD_MAP_H
#define XVSD_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "link_back.h"

#define MAP_WHY 256

struct xengntdev_handle;
struct xenevtchn_handle;

struct map_limits {
    uint32_t ring_page_order;   /* at most */
    uint32_t pool_pages;        /* of each pool, at most */
};

struct map_group {
    void *at;
    uint32_t pages;
};

struct guest_map {
    struct xengntdev_handle *gnt;
    struct xenevtchn_handle *evt;
    int port;                           /* ours; -1 */
    struct vsockif_control *control;    /* shared */
    struct map_group group[4];          /* tx ring, rx ring, tx pool, rx pool */
    struct link_memory mem;
};

/* 0, or a negative errno and a sentence in why (MAP_WHY bytes): -EPROTO when the guest broke a rule.  m need not be
 * initialised; after a failure it is closed. */
/* gnt: of the whole process, since it may have no right to open another one; it stays the caller's, and open.  channel: the event channel's descriptor, which it takes in any case; port: ours, bound to the guest's. */
int  map_open(struct guest_map *m, struct xengntdev_handle *gnt, uint32_t domid, uint32_t control_ref, int channel, uint32_t port,
              const struct map_limits *limits, char *why);
/* Harmless on a closed or zeroed one. */
void map_close(struct guest_map *m);

/* The frontend's process lives (or nothing is mapped). */
bool map_is_live(const struct guest_map *m);
/* To be polled for reading. */
int  map_fd(const struct guest_map *m);
/* Takes the event that made the descriptor readable: true if it was our port's, which is masked from then on.  False, and at
 * once, if there is none. */
bool map_take_event(struct guest_map *m);
void map_unmask(struct guest_map *m);
void map_notify(struct guest_map *m);

#endif
