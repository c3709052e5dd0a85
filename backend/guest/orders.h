/* SPDX-License-Identifier: MIT */
/* orders.h: attaching and detaching by command.  One thread.
 *
 * domain: as domain_resolve() has it.  0 (detach: how many) or a negative errno, and why (REGISTRY_WHY bytes). */
#ifndef XVSD_ORDERS_H
#define XVSD_ORDERS_H

#include "guest.h"

/* number: -1 for the least that is free.  cid: 0 for the usual one.  What fails leaves nothing behind.  -EAGAIN: what was there before
 * is on its way out. */
int  order_attach(struct registry *r, const char *domain, int number, uint64_t cid, struct device **out, char *why);
/* number: a device's, WALL_ONLY or WALL_EACH.  gone (PATHS_DEVICES numbers) says which are on their way. */
int  order_detach(struct registry *r, const char *domain, int number, uint8_t *gone, char *why);

#endif
