/* SPDX-License-Identifier: MIT */
/* show.h: packets of a lane to whoever captures them (tap.h); called if anybody does, which is_shown() says in one look. */
#ifndef XVSD_SHOW_H
#define XVSD_SHOW_H

#include "lane.h"

static inline bool is_shown(const struct lane *lane)
{
    return __builtin_expect(!list_is_empty(&lane->taps), 0);
}

/* One that has just come. */
void show_received(struct lane *lane, const struct link_request *packet);
/* One that is about to go, with its data in the buffers that link_back_room() names. */
void show_sending(struct lane *lane, const struct vsockif_hdr *hdr, struct reason reason);

#endif
