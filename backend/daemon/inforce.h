/* SPDX-License-Identifier: MIT */
/* inforce.h: what the administrator has decided (decided.h) comes into force: for the keeper, its directories, its guests and the worker. */
#ifndef XVSD_INFORCE_H
#define XVSD_INFORCE_H

#include "keeper.h"

/* In place of what was before; nobody else hears of it. */
void inforce_use(struct keeper *k, const struct decided *d);
/* All of it anew, for everybody, or nothing: a negative errno, and why (SETTINGS_WHY bytes) has the first reason, and the log all. */
int  inforce_reload(struct keeper *k, char *why);

/* To the worker. */
void inforce_tell(struct keeper *k);
/* Somebody other than the daemon's user may use some guest's sockets, or ask at the one that only tells. */
bool inforce_is_shared(const struct keeper *k);
/* Who may ask at that one.  0 or a negative errno. */
int  inforce_permit_status(const struct keeper *k);

#endif
