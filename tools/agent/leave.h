/* SPDX-License-Identifier: MIT */
/* leave.h: the last of a conversation: what was said is to arrive before the stream is closed.
 *
 * A stream that is closed with bytes unread is reset, and with it goes what the other end has not read.  So the last bytes are said as
 * soon as the stream takes them, others may have filled it at the moment; the end of ours is told, and what still comes is thrown away
 * until the caller has hung up: all of that for ten seconds at most. */
#ifndef XVS_LEAVE_H
#define XVS_LEAVE_H

#include "end.h"

struct leaving {
    struct loop *loop;
    struct list all;
    unsigned count;
};

void leaving_begin(struct leaving *l, struct loop *loop);
void leaving_end(struct leaving *l);
/* Takes the end, and copies what is to be said before it is told: count pieces. */
void leave(struct leaving *l, struct end *end, const struct iovec *last, int count);
/* The same with one line: why the service that he has named is not to be had (proto/tcpmux.h). */
void leave_refused(struct leaving *l, struct end *end, const char *why);

#endif
