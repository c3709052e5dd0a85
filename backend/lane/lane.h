/* SPDX-License-Identifier: MIT */
/* lane.h: one device at work: the rings, the table of connections and the streams between a guest and what is at their other
 * ends (end.h).
 *
 * A lane belongs to its device, which knows xenstore and how devices live; a lane knows neither.  The owner makes it (lane_init()),
 * lets it go up when the guest's pages may be mapped and down when they are to go (updown.h), and hears from it by two
 * calls (struct lane_owner).  What the guest holds beyond a connection, its account and what it is called, is the owner's.
 *
 *     lane.h       the data, and the lanes of a daemon by CID
 *     end.h        what can be at a stream's other end
 *     stream.h     one connection
 *     serve.h      a piece of work
 *     updown.h     the beginning and the end
 *     gate.h       what the policy says
 *     limits.h     how much in a second
 *     feed.h       what happens, for who listens
 *
 * One thread. */
#ifndef XVSD_LANE_H
#define XVSD_LANE_H

#include "account.h"
#include "hash.h"
#include "inbox.h"
#include "journal.h"
#include "latency.h"
#include "limits.h"
#include "link_back.h"
#include "loop.h"
#include "map.h"
#include "policy.h"
#include "promise.h"
#include "reason.h"
#include "refusals.h"
#include "settings.h"
#include "spinner.h"
#include "vmux.h"

struct end_kind;
struct farewells;
struct hostside;
struct kernel;
struct lane;

/* What the lanes of a daemon share. */
struct lanes {
    struct loop *loop;
    const struct settings *settings;            /* those of now; never NULL */
    const struct policy *policy;                /* …likewise */
    const struct end_kind *const *ends;         /* asked in this order, ended by NULL (end.h) */
    struct farewells *farewells;                /* farewell.h */
    /* The lane that is down of a guest with this CID, or NULL.  NULL: nobody knows those. */
    struct lane *(*find_down)(struct lanes *all, uint64_t cid);
    struct list listeners;                      /* struct feed_listener.link: who hears what happens (feed.h) */
    struct xengntdev_handle *gnt;               /* for all pages of all guests; NULL while it could not be opened */
    struct hash by_cid;                         /* struct lane.by_cid of those that are up */
    struct hash_seed seed;
    uint64_t next_yield;                        /* ns (uv_hrtime): spinner.h */
};

struct lane_owner {
    /* The guest broke a rule.  The owner lets the lane go down before it returns. */
    void (*broke)(struct lane *lane, const char *why);
    /* The guest has given up its pages, or sends events without a reason: how are its states? */
    void (*look)(struct lane *lane);
};

struct lane {
    struct lanes *all;
    const struct lane_owner *owner;
    struct journal_guest *journal;              /* the owner's, from here… */
    struct account *account;
    const struct title *title;
    struct hostside *host;                      /* hostside.h */
    struct kernel *kernel;                      /* kernel.h; NULL for none */
    uint32_t domid;                             /* …to here */

    uint64_t cid;                               /* of the guest, while it is up */
    struct hash_link by_cid;
    bool connected;                             /* the guest knows that it may work */
    bool ending;                                /* delivers its last words: a rule that is broken now is of no interest */
    struct turn turn;                           /* it has something to do */
    struct alarm alarm;

    struct guest_map map;
    struct source channel;
    struct link_back back;
    struct vmux *mux;                           /* NULL while it is down */
    struct inbox_table inboxes;
    struct promises promises;
    struct list streams_turn;                   /* struct stream.turn: those that can do something */
    struct list thirst;                         /* …that wait for empty buffers of the guest's */
    struct list starved;                        /* …that wait for room in all the guest's sockets together */
    struct list holding;                        /* struct stream.holding: those with data in their inbox, oldest first */
    uint64_t feed_at;                           /* ms: when the starved look again, UINT64_MAX for none */
    uint64_t look_at;                           /* ms: when the owner is to look, UINT64_MAX for not */
    bool masked;                                /* its event was taken and not unmasked */
    bool moved;                                 /* something was done since the last event */
    uint64_t delivered;                         /* bytes that streams have taken out of their inboxes */
    struct {
        int32_t packets, turns;
    } left;                                     /* of this piece of work's budget (serve.h) */
    uint32_t quantum;                           /* bytes each way in one turn of a stream, at most */
    struct limits limits;                       /* what its guest may do in a second */
    uint32_t idle_events;                       /* events in a row that came without work */
    struct list taps;                           /* struct tap.link: who captures its packets (show.h) */
    struct spinner spinner, yields;
    bool has_yielded;                           /* …and what for is still to be seen */
    uint64_t spin_until;                        /* ns (uv_hrtime), 0 while it does not spin */
    uint64_t unmask_at;                         /* ms: when its storm is over, UINT64_MAX for no storm */
    struct refusals refusals;                   /* by the policy, of what it asked for and of what was asked of it */

    struct {
        uint64_t notify_sent, notify_received, connects, storms, spills, refused;
        uint64_t stalls;        /* times that an end did not take all that its guest had sent it, */
        uint64_t credit_waits;  /* …that there was data for the guest, and its program had no room for it, */
        uint64_t buffer_waits;  /* …and the guest no empty buffer */
        uint64_t drops;         /* streams that ended, and of what the guest had sent not all was read */
        uint64_t refusals[2][REASONS];      /* of calls that the guest made [0], and that were made to it [1], by their reason */
        struct latency calls, called;       /* of streams that both ends agreed to: those that the guest asked for, and was asked for */
        uint64_t from_packets, from_bytes, to_packets, to_bytes;    /* of the times before that it was up */
    } count;
};

/* 0 or -ENOMEM.  settings, policy and farewells are the caller's to set. */
int  lanes_init(struct lanes *all, struct loop *loop, const struct end_kind *const *ends);
/* Accepts all zero. */
void lanes_free(struct lanes *all);
/* The lane that is up with this CID, or NULL. */
struct lane *lanes_find(const struct lanes *all, uint64_t cid);
/* The same, or one that is down and whose guest has this CID. */
struct lane *lanes_find_any(struct lanes *all, uint64_t cid);
/* lane->cid names it from now on, or with 0 nothing does. */
void lane_set_cid(struct lane *lane, uint64_t cid);

/* A call of the guest's, or with 'called' one to it, was refused. */
static inline void lane_refused(struct lane *lane, bool called, struct reason why)
{
    lane->count.refusals[called][why.code]++;
}
/* A connection from or to a port was refused: it is told of in the log, if that is for the administrator to mend. */
void lane_tell_refused(struct lane *lane, struct reason why, uint32_t port);

/* It has something to do: it stands in line.  Harmless while it is down. */
void lane_wake(struct lane *lane);

/* It is up, and the guest knows it. */
static inline bool lane_is_connected(const struct lane *lane)
{
    return lane->mux && lane->connected;
}

#endif
