/* SPDX-License-Identifier: MIT */
/* titles.h: whose a name is.
 *
 * Several domains may claim one name at a time: one that is being destroyed and its successor, or namesakes.  It belongs to the
 * newest of them.  A UUID is that of two domains while one is migrated within the host; it belongs to the one that
 * runs, which xl tells by the names: the other's ends with "--incoming" until it takes over, or with "--migratedaway" since.
 * Pure; any thread. */
#ifndef XVSD_TITLES_H
#define XVSD_TITLES_H

#include <stdbool.h>
#include <stddef.h>

#include "hash.h"

/* What a living domain says of itself, and what titles_judge() says to that. */
struct title {
    const char *name, *uuid;    /* "" for none */
    bool has_name;              /* the name is good, and this domain's */
    bool has_uuid;
    struct hash_link by_name, by_uuid;  /* within titles_judge() */
};

/* All there are, the newest domain's last.  0, or -ENOMEM and nothing is changed. */
int titles_judge(struct title *const *titles, size_t count);

#endif
