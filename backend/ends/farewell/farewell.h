/* SPDX-License-Identifier: MIT */
/* farewell.h: what is left of a stream that is over: its guest is gone, or only its reader has not read everything.
 *
 * A program that has written, closed and exited expects its bytes to arrive: on a kernel's socket they would.  Here its exit takes
 * the whole device away, and with it the pool in which the bytes lie.  So they are copied out, and delivered when the reader
 * takes them: to a host program by the socket alone (unread.h), to another guest by its own connection, whose other end is
 * then this buffer (deliver.h).  A stream that did not end in order is cut off, as it should be.
 *
 * All is in the account of the guest (account.h), which it has again when it comes back: the bytes keep to its limit, and
 * descriptors to its share.  In all there are FAREWELLS_MOST, of which a guest may hold as many as are free.  A reader that takes
 * nothing for the settings' farewell_seconds is given up: what waits here for it is dropped.  One thread. */
#ifndef XVSD_FAREWELL_H
#define XVSD_FAREWELL_H

#include "chunks.h"
#include "stream.h"

#define FAREWELLS_MOST 16384u

/* Those of a daemon. */
struct farewells {
    struct lanes *lanes;
    struct list list;           /* struct farewell.link */
    uint32_t count;
    struct alarm alarm;
};

struct farewell {
    struct farewells *all;
    const struct farewell_kind *kind;
    struct list link;
    struct account *account;    /* of the guest whose stream it was */
    struct chunks data;
    uint32_t left;              /* bytes in data */
    bool is_cut;                /* data is not all: no end in order comes after it */
    bool of_messages;           /* …parts of such (chunks.h) */
    uint64_t give_up_at;        /* ms: when its reader will have taken nothing for long enough */
};

/* Where one is delivered.  Each has a record of its own, which begins with a struct farewell; any of these calls may free it. */
struct farewell_kind {
    size_t size;                /* bytes of its record */
    void (*look)(struct farewell *f);           /* an alarm rang; NULL */
    void (*give_up)(struct farewell *f);        /* its reader is given up, and its data is dropped */
    void (*stop)(struct farewell *f);           /* the daemon stops; NULL: it belongs to a stream, and goes with that */
};

void farewells_init(struct farewells *all, struct lanes *lanes);
/* The daemon stops: what was not delivered never will be. */
void farewells_stop(struct farewells *all);

/* One without data, for a stream of this lane; NULL if there may be no more of them. */
struct farewell *farewell_new(const struct farewell_kind *kind, const struct lane *lane);
/* The same, with what is in the inbox of s, as far as there is memory for it; what is not kept is said in the log.  NULL: nothing. */
struct farewell *farewell_new_of(const struct farewell_kind *kind, struct stream *s);
/* Its reader has taken something. */
void farewell_put_off(struct farewell *f);
/* Calls look() at 'at' (ms), or earlier. */
void farewell_look_at(struct farewell *f, uint64_t at);
/* Nobody will have what waits here. */
void farewell_drop_data(struct farewell *f);
void farewell_free(struct farewell *f);

#endif
