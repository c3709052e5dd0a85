/* SPDX-License-Identifier: MIT */
/* asks.h: what clients of the control socket want of the keeper, by way of the worker: attach, detach, reload. */
#ifndef XVSD_ASKS_H
#define XVSD_ASKS_H

#include "keeper.h"

void asks_begin(struct keeper *k);
/* It is answered, perhaps later. */
void asks_hear(struct keeper *k, const struct wall_msg *m);

#endif
