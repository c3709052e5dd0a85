/* SPDX-License-Identifier: MIT */
/* bridge_inside.h: the bridge as a whole, for its parts.
 *
 *     bridge_turn.c       a stream's events and turns
 *     bridge_dial.c       its beginning: the guest calls
 *     bridge_call.c       …a host program calls
 *     bridge_refuse.c     …and is turned away
 *     bridge_socket.c     what the kernel tells of the socket
 *     bridge_to_host.c    bytes and messages, one way
 *     bridge_to_guest.c   …the other way
 *     bridge_vouch.c      who vouches for it
 *     bridge_over.c       its end */
#ifndef XVSD_BRIDGE_INSIDE_H
#define XVSD_BRIDGE_INSIDE_H

#include "bridge.h"

#define BRIDGE_PIECES 64
#define BRIDGE_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static inline struct bridge *bridge_of(struct stream *s)
{
    return container_of(s, struct bridge, s);
}

static inline struct poller *poller_of(const struct bridge *b)
{
    return &b->s.lane->all->loop->poller;
}

static inline struct fates *fates_of(const struct bridge *b)
{
    return &b->s.lane->host->fates;
}

static inline struct held *held_of(const struct bridge *b)
{
    return &b->s.lane->account->held;
}

/* ---- the beginning ---- */

/* The socket is the stream's, or with an error still the caller's.  What it can hold is known from here on (held.h). */
int  bridge_take_socket(struct bridge *b, int fd);
/* Of end_kind. */
int  bridge_offer(struct stream *s);
/* A host program is told, as far as it has asked to be: err and reason say why. */
void bridge_turn_away(struct hostside *host, int fd, uint32_t port, bool vouched, int err, struct reason reason);

/* …or is let in: that it was turned away before is over. */
void bridge_let_in(const struct bridge *b);

/* ---- both ways ---- */

/* What is in the socket is counted anew. */
void bridge_look_into_socket(struct bridge *b);
enum stream_again bridge_turn_to_host(struct bridge *b);
enum stream_again bridge_turn_to_guest(struct bridge *b);
/* In place of the latter when the guest's end is over, and the host program has not read all that came before. */
enum stream_again bridge_drop_closed(struct bridge *b);
/* A reset, for this reason: what the host program has sent is no whole. */
void bridge_break_off(struct bridge *b, struct reason why);

/* ---- the end ---- */

extern const struct watched_kind bridge_watched_kind;
/* Who vouched for it has gone before its end. */
void bridge_abandoned(struct watched *w);
/* Nobody will vouch for it any more. */
void bridge_keep_no_place(struct bridge *b);

/* How a stream ended whose guest's end is over. */
enum fate_end bridge_judge(const struct bridge *b);
/* No stream comes by the number that was dialled with.  Who has been faster than the dialer's word, and waits for its end, is told. */
void bridge_drop_number(struct bridge *b, enum fate_end end);
/* The socket is closed, or left to unread.h. */
void bridge_close_as(struct bridge *b, enum fate_end end);
/* An open stream has ended, and those who wait are told. */
void bridge_end_as(struct bridge *b, enum fate_end end);
/* The host program has gone, and the guest is told so in order; it has yet to say whether it has read everything. */
void bridge_leave(struct bridge *b);
/* Of end_kind. */
void bridge_lost(struct stream *s, enum lane_cut why);
void bridge_close(struct stream *s);

#endif
