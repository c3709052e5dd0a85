/* SPDX-License-Identifier: MIT */
/* bucket.h: so much a second, as arithmetic: a token bucket.
 *
 * It fills with per_second tokens a second, up to burst of them.  Whoever knows beforehand what a thing costs asks for it
 * (bucket_take()); whoever knows only afterwards pays (bucket_pay()), and owes, and waits until that is made good (bucket_when()).
 * Over any time t no more than burst + t * per_second is taken, and what is owed besides.
 *
 * 'now' is in milliseconds from any fixed point, and what a millisecond has besides whole tokens is not lost.  All zero is one without
 * a limit: everything can be taken from it.  A value; pure. */
#ifndef XVSD_BUCKET_H
#define XVSD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_MOST (UINT64_C(1) << 40)         /* of per_second and burst */

struct bucket {
    uint64_t per_second;        /* 0: no limit */
    uint64_t burst;             /* at least 1 */
    int64_t  level;             /* tokens; below 0 they are owed */
    uint64_t rest;              /* thousandths of one more */
    uint64_t at;                /* ms: as of when */
};

static inline bool bucket_limits(const struct bucket *b)
{
    return b->per_second != 0;
}

/* From now on so much; per_second 0: no limit.  One that had none begins full, and what is owed stays so. */
void bucket_set(struct bucket *b, uint64_t per_second, uint64_t burst, uint64_t now);
/* Takes n, or if there are not as many: false, and nothing is taken. */
bool bucket_take(struct bucket *b, uint64_t n, uint64_t now);
/* n are gone, whether they were there or not. */
void bucket_pay(struct bucket *b, uint64_t n, uint64_t now);
/* How many there are; 0 when they are owed.  Without a limit UINT64_MAX. */
uint64_t bucket_level(struct bucket *b, uint64_t now);
/* When there will be n of them, or as many as there can be; now if there are. */
uint64_t bucket_when(struct bucket *b, uint64_t n, uint64_t now);

#endif
