/* SPDX-License-Identifier: MIT */
/* farewell.h: what a guest's program sent and closed in order before it went away, and nobody has read yet.
 *
 * A program that has written, closed and exited expects its bytes to arrive: on a kernel's socket they would.  Here its exit takes
 * the whole device away, and with it the pool in which the bytes lie.  So they are copied out, and delivered when the reader
 * takes them: to a host program by the socket alone, to another guest by its own connection, whose other end is then this buffer.
 * A stream that did not end in order is cut off, as it should be.
 *
 * Bounded: all farewells of one domain together keep to held_spill_bytes.  One thread. */
#ifndef XVSD_FAREWELL_H
#define XVSD_FAREWELL_H

#include "stream.h"

struct farewell;

/* Takes the socket, the number, the watchers and what is in the inbox of a bridged stream whose guest has ended it in order.  'end': how
 * the stream will have ended if all of it is delivered.  False: not enough memory for it. */
bool farewell_to_host(struct stream *s, enum fate_end end);
/* Who waits for the end of such a stream of this device, by its number; NULL if there is none. */
struct list *farewell_watchers(const struct device *d, uint32_t number);
/* Puts what is in the inbox of 'gone' at the other end of its twin 'stays'.  False: not enough memory for it. */
bool farewell_to_guest(struct stream *stays, struct stream *gone);
enum stream_again farewell_turn(struct stream *s);
/* Frees s->farewell; harmless without one. */
void farewell_end(struct stream *s);
/* The daemon stops: what was not delivered never will be. */
void farewell_drop_all(struct xvsd *x);

#endif
