/* SPDX-License-Identifier: MIT */
/* parley.c: see parley.h. */
#include "parley.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "say.h"

#define FAREWELL SECOND         /* for the other end to end the conversation, too */

/* ---- waiting ---- */

static void limit_due(struct timer *t)
{
    loop_stop(&container_of(t, struct parley, limit)->loop, 0);
}

static int wait_until(struct lines *l, bool writes, int64_t until)
{
    struct parley *p = container_of(l, struct parley, lines);
    int err;

    (void)writes;               /* what was tried in vain wakes, and nothing else */
    timer_set(&p->loop, &p->limit, until, limit_due);
    err = waited_run(&p->loop);
    timer_drop(&p->limit);
    return err;
}

/* ---- the call ---- */

static void answered(struct service_call *call, int err, struct end *end)
{
    struct parley *p = container_of(call, struct parley, call);

    p->err = err;
    p->called = true;
    if (end) {
        waited_init(&p->waited, &p->loop, end);
        lines_init(&p->lines, &p->waited.channel, wait_until);
    }
    loop_stop(&p->loop, 0);
}

int parley_open(struct parley *p, const char *guest, const char *service, int64_t patience, int64_t retry)
{
    int err;

    *p = (struct parley){ .guest = guest };
    if ((err = loop_begin(&p->loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    side_init(&p->side, &p->loop, &common);
    p->call = (struct service_call){ .dial = { .side = &p->side, .peer = guest, .patience = patience, .retry = retry, .vouches = true },
                                     .service = service, .done = answered };
    service_start(&p->call);
    while (!p->called)
        if (waited_run(&p->loop))
            return EXIT_OTHER;
    return p->err ? fail_as(p->err, p->call.why) : EXIT_OK;
}

void parley_hang_up(struct parley *p)
{
    bool cuts = p->broken || p->loop.caught;

    service_drop(&p->call);
    if (p->waited.end) {
        if (!cuts)
            waited_finish(&p->waited, FAREWELL);
        end_on_wake(p->waited.end, NULL, NULL);
        p->waited.end->ops->close(p->waited.end, cuts);
        p->waited.end = NULL;
    }
    lines_free(&p->lines);
    side_close(&p->side);
}

int parley_close(struct parley *p, int status)
{
    if (!p->side.loop)          /* it did not begin */
        return status;
    parley_hang_up(p);
    return loop_end(&p->loop, status);
}

/* ---- what went wrong ---- */

int parley_failed(struct parley *p, int err, const char *what)
{
    const char *why;

    p->broken = true;
    switch (err) {
    case -EINTR:
        return EXIT_OTHER;      /* and the signal shows in parley_close() */
    case -ETIMEDOUT:
        return fail(EXIT_TIME, "%s: no answer to %s in time", p->guest, what);
    case -ECONNRESET:
    case -EPIPE:
        why = p->waited.end->ops->why ? p->waited.end->ops->why(p->waited.end) : NULL;
        return fail(EXIT_RESET, "%s went away before it had answered %s%s%s", p->guest, what, why ? ": " : "", why ? why : "");
    case -EMSGSIZE:
        return fail(EXIT_RESET, "%s: the answer to %s is longer than it can be", p->guest, what);
    default:
        return fail(exit_status(err), "%s: %s: %s", p->guest, what, errno_words(err));
    }
}

/* What it said no to. */
static int refused(const struct parley *p, const json_t *answer, const char *text, const char *what)
{
    const char *name = json_string_value(json_object_get(answer, "errno"));

    return fail(name && strcmp(name, "EBUSY") == 0 ? EXIT_BUSY : EXIT_OTHER, "%s: %s: %s", p->guest, what, text);
}

int parley_ask(struct parley *p, json_t *request, int64_t until, const char *what, json_t **answer)
{
    char why[LINES_WHY] = "";
    const char *text;
    int status = EXIT_OK, err;

    *answer = NULL;
    if ((err = lines_send(&p->lines, request, until)) || (err = lines_hear(&p->lines, until, answer, why))) {
        p->broken = true;
        return err == -EPROTO ? fail(EXIT_RESET, "%s: its answer to %s makes no sense: %s", p->guest, what, why) : parley_failed(p, err, what);
    }
    if ((text = json_string_value(json_object_get(*answer, "error"))))
        status = refused(p, *answer, text, what);
    if (status) {
        json_decref(*answer);
        *answer = NULL;
    }
    return status;
}

int parley_ga_failed(struct parley *p, const struct ga *g, int err, const char *command)
{
    switch (err) {
    case -EREMOTEIO:
        return fail(EXIT_OTHER, "%s: %s: %s", p->guest, command, g->why);
    case -EBUSY:
        return fail(EXIT_BUSY, "%s: %s", p->guest, g->why);
    case -EPROTO:
        p->broken = true;
        return fail(EXIT_RESET, "%s: its qemu-guest-agent speaks nonsense: %s", p->guest, g->why);
    }
    return parley_failed(p, err, command);
}

int parley_open_ga(struct parley *p, struct ga *g, const char *guest, int64_t patience, int64_t retry, int64_t until)
{
    int status = parley_open(p, guest, "qga", patience, retry), err;

    if (status)
        return status;
    *g = (struct ga){ .lines = &p->lines };
    return (err = ga_sync(g, until)) ? parley_ga_failed(p, g, err, "its qemu-guest-agent") : EXIT_OK;
}
