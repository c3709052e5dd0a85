/* SPDX-License-Identifier: MIT */
/* wire.h: frames over a channel, for the services put and get: the archive's bytes (DATA), and beside them what is said about it.
 *
 * What is sent is gathered, and goes when there is enough of it or by wire_flush().  Whatever waits for the channel to take bytes meanwhile hears
 * what comes, so two ends that both have something to say cannot block each other.
 *
 * One wire, one thread. */
#ifndef XVS_WIRE_H
#define XVS_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "frame.h"

#define WIRE_IN  (256u << 10)
#define WIRE_OUT (2 * (FRAME_MAX + FRAME_HEADER))

struct wire {
    struct channel *channel;
    /* A frame has come that is not DATA; its body is there within the call alone.  0, or a negative errno that ends the wire. */
    int (*hear)(struct wire *w, const struct frame *f);
    void (*tick)(struct wire *w);       /* from time to time while bytes move; may be NULL */
    void *arg;

    struct frame_reader reader;
    uint8_t *in, *out;
    size_t in_at, in_len, out_len;
    size_t open;                /* where in out the DATA frame begins that can be added to; SIZE_MAX: none */
    size_t lent;                /* bytes of DATA that the caller of wire_data_next() still looks at */
    uint64_t data_in, data_out; /* bytes of DATA so far */
    bool data_ended;            /* theirs */
    bool over;                  /* their last frame has come */
    int err;                    /* the first one: it stays */
};

/* 0 or -ENOMEM.  The channel, hear, tick and arg are the caller's; grammar: of what comes. */
int  wire_open(struct wire *w, struct channel *c, const struct frame_grammar *grammar);
/* Accepts a zeroed one. */
void wire_close(struct wire *w);

/* All of these: 0 or a negative errno; -ECONNRESET if the stream ended before their last frame, -EPROTO for nonsense (reader.why). */
int  wire_send(struct wire *w, enum frame_type type, const void *body, size_t len);
int  wire_data(struct wire *w, const void *bytes, size_t len);
/* No more DATA: flushes, too. */
int  wire_data_end(struct wire *w);
int  wire_flush(struct wire *w);
/* Hears what is there, without waiting; -ECANCELED if that was their last frame.  For who waits for something else. */
int  wire_hear_now(struct wire *w);
/* Hears until their last frame has come. */
int  wire_hear_all(struct wire *w);
/* Hears until 'until' is true, which is looked at before each frame. */
int  wire_hear_until(struct wire *w, bool (*until)(struct wire *w));

/* The next bytes of DATA, which stay until the next call: their number, 0 at their end, or a negative errno. */
ssize_t wire_data_next(struct wire *w, const void **bytes);

#endif
