/* SPDX-License-Identifier: MIT */
/* cids.h: whose a CID is.
 *
 * A domain's CID comes from its section of the settings or is 1000 + domid, so a guest that is created again with a new domid
 * keeps the CID that was given to its name (settle.h).  Several devices may have one for a while, of which one alone is up.
 * One thread. */
#ifndef XVSD_CIDS_H
#define XVSD_CIDS_H

#include "guest.h"

#define CIDS_BASE 1000u         /* without a CID in the settings: this + domid + number * CIDS_STEP */
#define CIDS_STEP 32768u        /* above every domid */

uint64_t cid_usual(const struct device_id *id);
/* The CID that d is to have, and has from its next connection on. */
uint64_t cid_wanted(const struct device *d);
/* By the settings. */
bool cid_is_right(const struct device *d);
/* d->cid is changed by this alone; 0 takes it out of the table. */
void cid_set(struct device *d, uint64_t cid);
/* The device that is up with it, or NULL. */
struct device *cid_in_use(const struct registry *r, uint64_t cid);
/* Whose it is: who has a right to it by the settings, or is connected, or had it first.  NULL. */
struct device *cid_owner(const struct registry *r, uint64_t cid);

#endif
