/* SPDX-License-Identifier: MIT */
/* relay.h: a stream between two guests.
 *
 * It is two connections, one in each device's table, that are each other's twin.  Each end is promised what the other end has
 * promised: buf_alloc and fwd_cnt pass through, so the daemon need not queue anything and has no promise of its own to
 * keep.  Data is copied once, from the sender's pool to the receiver's buffers; for as long as the receiver has posted none it
 * stays in the sender's pool (inbox.h).  SHUTDOWN passes after the data before it, RST as well.
 *
 * The turn of a stream brings what its twin has received to its own guest, and belongs to that guest's device. */
#ifndef XVSD_RELAY_H
#define XVSD_RELAY_H

#include "stream.h"

/* A REQUEST for another guest: asks that guest, or refuses (a negative errno). */
int  relay_connect(struct stream *s);
void relay_event(struct stream *s, unsigned now);
enum stream_again relay_turn(struct stream *s);
/* This guest is gone: the other end is reset, or gets what was sent and ended in order (farewell.h). */
void relay_lost(struct stream *s);

#endif
