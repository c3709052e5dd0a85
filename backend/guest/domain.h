/* SPDX-License-Identifier: MIT */
/* domain.h: the domains that have devices here: what xenstore calls them, and what that gives them.
 *
 * A struct domain is there as long as it has a device.  Its name and its UUID are watched, for both may change while it
 * lives: xl migrate makes NAME--incoming and renames it at the end, xl rename and on_crash = rename-restart rename
 * what runs.  What has changed is followed up by settle.h.  One thread. */
#ifndef XVSD_DOMAIN_H
#define XVSD_DOMAIN_H

#include "titles.h"
#include "domains.h"
#include "hash.h"
#include "names.h"
#include "xvsd.h"

struct domain {
    struct list link;           /* in xvsd.domains, the newest last */
    struct hash_link by_domid;  /* in xvsd.domains_by_domid */
    struct xvsd *x;
    struct list devices;        /* struct device.of_domain */
    uint32_t domid;
    char name[DOMAINS_NAME];    /* as xl calls it; ":5" for domain 5 without a name that may be repeated */
    char uuid[NAMES_UUID];      /* "" for none */
    bool is_dead;               /* it has no directory any more */
    bool is_doubtful;           /* xenstored did not say what it is called: look again */
    struct title title;         /* name and uuid are those above; for the rest see settle.h */
    const struct settings_guest *section;       /* of the settings; likewise */
};

/* NULL if it has no device. */
struct domain *domain_find(const struct xvsd *x, uint32_t domid);
/* The same, or a new one, which is the newest.  0 or a negative errno. */
int  domain_get(struct xvsd *x, uint32_t domid, struct domain **out);
/* Forgets it if it has no device. */
void domain_put(struct domain *dom);
/* Reads again what it is called; is_dead if it is gone, is_doubtful if that cannot be told.  True if anything has changed. */
bool domain_look(struct domain *dom);

/* As domains_resolve(), with ":5" for 5; a name is that of the domain here whose it is, if there is one. */
int  domain_resolve(const struct xvsd *x, const char *text, uint32_t *domid);

#endif
