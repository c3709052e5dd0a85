/* SPDX-License-Identifier: MIT */
/* greet.h: host programs that have connected to a guest's socket and have not said where they want to go.
 *
 * Each has GREET_MS to send its line (connect_line.h); at most GREET_CLIENTS of a guest do so at a time, the others
 * wait in the kernel's backlog.  Those that then wait for the end of a stream (watchers.h) are not among these, so they keep nobody
 * from connecting.  Nothing after the newline is read.  On any failure the socket is closed without a
 * word. */
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
