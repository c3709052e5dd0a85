/* SPDX-License-Identifier: MIT */
/* registry.h: which devices there are, and how they come and go.
 *
 * The truth is in xenstore: a device is a backend directory that attach_list() finds whole, whoever made it.  With
 * "attach = auto" the daemon makes one for each domain that appears.
 * What cannot be taken in is tried again ever more seldom (backoff.h), each domain for itself.  One thread. */
#ifndef XVSD_REGISTRY_H
#define XVSD_REGISTRY_H

#include "guest.h"

#define REGISTRY_MAX        4096u       /* devices */
#define REGISTRY_WHY        (RUNDIR_WHY + 128)

/* Without devices: 0 or -ENOMEM.  registry_free() accepts all zero. */
int  registry_init(struct registry *r, struct loop *loop, struct wall *wall, struct wall *dialer,
                   const struct rundir *rundir);
void registry_free(struct registry *r);

/* Watches xenstore and takes in what is there: 0 or a negative errno, why (REGISTRY_WHY bytes) says what failed. */
int  registry_start(struct registry *r, char *why);
/* Something happened in xenstore.  A bounded piece of work: as long as r->store_more is set there is more of it, and the
 * loop does not sleep. */
void registry_on_store(struct registry *r);
/* Takes in new devices and domains: looking into every domain, or only into those that are not known. */
void registry_scan(struct registry *r);
void registry_rescan(struct registry *r);
/* Frees devices whose life is over.  Not to be called from within a device's work. */
void registry_sweep(struct registry *r);
/* Closes and forgets all, at the end of the daemon. */
void registry_stop(struct registry *r);
/* r->settings are others now. */
void registry_reloaded(struct registry *r);
/* The daemon stops: all devices are closed in order, and are gone one after another (registry_sweep()). */
void registry_close(struct registry *r);

/* By the device's number at the wall; NULL. */
struct device *registry_numbered(const struct registry *r, uint32_t number);
struct device *registry_find(const struct registry *r, uint32_t domid, uint32_t number);

/* The commands.  domain: as domain_resolve() has it.  0 (detach: how many) or a negative errno, and why. */

/* number: -1 for the least that is free.  cid: 0 for the usual one.  What fails leaves nothing behind. */
int  registry_attach(struct registry *r, const char *domain, int number, uint64_t cid, struct device **out, char *why);

/* number: a device's, WALL_ONLY or WALL_EACH.  gone (PATHS_DEVICES numbers) says which are on their way. */
int  registry_detach(struct registry *r, const char *domain, int number, uint8_t *gone, char *why);

#endif
