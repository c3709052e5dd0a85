/* SPDX-License-Identifier: MIT */
/* forwards.c: see forwards.h. */
#include "forwards.h"

#include <errno.h>
#include <stdlib.h>

#include "joined.h"
#include "refusal.h"
#include "say.h"
#include "services.h"

#define FOR_EVER (INT64_C(100000000) * SECOND)

struct forward {
    struct list link;
    struct forwards *all;
    struct listening listening;
};

/* ---- one call ---- */

/* 0: somebody has taken it; or a negative errno, with c->why. */
static int serve(struct call *c, const struct conf_forward *conf)
{
    struct service s = { .kind = SERVICE_SOCKET };

    if (!conf_admits(&conf->allow, c->caller.cid)) {
        snprintf(c->why, CALL_WHY, "it may not: [forward %u] in agent.conf says who may", c->port);
        return -EACCES;
    }
    if (sessions_are_full(c->agent, c->caller.cid)) {
        snprintf(c->why, CALL_WHY, "there are as many sessions as there may be, %u: max_sessions in agent.conf", c->agent->conf.max_sessions);
        return -EDQUOT;
    }
    if (destination_read(conf->target, &s.target, c->why))
        return -EINVAL;         /* never: conf_read() has looked */
    if (s.target.command)
        s.kind = SERVICE_COMMAND;
    return joined_begin(c, &s);
}

/* Who may not is told as somebody who calls a port where nobody listens: he may not even know. */
static struct reason reason_of(int err)
{
    return err == -EACCES ? REASON(NOBODY) : refusal_of_errno(err);
}

/* Takes the end. */
static void dispatch(struct forward *f, struct end *end, const struct caller *caller)
{
    struct agent *a = f->all->agent;
    struct call c = { .agent = a, .end = end, .caller = *caller, .port = f->listening.port };
    const struct conf_forward *conf = conf_forward(&a->conf, c.port);
    int err;

    snprintf(c.request.name, sizeof c.request.name, "forward %u", c.port);
    if (!(err = conf ? serve(&c, conf) : -ECONNREFUSED))
        return;
    say("forward %u: CID %llu port %u: %s", c.port, (unsigned long long)caller->cid, caller->port, c.why[0] ? c.why : errno_words(err));
    end_blame(c.end, reason_of(err));
    c.end->ops->close(c.end, true);
}

/* ---- those who call ---- */

static void ready(struct listening *l)
{
    struct forward *f = l->arg;
    struct caller caller;
    struct end *end;

    while (l->own && !listening_accept(l, &end, &caller))
        dispatch(f, end, &caller);
}

/* ---- the settings ---- */

static void close_one(struct forward *f)
{
    listening_close(&f->listening);
    list_remove(&f->link);
    free(f);
}

static void open_one(struct forwards *all, uint32_t port)
{
    struct forward *f = calloc(1, sizeof *f);

    if (!f) {
        say("forward %u: %s", port, errno_words(-ENOMEM));
        return;
    }
    f->all = all;
    f->listening = (struct listening){ .side = all->side, .port = port, .retry = FOR_EVER, .insists = true, .ready = ready, .arg = f };
    list_append(&all->all, &f->link);
    listening_open(&f->listening);
}

static bool is_open(struct forwards *all, uint32_t port)
{
    for (struct list *l = all->all.next; l != &all->all; l = l->next)
        if (container_of(l, struct forward, link)->listening.port == port)
            return true;
    return false;
}

void forwards_apply(struct forwards *all)
{
    const struct conf *conf = &all->agent->conf;

    for (struct list *l = all->all.next, *next; l != &all->all; l = next) {
        struct forward *f = container_of(l, struct forward, link);

        next = l->next;
        if (!conf_forward(conf, f->listening.port))
            close_one(f);
    }
    for (size_t i = 0; i < conf->forward_count; i++)
        if (!is_open(all, conf->forwards[i].port))
            open_one(all, conf->forwards[i].port);
}

void forwards_begin(struct forwards *all, struct agent *a, struct side *side)
{
    all->agent = a;
    all->side = side;
    list_init(&all->all);
}

void forwards_end(struct forwards *all)
{
    while (all->agent && !list_is_empty(&all->all))
        close_one(container_of(all->all.next, struct forward, link));
}
