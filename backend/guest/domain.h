/* SPDX-License-Identifier: MIT */
/* domain.h: the domains that have devices here: what xenstore calls them, and what that gives them.
 *
 * A struct domain is there as long as it has a device.  Its name and its UUID are watched, for both may change while it
 * lives: xl migrate makes NAME--incoming and renames it at the end, xl rename and on_crash = rename-restart rename
 * what runs.  What has changed is followed up by settle.h.  One thread. */
#ifndef XVSD_DOMAIN_H
#define XVSD_DOMAIN_H

#include "guest.h"

/* NULL if it has no device. */
struct domain *domain_find(const struct registry *r, uint32_t domid);
/* The same, or a new one, which is the newest.  0 or a negative errno. */
int  domain_get(struct registry *r, uint32_t domid, struct domain **out);
/* Forgets it if it has no device. */
void domain_put(struct domain *dom);
/* Reads again what it is called; is_dead if it is gone, is_doubtful if that cannot be told.  True if anything has changed. */
bool domain_look(struct domain *dom);

/* As domains_resolve(), with ":5" for 5; a name is that of the domain here whose it is, if there is one. */
int  domain_resolve(const struct registry *r, const char *text, uint32_t *domid);

#endif
