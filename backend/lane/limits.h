/* SPDX-License-Identifier: MIT */
/* limits.h: what the settings let a guest do in a second: ask for connections, and have bytes moved by its streams, both ways together.
 *
 * A connection beyond that is refused.  Bytes are never dropped, they wait where they are: in the guest's own pool, whose credit comes back
 * later, or in the host program's socket.  So it is the lane's turns that are put off (serve.c), whatever is at the other ends; what a turn
 * has moved is paid afterwards.  A value; pure, one thread. */
#ifndef XVSD_LIMITS_H
#define XVSD_LIMITS_H

#include "bucket.h"
#include "settings.h"

#define LIMITS_REST_MS 20u      /* a guest that is to wait waits at least about so long: a turn for every few bytes would cost us more */

struct limits {
    struct settings_limits given;
    struct bucket connects, bytes;
    uint64_t paid;              /* bytes moved, as the lane counts them, that are paid for */
    uint64_t again_at;          /* ms: streams have turns again then; UINT64_MAX while they have */
    uint64_t refused, holds;    /* connections; how often turns were put off */
};

/* From now on these, all given.  It may be that streams have turns again. */
void limits_set(struct limits *l, const struct settings_limits *given, uint64_t now);
/* The lane begins anew, and has moved so many bytes until now. */
void limits_begin(struct limits *l, uint64_t moved);
/* One connection more, or false: it is one too many. */
bool limits_connect(struct limits *l, uint64_t now);

/* With a limit of bytes: the lane has moved so many until now.  How many more it may move at once, at most 'most'; 0: none before
 * l->again_at. */
uint32_t limits_pay(struct limits *l, uint64_t moved, uint32_t most, uint64_t now);

/* Its streams have no turns now. */
static inline bool limits_hold(const struct limits *l)
{
    return l->again_at != UINT64_MAX;
}

#endif
