/* SPDX-License-Identifier: MIT */
/* farewell.h: what is left of a stream that is over: its guest is gone, or only its reader has not read everything.
 *
 * A program that has written, closed and exited expects its bytes to arrive: on a kernel's socket they would.  Here its exit takes
 * the whole device away, and with it the pool in which the bytes lie.  So they are copied out, and delivered when the reader
 * takes them: to a host program by the socket alone, to another guest by its own connection, whose other end is then this buffer.
 * A stream that did not end in order is cut off, as it should be.
 *
 * What is in a socket and not read is memory that the guest holds.  Closed, it would be counted to nobody; so the socket of a stream
 * that is over waits here until its program has read everything.  It is shut in both directions meanwhile, so the program sees the
 * end behind the data, and cannot send (EPIPE).
 *
 * All is in the account of the guest (account.h), which it has again when it comes back: the bytes, here and in the sockets,
 * keep to its limit, and descriptors to its share.  In all there are FAREWELLS_MOST, of which a guest may hold as many as are free.
 * A reader that takes nothing for the settings' farewell_seconds is given up: what waits here for it is dropped, and the
 * socket is closed; or it stays until it is read, as long as its guest is there to be counted for it.  One thread. */
#ifndef XVSD_FAREWELL_H
#define XVSD_FAREWELL_H

#include "stream.h"

#define FAREWELLS_MOST 16384u

struct farewell;

/* Takes the socket, the number, the watchers and what is in the inbox of a bridged stream whose guest has ended it in order.  'end': how
 * the stream will have ended if all of it is delivered.  False: nothing of it could be kept. */
bool farewell_to_host(struct stream *s, enum fate_end end);
/* Takes the socket alone, until it is read; the stream's end is known, and was in order or not.  If it cannot, the socket stays. */
void farewell_to_socket(struct stream *s, bool order);
/* Who waits for the end of such a stream of this device, by its number; NULL if there is none. */
struct list *farewell_watchers(const struct device *d, uint32_t number);
/* Puts what is in the inbox of 'gone' at the other end of its twin 'stays'.  False: nothing of it could be kept. */
bool farewell_to_guest(struct stream *stays, struct stream *gone);
enum stream_again farewell_turn(struct stream *s);
/* Frees s->farewell; harmless without one. */
void farewell_end(struct stream *s);
/* x->farewell_at has come. */
void farewell_due(struct xvsd *x, uint64_t now);
/* The daemon stops: what was not delivered never will be. */
void farewell_drop_all(struct xvsd *x);

#endif
