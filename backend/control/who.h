/* SPDX-License-Identifier: MIT */
/* who.h: the guests that somebody means who asks by the control socket.
 *
 *     web1, web1:1      the domain that has this name now, or its device 1
 *     5, :5, :5:1       domain 5
 *     uuid:UUID         the domain that has this UUID, of which there may be two while it migrates (titles.h); :1 behind it likewise */
#ifndef XVSD_WHO_H
#define XVSD_WHO_H

#include "worker.h"

#define WHO_WORDS "a name, a domid or uuid:UUID, perhaps with :DEVICE behind it"

struct who {
    char name[WALL_NAME];       /* without the device; "" if it is a UUID, or can only be a domid */
    char uuid[NAMES_UUID];      /* "" for none */
    uint32_t domid;             /* UINT32_MAX: no number was said */
    int device;                 /* -1: none was said */
};

/* False if it can mean nobody. */
bool who_read(const char *text, struct who *out);
/* Is it one of those? */
bool who_is(const struct who *who, const struct guest *g);
/* The next one after 'after', or the first for NULL; NULL for no more. */
struct guest *who_find(const struct worker *w, const struct who *who, const struct guest *after);

#endif
