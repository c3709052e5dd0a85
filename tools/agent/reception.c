/* SPDX-License-Identifier: MIT */
/* reception.c: see reception.h. */
#include "reception.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "joined.h"
#include "say.h"

#define PATIENCE (10 * SECOND)          /* for the service's name */
#define FOR_EVER (INT64_C(100000000) * SECOND)

struct visitor {
    struct list link;
    struct reception *reception;
    struct end *end;
    struct caller caller;
    struct timer limit;
    char line[TCPMUX_LINE];
    size_t have;
};

/* ---- a visitor goes ---- */

static struct end *dismiss(struct visitor *v)
{
    struct reception *r = v->reception;
    struct end *end = v->end;

    end_on_wake(end, NULL, NULL);
    timer_drop(&v->limit);
    list_remove(&v->link);
    r->count--;
    r->foreign -= v->caller.cid != CONF_HOST;
    free(v);
    return end;
}

static void limit_due(struct timer *t)
{
    struct visitor *v = container_of(t, struct visitor, limit);
    struct reception *r = v->reception;

    leave_refused(&r->agent->leaving, dismiss(v), "no service was named in time");
    reception_room(r);
}

/* ---- what he wants ---- */

static int help(struct reception *r, struct call *c)
{
    size_t len;
    char *text = services_list(r->dir, &r->agent->conf, c->caller.cid, &len);
    struct iovec names = { .iov_base = text, .iov_len = len };

    if (!text)
        return -ENOMEM;
    leave(&r->agent->leaving, c->end, &names, 1);
    free(text);
    c->end = NULL;
    return 0;
}

static int serve(struct reception *r, struct call *c)
{
    struct service s;
    int err;

    if (!conf_allows(c->settings, c->caller.cid)) {
        snprintf(c->why, CALL_WHY, "CID %llu may not use it: agent.conf of the guest says who may", (unsigned long long)c->caller.cid);
        return -EACCES;
    }
    if ((err = services_find(r->dir, c, &s, c->why)))
        return err;
    if (s.kind == SERVICE_HELP)
        return help(r, c);
    if (sessions_are_full(r->agent, c->caller.cid)) {
        snprintf(c->why, CALL_WHY, "the agent has as many sessions as it may have, %u: max_sessions in its agent.conf",
                 r->agent->conf.max_sessions);
        return -EBUSY;
    }
    return s.kind == SERVICE_EXEC ? exec_begin(c) : joined_begin(c, &s);
}

/* Takes the end. */
static void dispatch(struct reception *r, struct end *end, const struct caller *caller, const struct tcpmux_request *request)
{
    struct call c = { .agent = r->agent, .end = end, .caller = *caller, .request = *request,
                      .settings = conf_find(&r->agent->conf, request->name) };
    int err = serve(r, &c);
    char text[CALL_WHY + TCPMUX_NAME + 4];

    if (!err)
        return;
    snprintf(text, sizeof text, "%s: %s", request->name, c.why[0] ? c.why : errno_words(err));
    say("CID %llu port %u: %s", (unsigned long long)caller->cid, caller->port, text);
    leave_refused(&r->agent->leaving, c.end, text);
}

/* As much as belongs to the line: 1 when it is whole, 0 if not, or a negative errno. */
static int read_line(struct visitor *v, struct tcpmux_request *request, const char **why)
{
    for (;;) {
        struct iovec iov;
        int count = v->end->ops->peek(v->end, &iov, 1);
        size_t before = v->have, n;
        ssize_t got;

        if (count <= 0)
            return count ? count : -ECONNRESET;
        n = iov.iov_len < sizeof v->line - v->have ? iov.iov_len : sizeof v->line - v->have;
        memcpy(v->line + v->have, iov.iov_base, n);
        if ((got = tcpmux_request(v->line, v->have + n, request, why)) < 0)
            return (int)got;
        n = got ? (size_t)got - before : n;
        if (!n) {               /* it cannot come to this: such a line is too long */
            *why = "the service's name is too long";
            return -EINVAL;
        }
        v->end->ops->done(v->end, n);
        v->have += n;
        if (got)
            return 1;
    }
}

static void heard(void *arg)
{
    struct visitor *v = arg;
    struct reception *r = v->reception;
    struct tcpmux_request request;
    struct caller caller = v->caller;
    const char *why = "";
    int got = read_line(v, &request, &why);
    struct end *end;

    if (got == -EAGAIN)
        return;
    end = dismiss(v);
    if (got == 1)
        dispatch(r, end, &caller, &request);
    else if (got == -EINVAL)
        leave_refused(&r->agent->leaving, end, why);
    else
        end->ops->close(end, true);
    reception_room(r);
}

/* ---- a visitor comes ---- */

/* Takes the end.  From within accept, so he is heard in the next turn. */
static int welcome(struct reception *r, struct end *end, const struct caller *caller)
{
    bool foreign = caller->cid != CONF_HOST;
    struct visitor *v;

    if (!conf_knows(&r->agent->conf, caller->cid) || (foreign && r->foreign >= RECEPTION_WAITING / 2)) {
        end->ops->close(end, true);
        return 0;
    }
    if (!(v = calloc(1, sizeof *v))) {
        end->ops->close(end, true);
        return -ENOMEM;
    }
    v->reception = r;
    v->end = end;
    v->caller = *caller;
    list_append(&r->waiting, &v->link);
    r->count++;
    r->foreign += foreign;
    timer_set(&r->agent->loop, &v->limit, clock_ns() + PATIENCE, limit_due);
    end_on_wake(end, heard, v);
    heard(v);
    return 0;
}

static void pause_over(struct timer *t)
{
    reception_room(container_of(t, struct reception, pause));
}

void reception_room(struct reception *r)
{
    if (r->entering)
        return;
    r->entering = true;
    while (r->count < RECEPTION_WAITING && r->listening.own) {
        struct caller caller;
        struct end *end;
        int err;

        if (listening_accept(&r->listening, &end, &caller))
            break;
        if ((err = welcome(r, end, &caller))) {
            say("cannot accept: %s", errno_words(err));
            timer_set(&r->agent->loop, &r->pause, clock_ns() + SECOND / 4, pause_over);
            break;
        }
    }
    r->entering = false;
}

static void ready(struct listening *l)
{
    reception_room(l->arg);
}

int reception_open(struct reception *r)
{
    list_init(&r->waiting);
    r->listening = (struct listening){ .side = r->side, .port = TCPMUX_PORT, .retry = FOR_EVER, .backlog = RECEPTION_BACKLOG,
                                       .ready = ready, .arg = r };
    return listening_open(&r->listening);
}

void reception_close(struct reception *r)
{
    timer_drop(&r->pause);
    listening_close(&r->listening);
    while (!list_is_empty(&r->waiting)) {
        struct end *end = dismiss(container_of(r->waiting.next, struct visitor, link));

        end->ops->close(end, true);
    }
}
