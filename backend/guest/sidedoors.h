/* SPDX-License-Identifier: MIT */
/* sidedoors.h: the channels of a guest: sockets in its directory whose clients come straight to a port of it (xvsd.conf(5)).
 *
 * They belong to a home and are those that the settings say; the worker accepts at them (door.h).  One thread. */
#ifndef XVSD_SIDEDOORS_H
#define XVSD_SIDEDOORS_H

#include "guest.h"

/* Makes them these, as the sockets may be used: what is not among them is closed, what has another port is a new one.  Who came in stays.
 * What cannot be made is told once, and tried again by the next call. */
void sidedoors_make(struct home *home, const struct settings_channel *channels, size_t count, const struct settings_sockets *sockets);
/* Mode and owner anew; the first error. */
int  sidedoors_permit(struct home *home, const struct settings_sockets *sockets);
/* Tells the worker of all of them: is_new, with their sockets. */
void sidedoors_tell(struct home *home, bool is_new);
/* The worker could not take this one, if it is one of these: it is closed. */
void sidedoor_failed(struct home *home, uint32_t number);
void sidedoors_close(struct home *home);

#endif
