/* SPDX-License-Identifier: MIT */
/* packets.h: packets between the rings and the table of connections, in batches: everything that has come is taken in, then
 * everything that is owed goes out, then the backend is notified at most once. */
#ifndef XVS_PACKETS_H
#define XVS_PACKETS_H

#include "trunk.h"

/* New rings, in zeroed memory, and the channel that goes with them.  The caller sets 'up' when the backend has them. */
void packets_begin(struct trunk *t, const struct link_memory *mem, xenevtchn_handle *evtchn, evtchn_port_t port);
/* Takes what has come over the rings: the number of packets; or -EPROTO, after which 'up' is false and 'why' says how the backend
 * broke the protocol. */
int  packets_receive(struct trunk *t, uint64_t now);
/* What is due by now. */
void packets_expire(struct trunk *t, uint64_t now);
/* Sends what is owed, shows the backend what was sent, and notifies. */
void packets_flush(struct trunk *t);
/* Takes back what the backend has finished with, if anything, and tells those who wait for it. */
void packets_reap(struct trunk *t);
/* Someone waits for the backend to finish with something: its next completion is to wake us. */
void packets_await(struct trunk *t);

#endif
