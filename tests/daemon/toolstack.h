/* SPDX-License-Identifier: MIT */
/* toolstack.h: what a toolstack writes into xenstore, by hand, and what the daemon makes of it.
 *
 * To the daemon a domain is a directory in xenstore.  The hosted Xen has guests 1 to TOOLSTACK_GUESTS, in which nothing runs
 * and whose directories are the test's to make: xenstored gives nodes only to domains that it knows.  One thread, dom0. */
#ifndef XVS_TEST_TOOLSTACK_H
#define XVS_TEST_TOOLSTACK_H

#include "attach.h"
#include "daemon.h"
#include "harness.h"
#include "store.h"

#define TOOLSTACK_GUESTS 8u

extern struct store *dom0;              /* after toolstack_open() */

/* All guests' directories are gone, and the daemon's, if one is left, too. */
void toolstack_open(void);
void toolstack_close(void);

/* The directory of a domain, as xl writes it, in one transaction.  name NULL: without one.  uuid NULL: one made of the domid. */
void domain_make(uint32_t domid, const char *name, const char *uuid);
void domain_rename(uint32_t domid, const char *name);
/* The domain and what xl wrote for it are gone; the backend's directories are the daemon's to remove. */
void domain_remove(uint32_t domid);
bool domain_has_device(uint32_t domid, uint32_t number);
bool domain_has_frontend(uint32_t domid, uint32_t number);

/* The daemon's record of a device in "ls", or NULL; static. */
const char *record_of(uint32_t domid, uint32_t number);
/* The record of a device that there is has this text in it. */
bool record_has(uint32_t domid, uint32_t number, const char *text);

/* Waits for a condition, up to 10 s, and fails the test if it does not come. */
#define UNTIL(cond) do { int until_n = 0; while (!(cond)) { REQUIRE(until_n++ < PATIENCE_MS / 10); toolstack_nap(); } } while (0)
void toolstack_nap(void);

#endif
