/* SPDX-License-Identifier: MIT */
/* copying.c: see copying.h.  Sources of one peer that follow each other are one conversation, or two where both ends are guests. */
#include "copying.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "options.h"
#include "progress.h"
#include "say.h"
#include "service.h"
#include "side.h"
#include "waited.h"

#define STEP      (SECOND / 2)
#define TURN      (SECOND / 20)         /* how long a signal may wait for a copy that never waits */
#define PROBLEMS  1000u                 /* that are named; the others are counted */
#define FAREWELL  (2 * SECOND)

struct conversation {
    struct copy *copy;
    struct service_call call;
    struct waited waited;
    struct client client;
    const char *peer;
    int err;                    /* of the call */
    bool called;
};

struct copy {
    struct copying *what;
    struct loop loop;
    struct side side;
    struct request from, to;    /* what is asked of whom sends, and of whom receives */
    struct report done;         /* what has arrived, of all conversations */
    uint64_t problems, before;  /* before: bytes of former conversations */
    int64_t began, shown, turned;
    bool shows, has_shown;
    struct conversation *at;    /* of whose bytes the progress is */
};

/* ---- what is said ---- */

static uint64_t moved(const struct copy *c)
{
    const struct wire *w = c->at ? &c->at->client.wire : NULL;

    return c->before + (w ? w->data_in + w->data_out : 0);
}

static void wipe(struct copy *c)
{
    if (c->has_shown)
        fputs("\r\033[K", stderr);
    c->has_shown = false;
}

static void show(struct copy *c, int64_t now)
{
    char text[PROGRESS_TEXT];

    wipe(c);
    fputs(progress_text(text, moved(c), c->at->client.total.bytes, (double)(now - c->began) / SECOND), stderr);
    c->has_shown = true;
}

static void tick(struct client *client)
{
    struct conversation *v = client->arg;
    struct copy *c = v->copy;
    int64_t now = clock_ns();

    if (c->shows && now >= c->shown + STEP && now >= c->began + SECOND) {
        c->shown = now;
        show(c, now);
    }
    if (now >= c->turned + TURN) {
        c->turned = now;
        waited_turn(&c->loop);
    }
}

static void problem(struct client *client, bool there, const char *name, const char *why)
{
    const struct conversation *v = client->arg;
    struct copy *c = v->copy;

    c->problems++;
    wipe(c);
    if (c->problems <= PROBLEMS)
        fail(EXIT_OTHER, "%s%s%.900s: %s", there ? v->peer : "", there ? ":" : "", name, why);
    else if (c->problems == PROBLEMS + 1)
        fail(EXIT_OTHER, "…and more of them");
}

/* ---- a peer ---- */

static void answered(struct service_call *call, int err, struct end *end)
{
    struct conversation *v = container_of(call, struct conversation, call);

    v->err = err;
    v->called = true;
    if (end)
        waited_init(&v->waited, &v->copy->loop, end);
    loop_stop(&v->copy->loop, 0);
}

/* An exit status. */
static int open_one(struct conversation *v, struct copy *c, enum client_kind kind, const struct place *p, const struct request *r)
{
    *v = (struct conversation){ .copy = c, .peer = p->peer };
    v->call = (struct service_call){ .dial = { .side = &c->side, .peer = p->peer, .patience = c->what->patience, .retry = c->what->retry,
                                               .vouches = true },
                                     .service = kind == CLIENT_PUT ? "put" : "get", .done = answered };
    service_start(&v->call);
    while (!v->called)
        if (waited_run(&c->loop))
            return EXIT_OTHER;
    if (v->err)
        return fail_as(v->err, v->call.why);
    v->client = (struct client){ .problem = problem, .tick = tick, .arg = v };
    return client_open(&v->client, kind, &v->waited.channel, r) ? fail(EXIT_OTHER, "out of memory") : EXIT_OK;
}

static void close_one(struct conversation *v, bool good)
{
    service_drop(&v->call);
    if (v->waited.end) {
        if (good)
            waited_finish(&v->waited, FAREWELL);
        end_on_wake(v->waited.end, NULL, NULL);
        v->waited.end->ops->close(v->waited.end, !good);
    }
    client_close(&v->client);
}

/* ---- how it went ---- */

static int broken(const struct conversation *v)
{
    const char *why = v->waited.end->ops->why ? v->waited.end->ops->why(v->waited.end) : NULL;
    const struct report *r = &v->client.here;
    char bytes[SIZE_TEXT];

    return fail(EXIT_RESET, "%s: %s%s%s; %s and %llu whole files had been %s by then", v->peer, v->client.why, why ? ": " : "",
                why ? why : "", size_text(bytes, r->bytes), (unsigned long long)r->files,
                v->client.unpack ? "received" : "sent");
}

static int judge(struct conversation *v, int err)
{
    wipe(v->copy);
    if (!err || v->copy->loop.caught)
        return EXIT_OK;
    if (err == -EREMOTEIO)
        return fail(EXIT_OTHER, "%s:%s", v->peer, v->client.why);
    if (err == -ECONNRESET)
        return broken(v);
    if (err == -EPROTO)
        return fail(EXIT_RESET, "%s: %s", v->peer, v->client.why);
    return fail(EXIT_OTHER, "%s", v->client.why);
}

static void add(struct copy *c, const struct report *r)
{
    c->done.files += r->files;
    c->done.directories += r->directories;
    c->done.links += r->links;
    c->done.bytes += r->bytes;
    c->before = moved(c);
    c->at = NULL;
}

/* ---- the kinds of copies ---- */

/* Standard input or output, whatever it is, such that a signal ends the waiting for it. */
static int with_standard(struct copy *c, struct conversation *v, int in, int out, int (*call)(struct client *client, struct channel *channel))
{
    struct end *e = fdend_standard(&c->loop, in, out, false);
    struct waited w;
    int err;

    if (!e)
        return -ENOMEM;
    waited_init(&w, &c->loop, e);
    err = call(&v->client, &w.channel);
    e->ops->close(e, false);
    return err;
}

static int put(struct copy *c, const struct place *sources, size_t count, const struct place *to)
{
    const char **paths = calloc(count, sizeof *paths);
    struct conversation v;
    int status, err;

    if (!paths)
        return fail(EXIT_OTHER, "out of memory");
    for (size_t i = 0; i < count; i++)
        paths[i] = sources[i].path;
    if (!(status = open_one(&v, c, CLIENT_PUT, to, &c->to))) {
        c->at = &v;
        err = sources->kind == PLACE_STREAM ? with_standard(c, &v, STDIN_FILENO, -1, client_put_stream)
                                            : client_put(&v.client, paths, count, c->shows);
        status = err == -EIO && sources->kind == PLACE_STREAM ? fail(EXIT_LOCAL, "standard input: %s", v.client.why) : judge(&v, err);
        add(c, &v.client.there);
    }
    close_one(&v, !status);
    free(paths);
    return status;
}

static int get(struct copy *c, const struct place *from, const struct place *to)
{
    const struct target t = { .path = to->path, .many = c->what->sources > 1, .parents = c->from.parents };
    struct conversation v;
    int status = open_one(&v, c, CLIENT_GET, from, &c->from), err;

    if (!status) {
        c->at = &v;
        err = to->kind == PLACE_STREAM ? with_standard(c, &v, -1, STDOUT_FILENO, client_get_stream) : client_get(&v.client, &t);
        status = err == -EIO && to->kind == PLACE_STREAM ? fail(EXIT_LOCAL, "standard output: %s", v.client.why) : judge(&v, err);
        add(c, to->kind == PLACE_STREAM ? &v.client.there : &v.client.here);
    }
    close_one(&v, !status);
    return status;
}

static int relay(struct copy *c, const struct place *from, const struct place *to)
{
    struct conversation v = { .err = 0 }, w;
    int status = open_one(&w, c, CLIENT_PUT, to, &c->to), err;

    if (!status && !(status = open_one(&v, c, CLIENT_GET, from, &c->from))) {
        c->at = &v;
        err = client_relay(&v.client, &w.client);
        status = judge(w.client.error || w.client.wire.err ? &w : &v, err);
        add(c, &w.client.there);
    }
    close_one(&v, !status);
    close_one(&w, !status);
    return status;
}

/* Sources of one kind and peer, which follow each other. */
static size_t group(const struct place *p, size_t most)
{
    size_t n = 1;

    while (n < most && p[n].kind == p->kind && strcmp(p[n].peer, p->peer) == 0)
        n++;
    return n;
}

/* What is asked of the ends, for this group. */
static int ask(struct copy *c, const struct place *sources, size_t count, const struct place *to)
{
    const struct request *r = &c->what->request;
    bool tar = sources->kind == PLACE_STREAM || to->kind == PLACE_STREAM;

    c->from = c->to = *r;
    c->from.tar = c->to.tar = tar;
    c->from.pack.sums = c->from.unpack.sums = c->to.pack.sums = c->to.unpack.sums = !tar;
    c->from.measure = c->shows && to->kind != PLACE_STREAM;
    c->to.many = c->what->sources > 1;
    c->from.paths = calloc(count + 1, sizeof *c->from.paths);
    c->to.paths = calloc(2, sizeof *c->to.paths);
    if (!c->from.paths || !c->to.paths)
        return fail(EXIT_OTHER, "out of memory");
    for (size_t i = 0; i < count; i++)
        c->from.paths[i] = (char *)(uintptr_t)sources[i].path;
    c->to.paths[0] = (char *)(uintptr_t)to->path;
    c->from.count = count;
    c->to.count = 1;
    return EXIT_OK;
}

static int copy_all(struct copy *c)
{
    const struct place *to = &c->what->places[c->what->sources], *from = c->what->places, *end = to;
    int status = EXIT_OK;

    while (!status && !c->loop.caught && from < end) {
        size_t n = group(from, (size_t)(end - from));

        if (!(status = ask(c, from, n, to)))
            status = to->kind != PLACE_PEER_PATH ? get(c, from, to)
                   : from->kind == PLACE_PEER_PATH ? relay(c, from, to) : put(c, from, n, to);
        free(c->from.paths);
        free(c->to.paths);
        from += n;
    }
    return status;
}

static void summary(const struct copy *c, int status)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:i}", "files", (json_int_t)c->done.files, "directories",
                          (json_int_t)c->done.directories, "links", (json_int_t)c->done.links, "bytes", (json_int_t)c->done.bytes,
                          "problems", (json_int_t)c->problems, "seconds", (double)(clock_ns() - c->began) / SECOND, "status", status);

    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
}

int copying_run(struct copying *what)
{
    struct copy c = { .what = what };
    int status, err;

    if ((err = loop_begin(&c.loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    side_init(&c.side, &c.loop, &common);
    c.began = c.shown = c.turned = clock_ns();
    c.shows = isatty(STDERR_FILENO) && !what->json && !say_is_quiet();
    if (!(status = copy_all(&c)) && c.problems)
        status = EXIT_OTHER;
    if (c.problems > PROBLEMS)
        fail(EXIT_OTHER, "%llu problems in all", (unsigned long long)c.problems);
    if (what->json && what->places[what->sources].kind != PLACE_STREAM)
        summary(&c, status);
    side_close(&c.side);
    return loop_end(&c.loop, status);
}
