/* SPDX-License-Identifier: MIT */
/* life.h: the xenbus life of a device, as two machines without hands.
 *
 * A struct life_front or life_back is a value: no pointers to follow, no xenstore, no clock, no locks.
 * Section 3 of vsockif.h is the law; these files are its only reading.  Each machine is driven the same way:
 *
 *     struct life_look look = { own, peer, live };       what the caller has just read: always first
 *     life_back_look(&b, &look, now);
 *     while ((act = life_back_next(&b, now)) != LIFE_WAIT)
 *         life_back_done(&b, act, perform(act), now);
 *     wait for a watch, the event channel, or life_back_deadline(&b)
 *
 * A look is a statement of how things are, not of what has changed: the caller looks again on any watch
 * event, any event of the channel, and after reopening xenstore, and a look that shows nothing new does
 * nothing.  (After an event of the channel that came without work, look again 100 ms later: older kernels send
 * it before they clear the byte.)  So events may be merged, repeated or late, and a guest that writes its state in a tight loop
 * costs one read per wake-up.  next() names one act at a time, in the only order that is safe; it returns
 * the same act until done() is told how it went.
 *
 * The frontend never takes pages back before the backend has said that it does not map them (its state 5 or
 * 6, or back_live 0 after its state 4), and the backend never writes 5, 6 or 2 while it maps:
 * tests/unit/test_life.c searches every order of steps, crashes and restarts for a counterexample.
 *
 * 'now' is in milliseconds from any fixed epoch; a clock that is behind makes pauses shorter by as much, and nothing
 * is promised of those.  One machine, one thread. */
#ifndef XVS_LIFE_H
#define XVS_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "vsockif.h"

/* What the caller must do.  An act that writes is one transaction: it succeeds or fails as a whole, checks the "if" of
 * the list within itself (-EAGAIN), and never creates a directory anew that someone has removed (-ENOENT).  nodes.h
 * does all that. */
#define LIFE_ACTS(X)                                                                                    \
    X(WAIT,    "nothing until the next look or the deadline")                                           \
    X(OFFER,   "backend: write versions, limits and state 2, if the frontend is in 1")                  \
    X(SHARE,   "frontend: grant, allocate a port, write nodes and 3, if it is in 1, the backend in 2")  \
    X(MAP,     "backend: read the nodes if the frontend is in 3; map, check, bind, set back_live")      \
    X(CONNECT, "write state 4; the device may be used from now on")                                     \
    X(RESET,   "frontend: connections end with a reset, listeners stay; touch the shared pages no more") \
    X(UNSHARE, "frontend: take the pages back and close the port")                                      \
    X(UNMAP,   "backend: connections end with a reset; unmap and unbind")                               \
    X(REFUSE,  "backend: write the reason as \"error\", and state 5")                                   \
    X(CLOSING, "write state 5")                                                                         \
    X(CLOSED,  "write state 6")                                                                         \
    X(RESTART, "frontend: write state 1")

enum life_act {
#define X(name, text) LIFE_##name,
    LIFE_ACTS(X)
#undef X
};

#define LIFE_NEVER       UINT64_MAX
#define LIFE_GAP_MS      50u        /* least time between two OFFERs or SHAREs of one device, and after a conflict */
#define LIFE_BACKOFF_MS  100u       /* after the second failure in a row; doubles with each further one */
#define LIFE_BACKOFF_MAX 5000u
#define LIFE_PROVEN_MS   10000u     /* a connection that lasted this long forgives earlier failures */
#define LIFE_RETRY_MS    1000u      /* after a write to xenstore has failed */

/* What the caller sees: the two state nodes, and the peer's byte in the control page. */
struct life_look {
    uint8_t own;                /* this end's state node, 0 if its directory does not exist */
    uint8_t peer;               /* the other's, 0 if it does not exist or holds no state (parse_state()) */
    bool    live;               /* front_live or back_live of the peer; true when no page is shared or mapped.
                                 * Read it after the states: back_live is set before state 4 is written */
};

/* The name of an act ("OFFER") and of a state ("InitWait"), for logs and tools; constant strings. */
const char *life_act_name(enum life_act act);
const char *life_state_name(unsigned state);

/* Milliseconds to wait after so many faults in a row: 0, 0, 100, 200, … 5000. */
uint32_t life_backoff(unsigned strikes);
/* For the two machines: a connection made at connected_at (LIFE_NEVER: never) has ended.  One that lasted forgives, and else a
 * fault that this end has found counts in *strikes; returns the time of the next try, not before not_before.  Whoever finds
 * fault backs off, and nobody else: a backend that restarts or refuses says with its next 2 when it is ready, and a frontend
 * that waited for anything but that 2 would be away for longer than the daemon. */
uint64_t life_ended(uint8_t *strikes, bool fault, uint64_t connected_at, uint64_t not_before, uint64_t now);

/* ---- the frontend's end -------------------------------------------------------------------------- */

struct life_front {
    uint64_t    not_before;     /* ms: no RESTART or SHARE before this */
    uint64_t    retry_at;       /* ms: no act that writes before this */
    uint64_t    connected_at;   /* ms, or LIFE_NEVER */
    const char *why;            /* why this end closed of itself: a constant sentence, or NULL */
    uint8_t     own;            /* the state that we wrote last */
    uint8_t     peer;           /* as last seen */
    uint8_t     strikes;        /* faults in a row that we found with the backend */
    bool        shares;         /* pages are granted */
    bool        answered;       /* the backend's 4 was seen since they were granted: back_live counts */
    bool        used;           /* connected: a RESET is owed before the pages go */
    bool        free;           /* the backend does not map the pages and cannot */
    bool        fault;          /* we must close: "why" says why */
    bool        leaving;        /* life_front_close() was called */
};

/* A process that has just opened the device: own is the state node as it finds it.  It shares nothing. */
void life_front_init(struct life_front *f, unsigned own, uint64_t now);
void life_front_look(struct life_front *f, const struct life_look *look, uint64_t now);
/* The backend broke a rule elsewhere (a ring, a packet): close, then try again.  why: a constant sentence. */
void life_front_fault(struct life_front *f, const char *why, uint64_t now);
/* Closes in order and stays closed; life_front_is_over() says when.  A caller that cannot wait just exits:
 * the kernel keeps granted pages until the backend has unmapped them. */
void life_front_close(struct life_front *f);

enum life_act life_front_next(const struct life_front *f, uint64_t now);
/* err: 0, or the negative errno of the act.  RESET and UNSHARE cannot fail. */
void life_front_done(struct life_front *f, enum life_act act, int err, uint64_t now);
uint64_t life_front_deadline(const struct life_front *f);

/* The rings may be used. */
static inline bool life_front_is_connected(const struct life_front *f)
{
    return f->own == VSOCKIF_CONNECTED && f->used;
}
/* The directory does not exist (detached, or the domain was restored): it may come back, so keep the watch. */
static inline bool life_front_is_gone(const struct life_front *f)
{
    return f->own == VSOCKIF_UNKNOWN && !f->shares;
}
static inline bool life_front_is_over(const struct life_front *f)
{
    return life_front_is_gone(f) || (f->leaving && f->own == VSOCKIF_CLOSED && !f->shares);
}

/* ---- the backend's end --------------------------------------------------------------------------- */

struct life_back {
    uint64_t    not_before;     /* ms: no OFFER before this */
    uint64_t    retry_at;       /* ms: no act but UNMAP before this */
    uint64_t    connected_at;   /* ms, or LIFE_NEVER */
    const char *why;            /* why the frontend was last refused: a constant sentence, or NULL */
    uint8_t     own;            /* the state that we wrote last */
    uint8_t     peer;           /* as last seen */
    uint8_t     strikes;        /* refusals in a row */
    bool        offered;        /* this process wrote the 2: without it a frontend in 3 is not ours to answer */
    bool        mapped;
    bool        drop;           /* what is mapped must go */
    bool        refuse;         /* REFUSE is owed */
    bool        leaving;        /* life_back_close() was called */
    bool        dead;           /* the domain no longer exists */
};

/* A process that finds the device, fresh or left behind by a predecessor: own is the state node as it finds
 * it.  It maps nothing. */
void life_back_init(struct life_back *b, unsigned own, uint64_t now);
void life_back_look(struct life_back *b, const struct life_look *look, uint64_t now);
/* The frontend broke a rule elsewhere (a ring, a packet): unmap, say why, back off.  why: a constant sentence;
 * the caller may write a better one in REFUSE. */
void life_back_refuse(struct life_back *b, const char *why, uint64_t now);
/* What was offered is not so any more: offers again, if no frontend has taken it yet.  One that takes the old offer at
 * this moment is closed, and comes again. */
void life_back_offer_again(struct life_back *b);
/* The domain has died (@releaseDomain): UNMAP if need be, then over.  The caller removes the directories. */
void life_back_domain_died(struct life_back *b);
/* The daemon stops, or the device is to be detached: unmaps, writes 5, answers 6, never offers again. */
void life_back_close(struct life_back *b);

enum life_act life_back_next(const struct life_back *b, uint64_t now);
/* True for what is no fault of the frontend's and passes: xenstore is away (-EAGAIN, -ECONNRESET), or this end is short of
 * descriptors, memory, event channels or grant handles. */
bool life_back_passes(int err);
/* err: 0, or the negative errno of the act.  UNMAP cannot fail.  What passes is tried again; any other error of MAP
 * refuses the frontend.  life_back_refuse() may be called just before, for a better "why". */
void life_back_done(struct life_back *b, enum life_act act, int err, uint64_t now);
uint64_t life_back_deadline(const struct life_back *b);

static inline bool life_back_is_connected(const struct life_back *b)
{
    return b->own == VSOCKIF_CONNECTED && b->mapped && !b->drop;
}
/* Nothing is mapped and nothing is left to say: the object may be freed, the directories removed. */
static inline bool life_back_is_over(const struct life_back *b)
{
    return !b->mapped && (b->dead || b->own == VSOCKIF_UNKNOWN || (b->leaving && b->own >= VSOCKIF_CLOSING));
}

#endif
