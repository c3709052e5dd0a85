/* SPDX-License-Identifier: MIT */
/* framed.c: see framed.h. */
#include "framed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORTH 4096u             /* a piece of the stream's own memory smaller than this is not worth to be filled */

void framed_init(struct framed *f, struct end *end, const struct frame_grammar *heard)
{
    memset(f, 0, sizeof *f);
    f->end = end;
    frame_reader_init(&f->reader, heard);
}

void framed_free(struct framed *f)
{
    frame_reader_free(&f->reader);
    free(f->rest);
    f->rest = NULL;
}

/* ---- writing ---- */

static ssize_t write_some(struct framed *f, const void *bytes, size_t len)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
    ssize_t n = f->end->ops->write(f->end, &iov, 1);

    return n == -EAGAIN ? 0 : n;
}

int framed_flush(struct framed *f)
{
    int err = f->rest ? end_write_rest(f->end, f->rest, f->len, &f->at) : 0;

    if (!err) {
        free(f->rest);
        f->rest = NULL;
    }
    return err;
}

int framed_put(struct framed *f, const void *frame, size_t len)
{
    ssize_t n = write_some(f, frame, len);

    if (n < 0)
        return (int)n;
    if ((size_t)n == len)
        return 0;
    f->at = 0;
    f->len = len - (size_t)n;
    if (!(f->rest = malloc(f->len)))
        return -ENOMEM;
    memcpy(f->rest, (const uint8_t *)frame + n, f->len);
    /* An end that took less than it was given wakes only after it has said so. */
    n = framed_flush(f);
    return n == -EAGAIN ? 0 : (int)n;
}

/* One at a time in this thread, and nothing of it is kept. */
static uint8_t scratch[FRAME_HEADER + FRAME_MAX];

int framed_send(struct framed *f, enum frame_type type, const void *body, size_t len)
{
    frame_header(scratch, type, len);
    if (len)
        memcpy(scratch + FRAME_HEADER, body, len);
    return framed_put(f, scratch, FRAME_HEADER + len);
}

ssize_t framed_fill(struct framed *f, enum frame_type type, const struct framed_source *from, size_t most, bool *source)
{
    const struct end_ops *ops = f->end->ops;
    ssize_t room = 0, n;
    void *piece;
    int err;

    *source = false;
    if (most > FRAME_MAX)
        most = FRAME_MAX;
    if (ops->reserve && (room = ops->reserve(f->end, FRAME_HEADER + most, &piece)) < 0)
        return room;
    if ((size_t)room >= FRAME_HEADER + (most < WORTH ? most : WORTH)) {
        size_t len = (size_t)room - FRAME_HEADER;

        n = from->read(from->arg, (uint8_t *)piece + FRAME_HEADER, len < most ? len : most);
        if (n > 0)
            frame_header(piece, type, (size_t)n);
        err = ops->commit(f->end, n > 0 ? FRAME_HEADER + (size_t)n : 0);
        if (n > 0 && err < 0)
            return err;
    } else {
        if (room)
            ops->commit(f->end, 0);
        n = from->read(from->arg, scratch + FRAME_HEADER, ops->reserve && most > WORTH ? WORTH : most);
        if (n > 0) {
            frame_header(scratch, type, (size_t)n);
            if ((err = framed_put(f, scratch, FRAME_HEADER + (size_t)n)))
                return err;
        }
    }
    *source = n < 0;
    return n;
}

/* ---- reading ---- */

int framed_next(struct framed *f, struct frame *frame)
{
    const struct end_ops *ops = f->end->ops;

    for (;;) {
        struct iovec iov;
        int count = ops->peek(f->end, &iov, 1);
        ssize_t n;

        if (count < 0)
            return count;
        if (!count)
            return frame_is_between(&f->reader) ? 0 : -ECONNRESET;
        n = frame_read(&f->reader, iov.iov_base, iov.iov_len, frame);
        if (n < 0)
            return (int)n;
        if (n)
            ops->done(f->end, (size_t)n);
        if (frame->type)
            return 1;
    }
}

void framed_taken(struct framed *f, size_t len)
{
    if (!len)
        return;
    frame_taken(&f->reader, len);
    f->end->ops->done(f->end, len);
}
