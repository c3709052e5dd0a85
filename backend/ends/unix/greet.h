/* SPDX-License-Identifier: MIT */
/* greet.h: host programs that have connected to a guest's socket and have not said where they want to go.
 *
 * Each has GREET_MS to send its line (connect_line.h); at most GREET_CLIENTS of a guest do so at a time, the others
 * wait in the kernel's backlog.  Those that then wait for the end of a stream (watchers.h) are not among these, so they keep nobody
 * from connecting.  Nothing after the newline is read.  On any failure the socket is closed without a
 * word. */
#ifndef XVSD_GREET_H
#define XVSD_GREET_H

#include "door.h"

#define GREET_MS      5000u
#define GREET_CLIENTS 256u

/* Begins to accept at this door, for the device to which it leads: 0 or a negative errno. */
int  greet_open(struct door *door);
/* Stops. */
void greet_shut(struct door *door);
/* A door of d has come or gone. */
void greet_look(struct device *d);
/* Closes the clients of d that are still speaking. */
void greet_stop(struct device *d);
uint64_t greet_deadline(const struct device *d);
void greet_due(struct device *d, uint64_t now);

#endif
