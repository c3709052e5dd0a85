/* SPDX-License-Identifier: MIT */
/* registry.h: which devices there are, and how they come and go.
 *
 * The truth is in xenstore: a device is a backend directory that attach_list() finds whole, whoever made it.  With
 * "attach = auto" the daemon makes one for each domain that appears.  A domain's CID comes from its section of the settings or is
 * 1000 + domid, so a guest that is created again with a new domid keeps the CID that was given to its name (settle.h).
 * What cannot be taken in is tried again ever more seldom (backoff.h), each domain for itself.  One thread. */
#ifndef XVSD_REGISTRY_H
#define XVSD_REGISTRY_H

#include "device.h"

#define REGISTRY_CID_BASE   1000u       /* without a CID in the settings: this + domid + number * REGISTRY_CID_STEP */
#define REGISTRY_CID_STEP   32768u      /* above every domid */
#define REGISTRY_MAX        4096u       /* devices */
#define REGISTRY_WHY        (RUNDIR_WHY + 128)

/* The tables in x: 0 or -ENOMEM.  registry_free() accepts all zero. */
int  registry_init(struct xvsd *x);
void registry_free(struct xvsd *x);

/* Watches xenstore and takes in what is there: 0 or a negative errno, why (REGISTRY_WHY bytes) says what failed. */
int  registry_start(struct xvsd *x, char *why);
/* Something happened in xenstore.  A bounded piece of work: as long as x->store_more is set there is more of it, and the
 * loop does not sleep. */
void registry_on_store(struct xvsd *x);
/* Takes in new devices and domains: looking into every domain, or only into those that are not known. */
void registry_scan(struct xvsd *x);
void registry_rescan(struct xvsd *x);
/* The latter, in a moment: something may be missing. */
void registry_rescan_soon(struct xvsd *x);
/* Frees devices whose life is over.  Not to be called from within a device's work. */
void registry_sweep(struct xvsd *x);
/* Closes and forgets all, at the end of the daemon. */
void registry_stop(struct xvsd *x);
/* The settings have changed. */
void registry_reloaded(struct xvsd *x);

struct device *registry_find(const struct xvsd *x, uint32_t domid, uint32_t number);

/* Of the devices that have this CID, which in the end is one: the one that is connected by it; or the one whose it is, that is,
 * who has a right to it by the settings, or is connected, or had it first.  NULL. */
struct device *registry_mapped_cid(const struct xvsd *x, uint64_t cid);
struct device *registry_owner_of_cid(const struct xvsd *x, uint64_t cid);
/* d->cid is changed by this alone. */
void registry_set_cid(struct device *d, uint64_t cid);
uint64_t registry_usual_cid(const struct device_id *id);

/* The commands.  domain: as domain_resolve() has it.  0 (detach: how many) or a negative errno, and why. */

/* number: -1 for the least that is free.  cid: 0 for the usual one.  What fails leaves nothing behind. */
int  registry_attach(struct xvsd *x, const char *domain, int number, uint64_t cid, struct device **out, char *why);

#define REGISTRY_ONLY (-1)      /* the device that is attached, if it is one alone */
#define REGISTRY_ALL  (-2)

/* number: a device's, or one of the two.  gone (PATHS_DEVICES numbers) says which are on their way. */
int  registry_detach(struct xvsd *x, const char *domain, int number, uint8_t *gone, char *why);

#endif
