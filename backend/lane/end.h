/* SPDX-License-Identifier: MIT */
/* end.h: what can be at the other end of a guest's stream.
 *
 * A kind of end is one folder below ends/ and one line in the daemon's table.  A guest's REQUEST is offered to the kinds in
 * the order of the table until one takes it: so the table is the routing.  A kind may also begin streams of its own accord
 * (stream_connect()).
 *
 * A kind has a record of its own, which begins with a struct stream; the table of connections makes it, all zero.  Its calls are
 * made by the lane, from within a piece of work (serve.h) or as it goes down, and may call whatever is in stream.h. */
#ifndef XVSD_END_H
#define XVSD_END_H

#include <stdbool.h>
#include <stddef.h>

#include "policy.h"
#include "reason.h"

struct stream;

/* What a stream does after its turn. */
enum stream_again {
    STREAM_WAITS,               /* for an event: of its end, of its guest */
    STREAM_MORE,                /* it can do more at once */
    STREAM_THIRSTS,             /* it has data for its guest, and the guest has no empty buffer */
    STREAM_STARVES,             /* it has data for its end, and the guest's sockets hold what they may (held.h) */
    STREAM_ENDED                /* the record is gone */
};

/* Why a lane goes down. */
enum lane_cut {
    LANE_STOPPED,               /* the daemon stops */
    LANE_DETACHED,              /* the device is taken away */
    LANE_GONE,                  /* the guest is gone */
    LANE_REFUSED,               /* the guest broke a rule */
    LANE_DOWN                   /* the guest's program gave up the device */
};

/* …as the other end of a stream hears of it. */
struct reason lane_cut_reason(enum lane_cut why);

/* What the other end is ready for, as far as we know: a set. */
#define END_READABLE (1u << 0)
#define END_WRITABLE (1u << 1)

struct end_kind {
    const char *name;           /* a word for people: what is at the other end */
    size_t size;                /* bytes of its record */
    enum policy_kind policy;    /* what the policy calls what is there */
    bool has_messages;          /* it takes streams of messages (SEQPACKET), too */
    bool passes_credit;         /* the guest's buf_alloc is not the stream's promise (promise.h), but what the other end gives */

    /* A REQUEST: 0, it is taken, and answered now or later; -ENOENT, it is none of this kind's, and the record is as it was; -EACCES, as
     * that, since the policy forbids it this kind (gate.h), which is told if no other takes it; another negative errno: it is refused,
     * and the record holds nothing.  NULL: it never takes any. */
    int (*offer)(struct stream *s);
    /* A bounded piece of work.  It calls stream_end() when all is over. */
    enum stream_again (*turn)(struct stream *s);
    /* The guest did something: now is a set of VCONN_NOW_* (vconn.h).  Data is in the inbox already.  NULL: it wants a turn. */
    void (*event)(struct stream *s, unsigned now);
    /* The lane goes down, and what the guest has sent is delivered as far as the reader takes it now.  NULL: its turns do that. */
    void (*last_words)(struct stream *s);
    /* It is down.  What is in the inbox can still be taken out of it, by nobody later.  NULL: nothing to be done. */
    void (*lost)(struct stream *s, enum lane_cut why);
    /* Whatever it still holds is let go, before the record is gone.  NULL: it holds nothing. */
    void (*close)(struct stream *s);
    /* There is a new policy: a stream that it forbids ends with a reset (stream_cut()).  It is not closed.  NULL: that is none of its business. */
    void (*judge)(struct stream *s);
    /* END_*, for people.  NULL: there is nothing to say. */
    unsigned (*ready)(const struct stream *s);
};

/* Bytes of a record that may become any of these, which are ended by NULL. */
size_t end_record_size(const struct end_kind *const *ends);

#endif
