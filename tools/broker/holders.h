/* SPDX-License-Identifier: MIT */
/* holders.h: how many of something bounded each user of this guest holds.
 *
 * root may hold all of it, every other user as many as are free: so one who takes what he can get has half of them, and the next finds half of
 * the rest.  Pure but for memory. */
#ifndef XVS_HOLDERS_H
#define XVS_HOLDERS_H

#include <sys/types.h>

#include "list.h"

struct holder {
    struct list link;
    uid_t uid;
    unsigned count;
};

struct holders {
    struct list all;            /* struct holder.link */
    unsigned count, most;
};

void holders_init(struct holders *h, unsigned most);
/* One more, counted to this user; NULL: his share is used up, or there is no memory. */
struct holder *holder_take(struct holders *h, uid_t uid);
/* …and one less. */
void holder_give(struct holders *h, struct holder *holder);

#endif
