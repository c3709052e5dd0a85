/* SPDX-License-Identifier: MIT */
/* rawstream.h: streams of a guest by hand (rawfront.h) that keep to the rules of credit and of ids, and to no others: it sends as
 * much as it is allowed, as it likes.  It takes what comes and never gives credit for it.  What it sends is all 'x'. */
#ifndef XVS_TEST_RAWSTREAM_H
#define XVS_TEST_RAWSTREAM_H

#include "rawfront.h"

#define RAWSTREAMS       1024u
#define RAWSTREAM_CREDIT 262144u        /* bytes that the other end may send, in all (rawfront_header()) */

struct rawstream {
    uint32_t port, host_port;       /* the guest's; the host's */
    uint64_t peer;                  /* its CID */
    uint32_t sent, alloc, fwd;      /* bytes */
    bool open, over;                /* answered; reset */
};

struct rawguest {
    struct rawfront f;
    bool flying[512];               /* ids that have not come back */
    uint32_t ready;                 /* ids that have, at least */
    struct rawstream stream[RAWSTREAMS];
    uint32_t count;                 /* of them */
    uint64_t received;              /* bytes of data, dropped */
};

/* rawfront_open() and _connect(), with rings and pools as large as a good guest has.  0 or a negative errno. */
int  rawguest_open(struct rawguest *g, uint32_t domid);
int  rawguest_connect(struct rawguest *g);
/* The device goes away in order, as far as xenstore says; the streams do not. */
void rawguest_leave(struct rawguest *g);
/* Takes in what is there. */
void rawguest_hear(struct rawguest *g);

/* Asks for a stream to a port of peer's, from a port of its own; does not wait.  NULL when there are too many. */
struct rawstream *rawstream_ask(struct rawguest *g, uint64_t peer, uint32_t port);
/* The same, and waits for the answer: NULL if it is no. */
struct rawstream *rawstream_connect(struct rawguest *g, uint64_t peer, uint32_t port);
/* A packet of len bytes: false if it may not now. */
bool rawstream_send(struct rawguest *g, struct rawstream *s, uint32_t len);
/* A packet without data; waits for an id. */
void rawstream_say(struct rawguest *g, struct rawstream *s, unsigned op, uint32_t flags);
/* Sends packets of len bytes over each of count streams, up to most bytes each, until nothing goes any more, although the daemon
 * has had time: bytes sent in all. */
uint64_t rawstream_fill(struct rawguest *g, struct rawstream *s, uint32_t count, uint32_t len, uint32_t most);

#endif
