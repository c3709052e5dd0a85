/* SPDX-License-Identifier: MIT */
/* records.c: see records.h. */
#include "records.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define STEP   65536u           /* bytes read at a time */
#define HEADER 4u               /* bytes, of a frame */
#define PIECES 64

struct records {
    struct end end;
    struct end *of;
    struct records_form form;
    uint8_t *in;                /* what was read: len bytes from at on, of room */
    size_t at, len, room;
    size_t seen;                /* …of which so many have no newline */
    size_t used;                /* bytes that the message which peek has shown takes, with its header */
    bool ended;                 /* no more comes */
    uint8_t *rest;              /* what is left to be written of a message: rest_len bytes from rest_at on */
    size_t rest_at, rest_len;
    char why[96];
};

static struct records *records_of(struct end *e)
{
    return container_of(e, struct records, end);
}

bool records_parse(const char *text, struct records_form *form)
{
    uint64_t bytes = 0;

    if (strcmp(text, "lines") == 0)
        *form = (struct records_form){ .kind = RECORDS_LINES };
    else if (strcmp(text, "frames") == 0)
        *form = (struct records_form){ .kind = RECORDS_FRAMES };
    else if (parse_size(text, END_MESSAGE, &bytes) && bytes)
        *form = (struct records_form){ .kind = RECORDS_BYTES, .bytes = (size_t)bytes };
    else
        return false;
    return true;
}

/* ---- reading ---- */

static int bad(struct records *r, int err, const char *what)
{
    snprintf(r->why, sizeof r->why, "%s", what);
    return err;
}

static int too_long(struct records *r, const char *what)
{
    snprintf(r->why, sizeof r->why, "%s than %d bytes, which no message has", what, END_MESSAGE);
    return -EMSGSIZE;
}

/* Bytes that the first message has, behind *header, 0 while it is not whole, or a negative errno. */
static ssize_t find_line(struct records *r)
{
    const uint8_t *first = r->in + r->at, *newline = r->len ? memchr(first + r->seen, '\n', r->len - r->seen) : NULL;

    r->seen = r->len;
    if (newline ? newline - first >= END_MESSAGE : r->len >= END_MESSAGE)
        return too_long(r, "a line is longer");
    return newline ? newline + 1 - first : r->ended ? (ssize_t)r->len : 0;
}

static ssize_t find_bytes(const struct records *r)
{
    return r->len >= r->form.bytes ? (ssize_t)r->form.bytes : r->ended ? (ssize_t)r->len : 0;
}

static ssize_t find_frame(struct records *r)
{
    uint32_t len = 1;

    if (r->len >= HEADER) {
        memcpy(&len, r->in + r->at, HEADER);
        len = ntohl(len);
    }
    if (!len)
        return bad(r, -EBADMSG, "a frame has the length 0, and there are no empty messages");
    if (len > END_MESSAGE)
        return too_long(r, "a frame is longer");
    if (r->len >= HEADER && r->len - HEADER >= len)
        return (ssize_t)len;
    return r->ended && r->len ? bad(r, -EBADMSG, "it ended within a frame") : 0;
}

static ssize_t find(struct records *r, size_t *header)
{
    *header = r->form.kind == RECORDS_FRAMES ? HEADER : 0;
    switch (r->form.kind) {
    case RECORDS_LINES: return find_line(r);
    case RECORDS_BYTES: return find_bytes(r);
    default:            return find_frame(r);
    }
}

/* Reads more behind what is there: bytes, 0 at the end, or a negative errno. */
static ssize_t read_more(struct records *r)
{
    ssize_t n;

    if (r->at && r->at + r->len + STEP > r->room) {
        memmove(r->in, r->in + r->at, r->len);
        r->at = 0;
    }
    if (r->at + r->len + STEP > r->room) {
        size_t room = r->room ? 2 * r->room : 2 * (size_t)STEP;
        uint8_t *in = realloc(r->in, room);

        if (!in)
            return -ENOMEM;
        r->in = in;
        r->room = room;
    }
    n = r->of->ops->read(r->of, r->in + r->at + r->len, STEP);
    r->len += n > 0 ? (size_t)n : 0;
    r->ended |= n == 0;
    return n;
}

static int records_peek(struct end *e, struct iovec *iov, int max)
{
    struct records *r = records_of(e);
    size_t header;
    ssize_t len;

    if (fdend_reads_packets(r->of))
        return r->of->ops->peek(r->of, iov, max);
    while (!(len = find(r, &header)) && !r->ended) {
        ssize_t n = read_more(r);

        if (n < 0)
            return (int)n;
    }
    if (len <= 0)
        return (int)len;
    iov[0] = (struct iovec){ .iov_base = r->in + r->at + header, .iov_len = (size_t)len };
    r->used = header + (size_t)len;
    return 1;
}

static void records_done(struct end *e, size_t len)
{
    struct records *r = records_of(e);

    if (fdend_reads_packets(r->of)) {
        r->of->ops->done(r->of, len);
        return;
    }
    r->at += r->used;
    r->len -= r->used;
    r->used = r->seen = 0;
}

static void records_stop(struct end *e)
{
    struct records *r = records_of(e);

    r->len = r->seen = 0;
    r->ended = true;
    r->of->ops->stop(r->of);
}

/* ---- writing ---- */

static int flush(struct records *r)
{
    while (r->rest_len) {
        struct iovec iov = { .iov_base = r->rest + r->rest_at, .iov_len = r->rest_len };
        ssize_t n = r->of->ops->write(r->of, &iov, 1);

        if (n < 0)
            return (int)n;
        r->rest_at += (size_t)n;
        r->rest_len -= (size_t)n;
    }
    free(r->rest);
    r->rest = NULL;
    return 0;
}

/* What is behind the first 'written' bytes. */
static int keep(struct records *r, const struct iovec *iov, int count, size_t written, size_t total)
{
    uint8_t *to;

    if (written == total)
        return 0;
    if (!(to = r->rest = malloc(total - written)))
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        size_t skip = written < iov[i].iov_len ? written : iov[i].iov_len, len = iov[i].iov_len - skip;

        memcpy(to, (const uint8_t *)iov[i].iov_base + skip, len);
        to += len;
        written -= skip;
    }
    r->rest_at = 0;
    r->rest_len = (size_t)(to - r->rest);
    return 0;
}

/* All of it is taken, though a part may wait here: for that the next one waits. */
static ssize_t records_write(struct end *e, const struct iovec *iov, int count)
{
    struct records *r = records_of(e);
    bool frames = r->form.kind == RECORDS_FRAMES;
    struct iovec all[PIECES + 1];
    size_t total = 0;
    uint32_t header;
    ssize_t n;
    int err;

    if (fdend_writes_packets(r->of))
        return r->of->ops->write(r->of, iov, count);
    if ((err = flush(r)))
        return err;
    if (count > PIECES)
        return -EINVAL;
    memcpy(all + 1, iov, (size_t)count * sizeof *iov);
    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    header = htonl((uint32_t)total);
    all[0] = (struct iovec){ .iov_base = &header, .iov_len = HEADER };
    n = r->of->ops->write(r->of, all + !frames, count + frames);
    if (n < 0)
        return n;
    err = keep(r, all + !frames, count + frames, (size_t)n, total + (frames ? HEADER : 0));
    if (!err)
        flush(r);               /* until it is told to wait, or nobody would wake us; an error comes again, with the next call */
    return err ? err : (ssize_t)total;
}

static int records_finish(struct end *e)
{
    struct records *r = records_of(e);
    int err = flush(r);

    return err ? err : r->of->ops->finish(r->of);
}

static bool records_is_cut(struct end *e)
{
    return records_of(e)->of->ops->is_cut(records_of(e)->of);
}

/* What waits to be written has nobody else who remembers it. */
static void woke(void *arg)
{
    struct records *r = arg;

    flush(r);
    end_wake(&r->end);
}

/* ---- the end ---- */

static const char *records_why(struct end *e)
{
    return records_of(e)->why[0] ? records_of(e)->why : NULL;
}

static void records_close(struct end *e, bool reset)
{
    struct records *r = records_of(e);

    r->of->ops->close(r->of, reset);
    free(r->in);
    free(r->rest);
    free(r);
}

struct end *records_end(struct end *of, const struct records_form *form)
{
    static const struct end_ops ops = {
        .peek = records_peek,     .done = records_done, .write = records_write,   .finish = records_finish,
        .stop = records_stop,     .is_cut = records_is_cut, .why = records_why,   .close = records_close,
    };
    struct records *r = of ? calloc(1, sizeof *r) : NULL;

    if (!r) {
        if (of)
            of->ops->close(of, true);
        return NULL;
    }
    r->end.ops = &ops;
    r->of = of;
    r->form = *form;
    end_on_wake(of, woke, r);
    return &r->end;
}
