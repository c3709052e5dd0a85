/* SPDX-License-Identifier: MIT */
/* client.c: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "land.h"
#include "list.h"
#include "message.h"
#include "pack.h"
#include "unpack.h"

#define PIECE (256u << 10)

static int wrong(struct client *c, int err, const char *why)
{
    if (!c->why[0])
        snprintf(c->why, sizeof c->why, "%s", why);
    return err;
}

/* ---- what comes ---- */

static int heard_exit(struct client *c, const struct frame *f)
{
    struct message_exit m;

    if (!message_get_exit(f->data, f->len, &m))
        return -EPROTO;
    c->ended = true;
    if (m.status && !c->there.problems)
        c->there.problems = 1;
    return 0;
}

static int heard_error(struct client *c, const struct frame *f)
{
    struct message_error m;

    if (!message_get_error(f->data, f->len, &m))
        return -EPROTO;
    c->ended = true;
    c->error = (int)m.status;
    c->theirs = true;
    wrong(c, 0, m.text);
    return 0;
}

static int heard_problem(struct client *c, const struct frame *f)
{
    struct said_problem s;

    if (!said_get_problem(f->data, f->len, &s))
        return -EPROTO;
    c->there.problems++;
    if (c->problem)
        c->problem(c, true, s.name, s.why);
    return 0;
}

/* Beside the archive: for whoever unpacks it, here or at the other peer. */
static int heard_beside(struct client *c, const struct frame *f)
{
    if (f->type == FRAME_TOTAL)
        return said_get_total(f->data, f->len, &c->total) ? 0 : -EPROTO;
    if (c->relay)
        return wire_send(&c->relay->wire, f->type, f->data, f->len) ? -ECANCELED : 0;
    return c->unpack ? unpack_hear(c->unpack, f) : -EPROTO;
}

static int hear(struct wire *w, const struct frame *f)
{
    struct client *c = container_of(w, struct client, wire);
    uint64_t problems = c->there.problems;
    int err = 0;

    switch (f->type) {
    case FRAME_EXIT:
        return heard_exit(c, f);
    case FRAME_ERROR:
        return heard_error(c, f);
    case FRAME_PROBLEM:
        return heard_problem(c, f);
    case FRAME_DONE:
        if (!said_get_done(f->data, f->len, &c->there))
            err = -EPROTO;
        if (c->there.problems < problems)
            c->there.problems = problems;
        return err;
    default:
        return heard_beside(c, f);
    }
}

static void tick(struct wire *w)
{
    struct client *c = container_of(w, struct client, wire);

    if (c->tick)
        c->tick(c);
}

static void problem_here(struct report *r, const char *name, const char *why)
{
    struct client *c = container_of(r, struct client, here);

    if (c->problem)
        c->problem(c, false, name, why);
}

/* ---- beginning and end ---- */

int client_open(struct client *c, enum client_kind kind, struct channel *channel, const struct request *r)
{
    c->request = r;
    c->wire.hear = hear;
    c->wire.tick = tick;
    c->here.tell = problem_here;
    return wire_open(&c->wire, channel, kind == CLIENT_PUT ? &frame_put_agent : &frame_get_agent);
}

void client_close(struct client *c)
{
    unpack_close(c->unpack);
    wire_close(&c->wire);
    c->unpack = NULL;
}

static int start(struct client *c)
{
    size_t len;
    char *text = request_text(c->request, &len);
    int err;

    if (!text)
        return wrong(c, -ENOMEM, "out of memory");
    if (len > FRAME_MAX)
        err = wrong(c, -E2BIG, "too many names at once, or too long ones");
    else if (!(err = wire_send(&c->wire, FRAME_START, text, len)))
        err = wire_flush(&c->wire);
    free(text);
    return err;
}

/* What err comes to.  An ERROR that has come says more than that the stream broke then. */
static int judge_end(struct client *c, int err)
{
    const char *nonsense = c->wire.reader.why[0] ? c->wire.reader.why : "what came makes no sense";

    if (c->error)
        return -EREMOTEIO;
    if (!err || c->why[0])
        return err;
    if (err == -ECONNRESET || err == -EPIPE || err == -ECANCELED)
        return wrong(c, -ECONNRESET, "the stream ended before the copy had");
    return wrong(c, err, err == -EPROTO ? nonsense : strerror(-err));
}

static int hear_the_end(struct client *c, int err)
{
    if (!err)
        err = wire_hear_all(&c->wire);
    return judge_end(c, err);
}

/* ---- putting ---- */

int client_put(struct client *c, const char *const *sources, size_t count, bool measure)
{
    struct pack *pack = NULL;
    const char *why = "out of memory";
    int err = start(c);

    for (size_t i = 0; measure && i < count; i++)
        pack_measure(sources[i], c->request->pack.follow, &c->total.bytes, &c->total.entries);
    if (!err && (err = pack_open(&pack, &c->wire, &c->here, &c->request->pack, &why)))
        wrong(c, err, why);
    for (size_t i = 0; !err && i < count; i++)
        err = pack_source(pack, sources[i], (uint32_t)i);
    if (!err)
        err = pack_end(pack);
    pack_close(pack);
    return hear_the_end(c, err);
}

/* What was read goes, and what they have said is heard, before more is waited for, which may take any time. */
static int wait_for_more(struct client *c, struct channel *from)
{
    int err = wire_flush(&c->wire);

    if (!err)
        err = wire_hear_now(&c->wire);
    return err ? err : from->wait(from, false);
}

int client_put_stream(struct client *c, struct channel *from)
{
    uint8_t *piece = malloc(PIECE);
    int err = piece ? start(c) : wrong(c, -ENOMEM, "out of memory");
    ssize_t n = 1;

    while (!err && n) {
        n = from->read(from, piece, PIECE);
        if (n == -EAGAIN)
            err = wait_for_more(c, from);
        else if (n < 0)
            err = n == -EINTR ? -EINTR : wrong(c, -EIO, strerror((int)-n));
        else
            err = wire_data(&c->wire, piece, (size_t)n);
    }
    if (!err)
        err = wire_data_end(&c->wire);
    free(piece);
    return hear_the_end(c, err);
}

/* ---- getting ---- */

/* A source that was asked for, by the name that it has here. */
static int expect(void *arg, const struct said_root *root)
{
    const struct client *c = arg;
    const char *name;
    size_t len;

    if (root->source >= c->request->count)
        return -EPROTO;
    name = land_name(c->request->paths[root->source], &len);
    return strlen(root->name) == len && memcmp(root->name, name, len) == 0 ? 0 : -EPROTO;
}

int client_get(struct client *c, const struct target *t)
{
    const char *why = "out of memory";
    int err;

    unpack_bound();
    if ((err = unpack_open(&c->unpack, &c->wire, &c->here, &c->request->unpack, t, &why)))
        return wrong(c, err, why);
    unpack_expect(c->unpack, expect, c);
    if (!(err = start(c)) && (err = unpack_run(c->unpack)) && !c->wire.err)
        wrong(c, err, unpack_why(c->unpack));
    return hear_the_end(c, err);
}

static int write_all(struct channel *to, const void *bytes, size_t len)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
    int err = 0;

    while (!err && iov.iov_len) {
        ssize_t n = to->write(to, &iov, 1);

        if (n == -EAGAIN) {
            err = to->wait(to, true);
        } else if (n < 0) {
            err = (int)n;
        } else {
            iov.iov_base = (uint8_t *)iov.iov_base + n;
            iov.iov_len -= (size_t)n;
        }
    }
    return err;
}

int client_get_stream(struct client *c, struct channel *to)
{
    const void *bytes;
    int err = start(c);
    ssize_t n;

    while (!err && (n = wire_data_next(&c->wire, &bytes)) != 0) {
        if (n < 0)
            err = (int)n;
        else if ((err = write_all(to, bytes, (size_t)n)) && err != -EINTR)
            err = wrong(c, -EIO, strerror(-err));
    }
    return hear_the_end(c, err);
}

/* ---- from one to the other ---- */

int client_relay(struct client *from, struct client *to)
{
    const void *bytes;
    int err = start(to), other;
    ssize_t n;

    from->relay = to;
    if (!err)
        err = start(from);
    while (!err && !to->wire.err && (n = wire_data_next(&from->wire, &bytes)) != 0)
        err = n < 0 ? (int)n : wire_data(&to->wire, bytes, (size_t)n);
    if (!err)
        err = wire_data_end(&to->wire);
    /* Who broke it says why; what the other then says is a consequence. */
    other = hear_the_end(to, to->wire.err ? to->wire.err : err);
    if (to->error || to->wire.err)
        return other;
    return hear_the_end(from, from->wire.err ? from->wire.err : err);
}

