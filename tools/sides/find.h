/* SPDX-License-Identifier: MIT */
/* find.h: directories of guests in the daemon's run directory, on the host. */
#ifndef XVS_FIND_H
#define XVS_FIND_H

#include <stdbool.h>

#include "control.h"

/* A peer is a guest's name, DOMID, :DOMID or uuid:UUID, perhaps with :DEVICE behind it, or cid:CID.
 *
 * The guest's directory, open: a descriptor, or a negative errno with why: -ENOENT and -ENXIO if it is not there, or no daemon is.
 * Names and CIDs are found without the daemon, so that who may use a guest's sockets needs no right to the control socket. */
int find_guest(const char *peer, unsigned device, char *why);
/* The one below guest/ of this name; without a word. */
int find_directory(const char *name);
/* That of those who listen for all guests, as find_guest(). */
int find_any(char *why);

/* The daemon's record of a guest, borrowed from the answer to "ls"; NULL if it has none.  Of several domains of one name it is the
 * one whose directory has the name, or else the newest, which comes last. */
json_t *find_record(const json_t *answer, const char *peer, unsigned device);

#endif
