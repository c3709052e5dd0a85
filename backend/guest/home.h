/* SPDX-License-Identifier: MIT */
/* home.h: a guest's directory among those of the run directory, with the two sockets in it where host programs come in: vsock
 * for streams, vsock.seqpacket for messages.
 *
 * A device has one home, of the name that is its own at present.  When that changes it gets another one; the old one stays
 * beside it as long as a host program that came in there is still connected, or programs listen in it: what the guest
 * calls is looked for in the present directory and then in older ones.  A name that becomes another domain's takes its
 * home along, with everybody who listens in it; those who are connected stay where they are.
 *
 * The directory and its sockets are made here; the worker accepts at them (door.h).  A device is not offered to its guest before it
 * has a home (device.h).  One thread. */
#ifndef XVSD_HOME_H
#define XVSD_HOME_H

#include "guest.h"

/* The directory of the present one, for messages and records; "" if there is none. */
const char *home_path(const struct device *d);
/* Makes the home of this name the present one of d: takes it from whoever has it, or opens it.  On an error, which why
 * (RUNDIR_WHY bytes) explains, all is as it was. */
int  home_move(struct device *d, const char *name, const struct settings_sockets *sockets, char *why);
/* Closes the old ones that nobody needs. */
void homes_tidy(struct device *d);
/* The present one has these channels (sidedoors.h), older ones have none. */
void homes_channels(struct device *d, const struct settings_channel *channels, size_t count, const struct settings_sockets *sockets);
void homes_close(struct device *d);
/* Mode and owner of all homes of d, anew; the first error. */
int  homes_permit(struct device *d, const struct settings_sockets *sockets);
/* Tells a worker, or a dialer, that is new of them. */
void homes_tell(struct device *d);
void homes_tell_dialer(struct device *d);
/* The worker could not take this one: it is closed. */
void home_failed(struct device *d, uint32_t number);

#endif
