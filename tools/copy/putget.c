/* SPDX-License-Identifier: MIT */
/* putget.c: see putget.h. */
#include "putget.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "channel.h"
#include "list.h"
#include "message.h"
#include "request.h"
#include "said.h"
#include "unpack.h"
#include "wire.h"

struct service {
    struct channel_fds channel;
    struct wire wire;
    struct report report;
    struct request request;
    struct target target;
    struct unpack *unpack;
    struct pack *pack;
    bool started;
    char why[JSON_WHY];
    const char *other_why;      /* or this, if why is empty */
};

static int said_last(struct service *s, uint8_t frame[MESSAGE_MAX], enum frame_type type, size_t len)
{
    int err = wire_send(&s->wire, type, frame + FRAME_HEADER, len - FRAME_HEADER);

    return err ? err : wire_flush(&s->wire);
}

static int say_error(struct service *s, int err, const char *why)
{
    uint8_t frame[MESSAGE_MAX];

    s->wire.err = 0;            /* what broke may be the other direction alone */
    return said_last(s, frame, FRAME_ERROR, message_put_error(frame, 1, err, why));
}

static int say_exit(struct service *s)
{
    uint8_t done[SAID_DONE], frame[MESSAGE_MAX];
    const struct message_exit m = { .status = s->report.problems ? 1 : 0 };
    int err = wire_send(&s->wire, FRAME_DONE, done, said_put_done(done, &s->report));

    return err || said_last(s, frame, FRAME_EXIT, message_put_exit(frame, &m));
}

static void tell(struct report *r, const char *name, const char *why)
{
    struct service *s = container_of(r, struct service, report);
    uint8_t body[SAID_PROBLEM];

    wire_send(&s->wire, FRAME_PROBLEM, body, said_put_problem(body, name, why));
}

static int hear(struct wire *w, const struct frame *f)
{
    struct service *s = container_of(w, struct service, wire);

    if (f->type == FRAME_START) {
        s->started = true;
        return request_parse(f->data, f->len, &s->request, s->why);
    }
    return s->unpack ? unpack_hear(s->unpack, f) : -EPROTO;
}

static bool has_started(struct wire *w)
{
    return container_of(w, struct service, wire)->started;
}

/* ---- put ---- */

static int put(struct service *s)
{
    int err;

    if (s->request.count != 1)
        return say_error(s, -EPROTO, "put wants one path");
    s->target = (struct target){ .path = s->request.paths[0], .many = s->request.many, .parents = s->request.parents };
    unpack_bound();
    if ((err = unpack_open(&s->unpack, &s->wire, &s->report, &s->request.unpack, &s->target, &s->other_why)))
        return say_error(s, err, s->other_why ? s->other_why : strerror(-err));
    if ((err = unpack_run(s->unpack)))
        return say_error(s, err, unpack_why(s->unpack)[0] ? unpack_why(s->unpack) : strerror(-err));
    return say_exit(s);
}

/* ---- get ---- */

static int measure(struct service *s)
{
    struct said_total t = { 0 };
    uint8_t body[SAID_TOTAL];

    if (!s->request.measure)
        return 0;
    for (size_t i = 0; i < s->request.count; i++)
        pack_measure(s->request.paths[i], s->request.pack.follow, &t.bytes, &t.entries);
    wire_send(&s->wire, FRAME_TOTAL, body, said_put_total(body, &t));
    return wire_flush(&s->wire);
}

static int get(struct service *s)
{
    int err = measure(s);

    if (err)
        return err;
    if ((err = pack_open(&s->pack, &s->wire, &s->report, &s->request.pack, &s->other_why)))
        return say_error(s, err, s->other_why ? s->other_why : strerror(-err));
    for (size_t i = 0; !err && i < s->request.count; i++)
        err = pack_source(s->pack, s->request.paths[i], (uint32_t)i);
    if (!err)
        err = pack_end(s->pack);
    return err ? say_error(s, err, strerror(-err)) : say_exit(s);
}

/* ---- both ---- */

/* The caller ends its direction when it has heard the last word.  A stream that we left before that would be cut, and the word with it. */
static void see_them_off(struct service *s)
{
    uint8_t waste[4096];

    while (s->channel.channel.read(&s->channel.channel, waste, sizeof waste) > 0)
        ;
}

static const char *what_is_wrong(const struct service *s)
{
    return s->why[0] ? s->why : s->wire.reader.why[0] ? s->wire.reader.why : "what came makes no sense";
}

static int serve(struct service *s, const char *argument, int (*run)(struct service *s))
{
    int err = wire_hear_until(&s->wire, has_started);

    if (err && err != -EPROTO)
        return 1;
    if (err)
        err = say_error(s, err, what_is_wrong(s));
    else if (argument)
        err = say_error(s, -EINVAL, "this service takes no argument");
    else
        err = run(s);
    if (!err)
        see_them_off(s);
    return err ? 1 : 0;
}

static int begin(int in, int out, const char *argument, const struct frame_grammar *caller, int (*run)(struct service *s))
{
    struct service s = { .report.tell = tell, .wire.hear = hear };
    int status = 1;

    /* Whoever ends the agent's children hangs up first: then the stream has ended, and we tidy up by ourselves. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    channel_fds(&s.channel, in, out);
    if (!wire_open(&s.wire, &s.channel.channel, caller))
        status = serve(&s, argument, run);
    unpack_close(s.unpack);
    pack_close(s.pack);
    request_free(&s.request);
    wire_close(&s.wire);
    return status;
}

int putget_put(int in, int out, const char *argument)
{
    return begin(in, out, argument, &frame_put_caller, put);
}

int putget_get(int in, int out, const char *argument)
{
    return begin(in, out, argument, &frame_get_caller, get);
}
