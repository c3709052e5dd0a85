/* SPDX-License-Identifier: MIT */
/* wire.c: see wire.h. */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIRECT   16384u         /* so many bytes of DATA are not copied, but written from where they lie */
#define AT_ONCE  8              /* frames that one call writes */

int wire_open(struct wire *w, struct channel *c, const struct frame_grammar *grammar)
{
    w->channel = c;
    w->open = SIZE_MAX;
    frame_reader_init(&w->reader, grammar);
    w->in = malloc(WIRE_IN);
    w->out = malloc(WIRE_OUT);
    return w->in && w->out ? 0 : -ENOMEM;
}

void wire_close(struct wire *w)
{
    free(w->in);
    free(w->out);
    frame_reader_free(&w->reader);
    w->in = w->out = NULL;
}

static int broken(struct wire *w, int err)
{
    if (!w->err)
        w->err = err;
    return w->err;
}

/* ---- hearing ---- */

/* More bytes into 'in', whose old ones were all looked at.  0, -EAGAIN, or an error. */
static int fill(struct wire *w)
{
    ssize_t n = w->channel->read(w->channel, w->in, WIRE_IN);

    if (n == -EAGAIN)
        return -EAGAIN;
    if (n <= 0)
        return broken(w, n ? (int)n : -ECONNRESET);
    w->in_at = 0;
    w->in_len = (size_t)n;
    if (w->tick)
        w->tick(w);
    return 0;
}

static void give_back(struct wire *w)
{
    frame_taken(&w->reader, w->lent);
    w->in_at += w->lent;
    w->lent = 0;
}

/* The next frame, or bytes of DATA, of what is in 'in'; FRAME_NONE if that is used up. */
static int parse(struct wire *w, struct frame *f)
{
    ssize_t n;

    give_back(w);
    *f = (struct frame){ 0 };
    while (w->in_at < w->in_len) {
        if ((n = frame_read(&w->reader, w->in + w->in_at, w->in_len - w->in_at, f)) < 0)
            return broken(w, (int)n);
        w->in_at += (size_t)n;
        if (f->type)
            break;
    }
    if (f->type == FRAME_DATA) {
        w->lent = f->len;
        w->data_in += f->len;
        w->data_ended |= !f->len;
    }
    return 0;
}

static int hear(struct wire *w, const struct frame *f)
{
    int err = w->hear ? w->hear(w, f) : -EPROTO;

    w->over |= f->type == FRAME_EXIT || f->type == FRAME_ERROR;
    return err ? broken(w, err) : 0;
}

/* What is there, without waiting and up to DATA.  1 if there was something, 0 if not. */
static int hear_some(struct wire *w)
{
    struct frame f;
    int err;

    if (w->lent || w->over)
        return 0;
    do {
        if ((err = parse(w, &f)))
            return err;
        if (f.type == FRAME_DATA)
            return broken(w, -EPROTO);          /* nobody sends an archive to who sends one */
        if (f.type)
            return (err = hear(w, &f)) ? err : 1;
    } while (!(err = fill(w)));
    return err == -EAGAIN ? 0 : err;
}

int wire_hear_now(struct wire *w)
{
    int heard = w->err;

    if (!heard)
        while ((heard = hear_some(w)) > 0)
            ;
    return heard < 0 ? heard : w->over ? broken(w, -ECANCELED) : 0;
}

/* The next thing, waiting for it.  0 at DATA, and for anything else after it was heard. */
static int hear_one(struct wire *w, struct frame *f)
{
    int err;

    for (;;) {
        if ((err = parse(w, f)))
            return err;
        if (f->type)
            return f->type == FRAME_DATA ? 0 : hear(w, f);
        if (w->over)
            return broken(w, -ECONNRESET);
        if ((err = fill(w)) == -EAGAIN && (err = w->channel->wait(w->channel, false)))
            return broken(w, err);
        if (err)
            return err;
    }
}

int wire_hear_until(struct wire *w, bool (*until)(struct wire *w))
{
    struct frame f;
    int err = w->err;

    while (!err && !until(w))
        if (!(err = hear_one(w, &f)) && f.type == FRAME_DATA)
            err = broken(w, -EPROTO);
    return err;
}

static bool is_over(struct wire *w)
{
    return w->over;
}

int wire_hear_all(struct wire *w)
{
    return wire_hear_until(w, is_over);
}

ssize_t wire_data_next(struct wire *w, const void **bytes)
{
    struct frame f = { 0 };
    int err = w->err;

    while (!err && !w->data_ended) {
        if ((err = hear_one(w, &f)))
            break;
        if (f.type == FRAME_DATA && f.len) {
            *bytes = f.data;
            return (ssize_t)f.len;
        }
        if (w->over)
            err = broken(w, -ECONNRESET);
    }
    return err;
}

/* ---- saying ---- */

static void skip(struct iovec **iov, int *count, size_t n)
{
    while (*count && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        ++*iov;
        --*count;
    }
    if (*count) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

/* They read no more: what they said before that says why. */
static int hung_up(struct wire *w, int err)
{
    int heard;

    while (!w->over && !w->err) {
        if ((heard = hear_some(w)) < 0)
            break;
        if (!heard && w->channel->wait(w->channel, false))
            break;
    }
    if (w->err == -ECONNRESET)
        w->err = 0;
    return broken(w, err);
}

static int write_all(struct wire *w, struct iovec *iov, int count)
{
    int heard;

    while (!w->err && count) {
        ssize_t n = w->channel->write(w->channel, iov, count);

        if (n >= 0) {
            skip(&iov, &count, (size_t)n);
            if (w->tick)
                w->tick(w);
        } else if (n == -EPIPE || n == -ECONNRESET) {
            return hung_up(w, (int)n);
        } else if (n != -EAGAIN) {
            return broken(w, (int)n);
        } else if ((heard = hear_some(w)) < 0) {
            return heard;
        } else if (!heard && (n = w->channel->wait(w->channel, true)) < 0) {
            return broken(w, (int)n);
        }
        if (w->over)
            return broken(w, -ECANCELED);       /* they have done with it; why, was in their last frame */
    }
    return w->err;
}

int wire_flush(struct wire *w)
{
    struct iovec iov = { .iov_base = w->out, .iov_len = w->out_len };

    w->open = SIZE_MAX;
    w->out_len = 0;
    return iov.iov_len ? write_all(w, &iov, 1) : w->err;
}

static int make_room(struct wire *w, size_t len)
{
    return WIRE_OUT - w->out_len < len ? wire_flush(w) : w->err;
}

static void append(struct wire *w, const void *bytes, size_t len)
{
    if (len)
        memcpy(w->out + w->out_len, bytes, len);
    w->out_len += len;
}

int wire_send(struct wire *w, enum frame_type type, const void *body, size_t len)
{
    uint8_t header[FRAME_HEADER];
    int err = make_room(w, FRAME_HEADER + len);

    if (err)
        return err;
    frame_header(header, type, len);
    append(w, header, sizeof header);
    append(w, body, len);
    w->open = SIZE_MAX;
    return 0;
}

static int data_directly(struct wire *w, const uint8_t *bytes, size_t len)
{
    uint8_t headers[AT_ONCE][FRAME_HEADER];
    struct iovec iov[1 + 2 * AT_ONCE] = { { .iov_base = w->out, .iov_len = w->out_len } };
    int err = 0, count = 1;

    w->open = SIZE_MAX;
    w->out_len = 0;
    while (!err && len) {
        for (int i = 0; i < AT_ONCE && len; i++) {
            size_t n = len < FRAME_MAX ? len : FRAME_MAX;

            frame_header(headers[i], FRAME_DATA, n);
            iov[count++] = (struct iovec){ .iov_base = headers[i], .iov_len = FRAME_HEADER };
            iov[count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
            bytes += n;
            len -= n;
        }
        err = write_all(w, iov, count);
        count = 0;
    }
    return err;
}

int wire_data(struct wire *w, const void *bytes, size_t len)
{
    size_t body;
    int err;

    if (w->err || !len)
        return w->err;
    w->data_out += len;
    if (len >= DIRECT)
        return data_directly(w, bytes, len);
    body = w->open == SIZE_MAX ? SIZE_MAX : w->out_len - w->open - FRAME_HEADER;
    if (body != SIZE_MAX && body + len <= FRAME_MAX && w->out_len + len <= WIRE_OUT) {
        append(w, bytes, len);
        frame_header(w->out + w->open, FRAME_DATA, body + len);
        return 0;
    }
    if ((err = make_room(w, FRAME_HEADER + len)))
        return err;
    body = w->out_len;
    err = wire_send(w, FRAME_DATA, bytes, len);
    w->open = body;
    return err;
}

int wire_data_end(struct wire *w)
{
    int err = wire_send(w, FRAME_DATA, NULL, 0);

    return err ? err : wire_flush(w);
}
