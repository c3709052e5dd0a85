/* SPDX-License-Identifier: MIT */
/* side.c: what both sides have in common: choosing one, time limits and repeated attempts. */
#include "side.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

#define PAUSE_MIN (50 * SECOND / 1000)
#define PAUSE_MAX (SECOND / 2)

int side_open(struct side *s, struct loop *l, const struct side_options *o)
{
    *s = (struct side){ .loop = l, .options = *o };
    s->is_host = o->which == SIDE_GUESS ? is_dom0() : o->which == SIDE_HOST;
    return s->is_host ? host_open(s) : guest_open(s);
}

void side_close(struct side *s)
{
    if (s->ops)
        s->ops->close(s);
    s->ops = NULL;
}

/* ---- calling ---- */

const char *dial_name(const struct dial *d, char *text, size_t size)
{
    snprintf(text, size, "%s port %u", d->peer, d->port);
    return text;
}

static void attempt(struct dial *d);

static void again(struct timer *t)
{
    attempt(container_of(t, struct dial, again));
}

static void finish(struct dial *d, int err, struct end *end)
{
    timer_drop(&d->timer);
    timer_drop(&d->again);
    d->done(d, err, end);
}

/* What may be otherwise in a moment: a guest that starts, a program that begins to listen. */
static bool may_change(int err)
{
    switch (-err) {
    case ECONNREFUSED:
    case ETIMEDOUT:
    case ECONNRESET:
    case ENETDOWN:
    case ENOENT:
    case ENXIO:
        return true;
    default:
        return false;
    }
}

void dial_end(struct dial *d, int err, struct end *end)
{
    int64_t now = clock_ns(), pause;

    timer_drop(&d->timer);
    if (!err || !may_change(err) || now >= d->until) {
        finish(d, err, end);
        return;
    }
    /* Short pauses at first; long waits are for things that take long anyway. */
    pause = (now - (d->until - d->retry)) / 8;
    pause = pause < PAUSE_MIN ? PAUSE_MIN : pause > PAUSE_MAX ? PAUSE_MAX : pause;
    if (now + pause > d->until)
        pause = d->until - now;
    timer_set(d->side->loop, &d->again, now + pause, again);
}

static void too_late(struct timer *t)
{
    struct dial *d = container_of(t, struct dial, timer);

    dial_end(d, d->side->ops->dial_abort(d, -ETIMEDOUT), NULL);
}

static void attempt(struct dial *d)
{
    int err;

    d->why[0] = '\0';
    timer_set(d->side->loop, &d->timer, clock_ns() + d->patience, too_late);
    if ((err = d->side->ops->dial(d)))
        dial_end(d, err, NULL);
}

void dial_start(struct dial *d)
{
    d->until = clock_ns() + d->retry;
    /* From the loop, so that 'done' never comes before this returns. */
    timer_set(d->side->loop, &d->again, 0, again);
}

void dial_drop(struct dial *d)
{
    if (d->attempt || d->link.next)
        d->side->ops->dial_abort(d, -ECANCELED);
    timer_drop(&d->timer);
    timer_drop(&d->again);
}

/* ---- being called ---- */

int listening_open(struct listening *l)
{
    return l->side->ops->listen(l);
}

int listening_accept(struct listening *l, struct end **end, struct caller *caller)
{
    *end = NULL;
    *caller = (struct caller){ 0 };
    return l->side->ops->accept(l, end, caller);
}

void listening_close(struct listening *l)
{
    if (l->own)
        l->side->ops->unlisten(l);
    l->own = NULL;
}
