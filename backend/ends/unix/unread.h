/* SPDX-License-Identifier: MIT */
/* unread.h: what is left of a bridged stream until its host program has read everything (farewell.h): what did not fit into the
 * socket, if its guest has ended it in order and is gone; and the socket.
 *
 * What is in a socket and not read is memory that the guest holds.  Closed, it would be counted to nobody; so the socket of a stream
 * that is over waits here until its program has read everything.  It is shut in both directions meanwhile, so the program sees the
 * end behind the data, and cannot send (EPIPE).  If its reader is given up, the socket is closed; or it stays until it is read, as
 * long as its guest is there to be counted for it. */
#ifndef XVSD_UNREAD_H
#define XVSD_UNREAD_H

#include "hostside.h"
#include "stream.h"

/* A bridged stream's, which hands them over. */
struct unread_parts {
    struct source *socket;      /* fd -1 and not registered afterwards, if it is taken */
    uint32_t *in_socket;        /* what it holds, as it is counted (held.h); likewise 0 */
    bool line_waits;            /* something of its line is still in it (bridge.h) */
};

/* Takes the socket, the number, the watchers and what is in the inbox of s, whose guest has ended it in order.  'end': how
 * the stream will have ended if all of it is delivered.  False: nothing of it could be kept. */
bool unread_keep(struct stream *s, struct unread_parts parts, struct fate *fate, enum fate_end end);
/* Takes the socket alone, until it is read; the stream's end is known, and was in order or not.  If it cannot, the socket stays. */
void unread_keep_socket(struct stream *s, struct unread_parts parts, bool order);
/* The device goes: what is left of its streams goes on, but nobody can ask for it any more. */
void unread_orphan(struct hostside *host);

#endif
