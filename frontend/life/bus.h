/* SPDX-License-Identifier: MIT */
/* bus.h: the device's life in xenstore: looks when a watch has fired, and performs what life.h asks for.  What it brings up and
 * takes down is the trunk.  One thread, the device's. */
#ifndef XVS_BUS_H
#define XVS_BUS_H

#include "life.h"
#include "nodes.h"
#include "owner.h"
#include "report.h"
#include "share.h"
#include "trunk.h"
#include "wake.h"

struct bus {
    const struct xvs_options *opt;
    struct trunk *trunk;
    struct report *report;
    struct wake *wake;
    struct owner_lock *lock;

    struct source source;       /* XVS_EVENT_UP and _DOWN */
    struct store *store;
    int store_fd, evtchn_fd;    /* as last watched, or -1 */
    uint64_t store_check;       /* ms: when to ask whether xenstored still answers */
    uint64_t byte_check;        /* ms: when to look at back_live again, LIFE_NEVER if there is no cause */
    struct life_front life;
    struct paths paths;
    bool looked;                /* life has been told how things are */
    bool stale;                 /* the last look failed: look again at store_check */
    bool sought;                /* where the device is has been looked up since our own node changed */
    bool found;                 /* paths are those of a device that exists */
    bool back_watched;
    uint32_t back_domid;
    bool said_small;            /* that its pools are smaller than it asked for */
    struct share share;
    uint64_t ups;
};

/* Knows the others, and holds nothing: bus_close() is legal. */
void bus_init(struct bus *b, const struct xvs_options *opt, struct trunk *trunk, struct report *report, struct wake *wake,
              struct owner_lock *lock);
/* 0 or -errno; what says what was tried. */
int  bus_open(struct bus *b, enum attempt *what);
/* Takes back what is shared: streams have ended. */
void bus_close(struct bus *b);
/* In a forked child, whose xvs_close() is to touch nothing of the parent's.  Calls only what a signal handler may. */
void bus_orphan(struct bus *b);
/* Before share_close(): sets share.restored. */
void bus_judge_share(struct bus *b);
/* Looks at xenstore if it has something to say (fired), and does what the life cycle asks for. */
void bus_run(struct bus *b, bool fired, uint64_t now);
/* A notification came, and no packet: the backend may be about to clear its byte (life.h). */
void bus_idle_notification(struct bus *b);
/* The backend broke a rule of the rings: the device is closed, and opened again later.  why: a sentence. */
void bus_fault(struct bus *b, const char *why);
uint64_t bus_deadline(const struct bus *b);

#endif
