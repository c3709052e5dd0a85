/* SPDX-License-Identifier: MIT */
/* sidedir.h: the directory "channel" in a guest's: sockets that lead straight to a port of the guest (xvsd.conf(5), channel).
 *
 * Others may write in a guest's directory, so what is there under this name is not ours just because of that: a directory is, if it
 * belongs to us and nobody else may write in it, and anything else is moved aside (sockfile.h).  In this one nobody else can write: what is
 * in it was ours.  Everybody may search it who may search the guest's; each socket says who may use it.
 *
 * All calls return 0 or a negative errno; nothing blocks. */
#ifndef XVSD_SIDEDIR_H
#define XVSD_SIDEDIR_H

#include "rundir.h"

/* The directory, empty, into *fd. */
int  sidedir_open(const struct guest_dir *g, int *fd);
/* A listening socket with what 'sockets' say.  name: a good one (names.h). */
int  sidedir_listen(const struct guest_dir *g, int fd, const struct settings_channel *c, const struct settings_sockets *sockets,
                    struct sockfile *out);
/* Removes what a daemon before us has left of one. */
void sidedir_forget(const struct guest_dir *g);
/* Removes it.  Its sockets are closed.  Harmless with -1. */
void sidedir_close(const struct guest_dir *g, int fd);

#endif
