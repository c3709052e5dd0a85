/* SPDX-License-Identifier: MIT */
/* claim.h: one daemon serves the guests of a host.  Two would take each other's devices, whatever their directories are.
 *
 * What the two have in common is the host's xenstore, so the claim stands there, where only the domain itself can write
 * (and may, in a driver domain, too: docs/misc/xenstore-paths of Xen, ~/data):
 *
 *     /local/domain/<self>/data/xvsd = "<pid> <run directory>"
 *
 * A node outlives who wrote it.  That its writer lives is said by the lock of the run directory that it names
 * (rundir.h): the kernel gives that back however a process ends, and no unprivileged program can take it.  Each
 * daemon has the lock of its own directory before it claims, and looks and claims in one transaction; so of two that
 * start at once one sees the other. A xenstored that was started again knows of no claim: whoever is connected again
 * claims again. */
#ifndef XVSD_CLAIM_H
#define XVSD_CLAIM_H

#include <stdint.h>

#include "rundir.h"
#include "store.h"

#define CLAIM_WHY 256

/* 0, or -EBUSY with why when another daemon lives; reads only. */
int  claim_check(struct store *s, uint32_t self, char *why);
/* Claims, or finds that the claim is ours.  -EBUSY as above; else what the store said, with why. */
int  claim_take(struct store *s, uint32_t self, const struct rundir *r, char *why);
/* Takes our claim back; another's stays. */
void claim_drop(struct store *s, uint32_t self, const struct rundir *r);

#endif
