/* SPDX-License-Identifier: MIT */
/* domains.h: which domains exist, and what they are called.
 *
 * A name is what xl calls the domain, /local/domain/F/name, until it calls it otherwise.  The toolstack writes it; we check it all the same
 * (parse_domain_name()), since it ends up in logs and in file names.  One thread, that of the store. */
#ifndef XVS_DOMAINS_H
#define XVS_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

#define DOMAINS_NAME 129        /* bytes of a name, with its end */
#define DOMAINS_UUID 37         /* bytes of a UUID, likewise */

/* Domids of all domains that have a directory, ascending, dom0 among them: at most max.  Returns how many. */
int domains_list(struct store *s, uint32_t *out, size_t max, bool *more);

/* The domain has a directory of its own: 1 or 0, or a negative errno when that cannot be told.  xl removes it when it destroys
 * the domain. */
int domains_exists(struct store *s, uint32_t domid);

/* 0; -ENOENT without a name, -EINVAL for one that we do not repeat. */
int domains_name(struct store *s, uint32_t domid, char name[DOMAINS_NAME]);

/* Its UUID as text, from /local/domain/F/vm: what is behind "/vm/".  0; -ENOENT, -EINVAL if there is something else. */
int domains_uuid(struct store *s, uint32_t domid, char uuid[DOMAINS_UUID]);

/* A name, or a domid in decimal ("5"), as the user of a command types it.  A domid wins over a name of digits, as with
 * xl, and of several domains of one name the one with the greatest domid.  -ENOENT, -EINVAL. */
int domains_resolve(struct store *s, const char *text, uint32_t *domid);

/* This domain's own domid, from the relative node "domid".  -ENOENT where the toolstack writes none. */
int domains_self(struct store *s, uint32_t *domid);

#endif
