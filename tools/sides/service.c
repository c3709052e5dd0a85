/* SPDX-License-Identifier: MIT */
/* service.c: see service.h. */
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

static void finish(struct service_call *c, int err)
{
    struct end *end = c->end;

    timer_drop(&c->limit);
    c->end = NULL;
    if (end)
        end_on_wake(end, NULL, NULL);
    if (err && end) {
        end->ops->close(end, true);
        end = NULL;
    }
    c->done(c, err, end);
}

/* Of what has come it takes the line, and not a byte more.  1 when it is whole. */
static int read_line(struct service_call *c, bool *good, char text[TCPMUX_ANSWER])
{
    for (;;) {
        struct iovec iov;
        int count = c->end->ops->peek(c->end, &iov, 1);
        size_t before = c->have, n;
        ssize_t got;

        if (count < 0)
            return count;
        if (!count)
            return -ECONNRESET;
        n = iov.iov_len < sizeof c->answer - c->have ? iov.iov_len : sizeof c->answer - c->have;
        memcpy(c->answer + c->have, iov.iov_base, n);
        got = tcpmux_answered(c->answer, c->have + n, good, text);
        if (got < 0)
            return (int)got;
        n = got ? (size_t)got - before : n;
        c->end->ops->done(c->end, n);
        c->have += n;
        if (got)
            return 1;
    }
}

static void talk(void *arg)
{
    struct service_call *c = arg;
    char text[TCPMUX_ANSWER];
    bool good = false;
    int err = end_write_rest(c->end, c->line, c->len, &c->sent);

    if (!err && strcmp(c->service, SERVICE_HELP) == 0) {
        finish(c, 0);
        return;
    }
    if (!err)
        err = read_line(c, &good, text);
    if (err == -EAGAIN)
        return;
    if (err == 1 && good) {
        finish(c, 0);
        return;
    }
    if (err == 1)
        snprintf(c->why, sizeof c->why, "%.80s: %.400s", c->dial.peer, text);
    else if (err == -EPROTO)
        snprintf(c->why, sizeof c->why, "what listens at port %u of %s is no agent: it has no answer to a service's name", TCPMUX_PORT,
                 c->dial.peer);
    else
        snprintf(c->why, sizeof c->why, "%s went away without an answer to '%.*s'", c->dial.peer, (int)c->len - 2, c->line);
    finish(c, err == 1 ? -ECONNREFUSED : err == -EPIPE ? -ECONNRESET : err);
}

static void too_late(struct timer *t)
{
    struct service_call *c = container_of(t, struct service_call, limit);

    snprintf(c->why, sizeof c->why, "the agent of %s has not answered in time", c->dial.peer);
    finish(c, -ETIMEDOUT);
}

static void dialled(struct dial *d, int err, struct end *end)
{
    struct service_call *c = d->arg;

    c->end = end;
    if (err) {
        snprintf(c->why, sizeof c->why, "%.400s%s", d->why[0] ? d->why : errno_words(err),
                 err == -ECONNREFUSED || err == -EHOSTDOWN ? "; is xvs-agent running there?" : "");
        finish(c, err);
        return;
    }
    timer_set(d->side->loop, &c->limit, clock_ns() + d->patience, too_late);
    end_on_wake(end, talk, c);
    talk(c);
}

static void bad_name(struct timer *t)
{
    finish(container_of(t, struct service_call, limit), -EINVAL);
}

void service_start(struct service_call *c)
{
    const char *why = "";
    ssize_t len = tcpmux_ask(c->service, c->line, &why);

    c->dial.port = TCPMUX_PORT;
    c->dial.done = dialled;
    c->dial.arg = c;
    if (len < 0) {
        snprintf(c->why, sizeof c->why, "%s", why);
        timer_set(c->dial.side->loop, &c->limit, 0, bad_name);
        return;
    }
    c->len = (size_t)len;
    dial_start(&c->dial);
}

void service_drop(struct service_call *c)
{
    if (!c->dial.side)
        return;
    timer_drop(&c->limit);
    dial_drop(&c->dial);
    if (c->end)
        c->end->ops->close(c->end, true);
    c->end = NULL;
}
