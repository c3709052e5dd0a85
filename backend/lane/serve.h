/* SPDX-License-Identifier: MIT */
/* serve.h: the work of a lane, a bounded piece at a time.
 *
 * One piece (serve_turn): take in empty buffers, take packets up to a budget, send what is owed, give streams their
 * turns up to a budget, publish, and notify the guest.  What has come meanwhile is taken as well, within the same budget.  If work is
 * left, the lane goes to the end of the line; if not, it arms its rings and only then unmasks its channel (XSA-332).
 * A guest that sends events without work is heard less and less often.
 *
 * The budget is what another guest's byte may have to wait for, for each guest that floods: some hundred microseconds.  It
 * is counted in packets: one for each, one more for each page of data, and many for a REQUEST, for which a socket is made and a
 * path is looked up. */
#ifndef XVSD_SERVE_H
#define XVSD_SERVE_H

#include "lane.h"

#define SERVE_PACKETS 256           /* received in one piece of work */
#define SERVE_PAGE    4096          /* bytes that count as one more */
#define SERVE_REQUEST 32            /* what a REQUEST counts */
#define SERVE_BYTES   (1u << 20)    /* moved by streams in one piece of work */
#define SERVE_TURNS   64            /* of streams, likewise */
#define SERVE_FEED_MS 20u           /* until those look again that wait for room in their guest's sockets */

/* lane.turn's, lane.alarm's and lane.channel's. */
void serve_turn(struct turn *turn);
void serve_alarm(struct alarm *alarm, uint64_t now);
void serve_channel(struct source *channel, uint32_t events);

/* The guest has these limits from now on; that of connections at a time when it is next up. */
void serve_limit(struct lane *lane, const struct settings_limits *limits);
/* For serve_allowance(). */
uint32_t serve_limited(struct lane *lane);
/* How many bytes the guest's streams may move now; 0: it has had its share (limits.h), and they have turns again when there is more. */
static inline uint32_t serve_allowance(struct lane *lane)
{
    return bucket_limits(&lane->limits.bytes) ? serve_limited(lane) : SERVE_BYTES;
}

/* Delivers what is in the ring of a guest that goes away, as far as the readers take it now. */
void serve_last_words(struct lane *lane);

#endif
