/* SPDX-License-Identifier: MIT */
/* greet.h: host programs that have connected to a guest's socket and have not said where they want to go, or are not let in yet.
 *
 * Each has GREET_MS to send its line (connect_line.h); at most GREET_CLIENTS of a guest do so at a time, the others
 * wait in the kernel's backlog.  Those that then wait for the end of a stream (watchers.h) are not among these, so they keep nobody
 * from connecting.  Nothing after the newline is read.  On any failure the socket is closed without a
 * word.
 *
 * A guest may have its share of descriptors (account.h).  Then whoever has said his line waits until there is a place for him, in
 * the order of coming; but who vouches for a stream finds one that was kept.  He stands behind all that have come before him,
 * and without him the stream does not end: so while a place is kept and no more can be greeted, the last one that waits is
 * refused. */
#ifndef XVSD_GREET_H
#define XVSD_GREET_H

#include "hostside.h"

#define GREET_MS      5000u
#define GREET_CLIENTS 256u

/* A device's side towards host programs, without a door (door.h), for this lane.  0 or -ENOMEM. */
int  greet_begin(struct hostside *host, struct hostsides *all, struct lane *lane);
/* Closes doors and clients; the lane is down.  Accepts all zero. */
void greet_end(struct hostside *host);

#endif
