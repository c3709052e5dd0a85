/* SPDX-License-Identifier: MIT */
/* framed.h: an end whose bytes are frames (proto/frame.h), each way.
 *
 * At most one frame waits to be written: what the end did not take of it.  While it does (framed_is_busy()) nothing can be sent, so whoever
 * has more to say keeps it where it is; framed_flush() is to be called when the end wakes. */
#ifndef XVS_FRAMED_H
#define XVS_FRAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "end.h"
#include "frame.h"

struct framed {
    struct end *end;            /* the caller's */
    struct frame_reader reader;
    uint8_t *rest;              /* of a frame, or NULL */
    size_t at, len;
};

/* The reader judges by this grammar, which is the other end's. */
void framed_init(struct framed *f, struct end *end, const struct frame_grammar *heard);
/* The end is not closed.  Accepts a zeroed one. */
void framed_free(struct framed *f);

static inline bool framed_is_busy(const struct framed *f)
{
    return f->rest != NULL;
}

/* 0 when nothing waits any more, -EAGAIN, or the end's error. */
int framed_flush(struct framed *f);
/* What waits: the frame's, until one of these calls. */
static inline struct iovec framed_rest(const struct framed *f)
{
    return (struct iovec){ .iov_base = f->rest ? f->rest + f->at : NULL, .iov_len = f->rest ? f->len - f->at : 0 };
}
/* A whole frame (message.h), or one of this type and body; nothing may be waiting.  0 if it was taken, though it may wait, or an error. */
int framed_put(struct framed *f, const void *frame, size_t len);
int framed_send(struct framed *f, enum frame_type type, const void *body, size_t len);

/* Reads up to 'most' bytes into a frame of a channel and sends it; nothing may be waiting.  The bytes' number, 0 at the source's end (about
 * which nothing is said to the other end), -EAGAIN if source or sink have to be waited for, or an error: *source says whose. */
struct framed_source {
    ssize_t (*read)(void *arg, void *buffer, size_t len);
    void *arg;
};
ssize_t framed_fill(struct framed *f, enum frame_type type, const struct framed_source *from, size_t most, bool *source);

/* 1 and the next frame, as frame_read() gives it; 0 at the end of the stream, between two frames; -EAGAIN; -EPROTO (f->reader.why) or
 * the end's error.  An end amid a frame is -ECONNRESET. */
int  framed_next(struct framed *f, struct frame *frame);
/* Of a channel's frame so many bytes were used; the others come again. */
void framed_taken(struct framed *f, size_t len);

#endif
