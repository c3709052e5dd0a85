/* SPDX-License-Identifier: MIT */
/* share.h: the pages and the port that the backend gets (vsockif.h, section 4).
 *
 * All are new for each connection: a backend that still maps old pages keeps those, and can do nothing
 * with the new ones (XSA-396).  gntalloc hands out zeroed pages (XSA-403).  share_open(), share_close() and share_orphan() between
 * forks_enter() and forks_leave(). */
#ifndef XVS_SHARE_H
#define XVS_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "link_front.h"
#include "nodes.h"
#include "words.h"
#include "xvs.h"

/* What the backend has of ours while connected.  Zero: nothing. */
struct share {
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    bool has_port;
    struct vsockif_control *control;
    uint32_t control_ref;
    struct link_memory mem;
    uint32_t ring_pages, tx_pages, rx_pages;
    bool is_small;              /* the pools are smaller than was wanted: gntalloc had no more pages */
    uint32_t own_domid;         /* when this was shared; 0 if it is not known */
    uint64_t suspended_ns;      /* …and for how long, at most, the guest had been suspended by then */
    bool restored;              /* since then the guest was saved and restored: see share_close() */
    bool orphan;                /* the pages are a forked child's own */
};

/* 0 or -errno; what says what was tried. */
int  share_probe(enum attempt *what);
int  share_open(struct share *s, const struct xvs_options *opt, const struct back_nodes *limits, uint32_t back_domid,
                enum attempt *what);
/* If the guest was restored, port and control page stay as they are until the process ends: Linux has forgotten the port, and
 * to unbind it is a BUG() that kills the caller (drivers/xen/evtchn.c, seen with 6.1). */
void share_close(struct share *s);
bool share_is_live(const struct share *s);
/* In a forked child, after which share_close() touches nothing of the parent's.  inert: a descriptor that nobody reads or writes. */
void share_orphan(struct share *s, int inert);

#endif
