/* SPDX-License-Identifier: MIT */
/* promise.h: how many bytes a stream's guest may send before anybody reads them.
 *
 * buf_alloc is a promise (vsockif.h, section 8): so many bytes of this stream are taken without ever making another stream
 * wait.  What stands behind it is memory: a reader that stands still has its data moved out of the guest's pool, within the
 * guest's limit (held.h).  Before the data waits here, it waits in the reader's socket, and that is memory, too.  So the
 * promises of one device together, with what its sockets may hold, must not exceed that limit, however many streams
 * it has; and yet a stream should have Linux's 256 KiB if it can, and on a host where a wake-up takes long, more: a window is
 * what can be sent while the other end wakes up.  Therefore
 *
 *     a new stream gets an eighth of what is left of the budget: four parts of seven as its promise (at most PROMISE_MOST,
 *     at least PROMISE_LEAST) and three as what its socket may hold (at most PROMISE_SOCKET);
 *     a stream whose reader has taken PROMISE_PROOF bytes gets twice what it had;
 *     a stream whose data had to be moved out of the others' way goes back to PROMISE_LEAST, if the budget is overdrawn.
 *
 * None has more than half of the guest's pool, so that one whose reader stands still leaves as much to the others; but for one that has
 * the device nearly alone, and gets a wide promise: all of the pool but one packet, as long as the budget allows.  For on a host of one
 * processor a window is what a switch between domains pays for.  It is a dynamic threshold, as in the buffers of switches: who fills
 * most of the pool may go on until somebody else wants of it.
 *
 *     wide becomes           who has half of the pool, and took PROMISE_PROOF bytes while the others took less than an eighth of that,
 *                            and nobody in the guest waited for memory
 *     it goes back to half   when somebody does wait, or its data had to be moved; and rests for PROMISE_REST such pieces then
 *
 * That somebody waits the guest says itself: it has asked to be notified of completions, which it needs for nothing else
 * (vsockif.h, section 5).  The bytes that others take would not do: who has one packet's worth of the pool cannot take much.
 *
 * With the default of 4 MiB the first gets 256 KiB, and 192 KiB in its socket, the fifth 150 and 112 KiB.  Beyond some thirty
 * streams that are open at a time, the least ones overdraw the budget.  So do fast readers: what is promised beyond the
 * least ones is at most PROMISE_OVERDRAFT times the budget.  It takes as many readers that stop at once for the
 * guest to feel it, and it is that guest alone: held.h's limit holds whatever was promised.  Pure. */
#ifndef XVSD_PROMISE_H
#define XVSD_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#define PROMISE_MOST      (512u << 10)
#define PROMISE_LEAST     (16u << 10)
#define PROMISE_SOCKET    (256u << 10)  /* more than a socket of the usual size takes when nobody reads */
#define PROMISE_PROOF     (512u << 10)  /* …so whoever takes this much reads */
#define PROMISE_OVERDRAFT 4u
#define PROMISE_WIDEST    (1u << 20)
#define PROMISE_REST      64u

struct promises {
    uint64_t budget;            /* bytes */
    uint64_t given;             /* bytes, promised and in sockets, in all */
    uint64_t raised;            /* …of these, beyond what PROMISE_LEAST comes to, each */
    uint32_t most;              /* of one stream: less than PROMISE_MOST when the guest's pool is small */
    uint32_t wide;              /* …of one that is nearly alone; most, when the pool is too small for the difference to matter */
    uint32_t taken;             /* bytes that all readers took; wraps */
};

/* One stream's part; all zero before promise_make(). */
struct promise {
    uint32_t bytes;             /* buf_alloc */
    uint32_t proof;             /* bytes taken since it last changed, or was last looked at */
    uint32_t taken;             /* what all had taken then */
    uint16_t waits;             /* how often the guest had waited for memory then */
    uint8_t rest;               /* how often it is still not to become wide */
};

/* What the stream's socket may hold, in bytes. */
static inline uint32_t promise_socket(const struct promise *p)
{
    uint32_t bytes = p->bytes > PROMISE_LEAST ? p->bytes : PROMISE_LEAST;   /* a guest may have a tiny pool */

    bytes -= bytes / 4;
    return bytes < PROMISE_SOCKET ? bytes : PROMISE_SOCKET;
}

static inline bool promise_is_wide(const struct promises *all, const struct promise *p)
{
    return p->bytes > all->most;
}

/* pool: bytes, the guest's. */
void promises_init(struct promises *all, uint64_t budget, uint32_t pool);
/* Returns the bytes. */
uint32_t promise_make(struct promises *all, struct promise *p);
void promise_end(struct promises *all, struct promise *p);

/* The reader took len bytes.  True if that calls for promise_proven(). */
static inline bool promise_taken(struct promises *all, struct promise *p, uint32_t len)
{
    all->taken += len;
    p->proof += len;
    return p->proof >= PROMISE_PROOF;
}
/* waits: how often somebody in the guest has waited for memory so far; any number that wraps.  lowers: its buf_alloc can be lowered
 * again, so it may become wide.  True if p->bytes has changed. */
bool promise_proven(struct promises *all, struct promise *p, uint16_t waits, bool lowers);
/* Its data had to be moved.  True if p->bytes has changed. */
bool promise_stuck(struct promises *all, struct promise *p);

#endif
