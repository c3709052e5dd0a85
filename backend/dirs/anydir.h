/* SPDX-License-Identifier: MIT */
/* anydir.h: RUN/any, the directory of those who listen for all guests.
 *
 * A guest's call goes there when nobody listens at the port in the guest's own directories (dialer.h), and the listener
 * hears first who calls (from_line.h).  Who may listen there hears every guest, so it is a decision of its own, [any] in the settings,
 * and nobody else's than ours until it is made.  Otherwise it is as a guest's directory: ours, sticky where others may write, and what they
 * put there is connected to with the care of dial.h.  It has no socket of ours.
 *
 * Calls return 0 or a negative errno. */
#ifndef XVSD_ANYDIR_H
#define XVSD_ANYDIR_H

#include "rundir.h"

struct any_dir {
    int fd;                     /* -1 */
    char path[RUNDIR_PATH];
};

/* Makes the directory, or takes the one that is there.  It stays when this is closed, and so do the listeners.  any is not open. */
int  any_dir_open(struct any_dir *any, const struct rundir *r, const struct settings_sockets *sockets, char *why);
/* Sets mode, group and the user's share, again (after a reload). */
int  any_dir_permit(const struct any_dir *any, const struct settings_sockets *sockets);
/* Harmless when not open. */
void any_dir_close(struct any_dir *any);

#endif
