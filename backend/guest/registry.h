/* SPDX-License-Identifier: MIT */
/* registry.h: which devices there are, and how they come and go.
 *
 * The truth is in xenstore: a device is a backend directory that attach_list() finds whole, whoever made it.  With
 * "attach = auto" the daemon makes one for each domain that appears.
 * What cannot be taken in is tried again ever more seldom (backoff.h), each domain for itself.  One thread. */
#ifndef XVSD_REGISTRY_H
#define XVSD_REGISTRY_H

#include "guest.h"

/* Without devices: 0 or -ENOMEM.  registry_free() accepts all zero. */
int  registry_init(struct registry *r, struct loop *loop, struct wall *wall, struct wall *dialer,
                   const struct rundir *rundir);
void registry_free(struct registry *r);

/* Watches xenstore and takes in what is there: 0 or a negative errno, why (REGISTRY_WHY bytes) says what failed. */
int  registry_start(struct registry *r, char *why);
/* Something happened in xenstore.  A bounded piece of work: as long as r->store_more is set there is more of it, and the
 * loop does not sleep. */
void registry_on_store(struct registry *r);
/* Closes and forgets all, at the end of the daemon. */
void registry_stop(struct registry *r);
/* r->settings are others now. */
void registry_reloaded(struct registry *r);
/* The daemon stops: all devices are closed in order, and are gone one after another (sweep()). */
void registry_close(struct registry *r);

#endif
