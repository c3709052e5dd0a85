/* SPDX-License-Identifier: MIT */
/* promise.h: how many bytes a stream's guest may send before anybody reads them.
 *
 * buf_alloc is a promise (vsockif.h, section 8): so many bytes of this stream are taken without ever making another stream
 * wait.  What stands behind it is memory: a reader that stands still has its data moved into the spill budget of
 * its guest (inbox.h).  So the promises of one device together must not exceed that budget, however many streams it
 * has, and yet a stream should have Linux's 256 KiB if it can, and on a host where a wake-up takes long, more:
 * a window is what can be sent while the other end wakes up.  Therefore
 *
 *     a new stream gets an eighth of what is left of the budget, at most PROMISE_MOST, at least PROMISE_LEAST;
 *     a stream whose reader has taken PROMISE_PROOF bytes without once standing still gets twice what it had;
 *     a stream whose reader stands still goes back to PROMISE_LEAST, if the budget is overdrawn.
 *
 * With the default of 4 MiB the first gets 448 KiB and the fifth 256 KiB.  Beyond some fifty streams that are open at a
 * time, the least ones overdraw the budget.  So do fast readers: what is promised beyond the least ones is at most
 * PROMISE_OVERDRAFT times the budget.  It takes as many readers that stop at once for the guest to feel it, and it is
 * that guest alone.  Pure. */
#ifndef XVSD_PROMISE_H
#define XVSD_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#define PROMISE_MOST      (512u << 10)
#define PROMISE_LEAST     (16u << 10)
#define PROMISE_PROOF     (512u << 10)  /* more than a socket's buffer takes when nobody reads */
#define PROMISE_OVERDRAFT 4u

struct promises {
    uint64_t budget;            /* bytes */
    uint64_t given;             /* bytes, in all */
    uint64_t raised;            /* …of these, beyond PROMISE_LEAST each */
    uint32_t most;              /* of one stream: less than PROMISE_MOST when the guest's pool is small */
};

/* One stream's part; all zero before promise_make(). */
struct promise {
    uint32_t bytes;             /* buf_alloc */
    uint32_t proof;             /* bytes taken since its reader last stood still */
};

void promises_init(struct promises *all, uint64_t budget, uint32_t most);
/* Returns the bytes. */
uint32_t promise_make(struct promises *all, struct promise *p);
void promise_end(struct promises *all, struct promise *p);
/* The reader took len bytes, or stood still.  True if p->bytes has changed. */
bool promise_taken(struct promises *all, struct promise *p, uint32_t len);
bool promise_stuck(struct promises *all, struct promise *p);

#endif
