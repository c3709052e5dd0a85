/* SPDX-License-Identifier: MIT */
/* updown.h: how a lane begins, and how it ends. */
#ifndef XVSD_UPDOWN_H
#define XVSD_UPDOWN_H

#include "end.h"
#include "lane.h"

#define LANE_FIRST_PORT (1u << 30)          /* of the host's end of a stream that begins here (Firecracker), */
#define LANE_LAST_PORT  ((1u << 31) - 1)    /* …and the last one */

/* A lane that is down, with nothing of the owner's filled in. */
void lane_init(struct lane *lane, struct lanes *all, const struct lane_owner *owner);
/* It is down, and will not go up any more. */
void lane_end(struct lane *lane);

/* Maps the guest's pages (map_open(), which takes the channel) and begins, but with no host program before lane_connected().  0, or a negative errno with why (MAP_WHY bytes,
 * see map_open()), and it is down. */
int  lane_up(struct lane *lane, uint64_t cid, uint32_t control_ref, uint32_t features, int channel, uint32_t port, char *why);
/* The same with pages that are mapped (lane->map): for tests without a Xen host. */
int  lane_begin(struct lane *lane, uint64_t cid);
void lane_connected(struct lane *lane);
/* All streams end with a reset, but for what may still be delivered.  Harmless when it is down. */
void lane_down(struct lane *lane, enum lane_cut why);
/* …and then the pages are unmapped, once no end has them in use: the owner asks the one that may (kernel.h).  Harmless when they are. */
void lane_unmap(struct lane *lane);

#endif
