/* SPDX-License-Identifier: MIT */
/* side.c: what all sides have in common: choosing one, time limits and repeated attempts.
 *
 * What is repeated is whatever a start could mend: of a program that listens, of the guest, of the daemon, of dom0 or the guest
 * as a whole (a module that is loaded, a device that udev has yet to give its mode). */
#include "side.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

#define PAUSE_MIN (50 * SECOND / 1000)
#define PAUSE_MAX (SECOND / 2)
#define PAUSE_ACCEPT (SECOND / 4)

void side_init(struct side *s, struct loop *l, const struct side_options *o)
{
    *s = (struct side){ .loop = l, .options = *o };
}

/* The guest's kernel has a driver for the device, so it is nobody's else. */
static bool kernel_has(unsigned device)
{
    char path[64];

    snprintf(path, sizeof path, "/sys/bus/xen/devices/vsock-%u/driver", device);
    return access(path, F_OK) == 0;
}

/* Opens the side that this seems to be by now: a guess may have been wrong. */
static int choose(struct side *s, char *why)
{
    const struct side_options *o = &s->options;
    bool host = o->which == SIDE_HOST || (o->which == SIDE_GUESS && is_dom0());
    const struct side_ops *ops = host ? o->host : kernel_has(o->device) ? o->socket : o->guest;
    char other[WHY];
    int err;

    /* Whoever has begun with the agent stays with it: it may be started anew, and is not to find its device taken. */
    if (s->ops == ops || (s->ops && s->ops == o->broker && ops == o->guest))
        return 0;
    if (s->ops && o->closes)
        o->closes(s);
    side_close(s);
    if (!(err = ops->open(s, why)))
        s->ops = ops;
    else if (ops == o->guest && o->broker && !o->device && !o->broker->open(s, other))
        s->ops = o->broker;
    if (s->ops && o->opened)
        o->opened(s);
    return s->ops ? 0 : err;
}

void side_close(struct side *s)
{
    if (s->ops)
        s->ops->close(s);
    s->ops = NULL;
}

/* ---- again and again ---- */

static bool may_change(int err)
{
    switch (-err) {
    case ECONNREFUSED:
    case ETIMEDOUT:
    case ECONNRESET:
    case ENETDOWN:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case EUSERS:
    case EDQUOT:
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case EBUSY:
    case EAGAIN:
    case EACCES:                /* directories and devices are made first, and given their modes then */
    case SIDE_OTHER:
        return true;
    default:
        return false;
    }
}

/* When to try again, or 0 for never.  Short pauses at first; long waits are for things that take long anyway. */
static int64_t pause_after(int64_t began)
{
    int64_t pause = (clock_ns() - began) / 8;

    return pause < PAUSE_MIN ? PAUSE_MIN : pause > PAUSE_MAX ? PAUSE_MAX : pause;
}

static int64_t next_attempt(int err, int64_t retry, int64_t until)
{
    int64_t now = clock_ns(), at = now + pause_after(until - retry);

    if (!may_change(err) || now >= until)
        return 0;
    return at > until ? until : at;
}

/* Each reason once, for who wants to know what is waited for. */
static void say_again(const struct side *s, const char *why, char *said)
{
    if (s->options.verbose && strcmp(why, said) != 0)
        say("%s; trying again", why);
    snprintf(said, WHY, "%s", why);
}

/* ---- calling ---- */

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

void dial_end(struct dial *d, int err, struct end *end)
{
    int64_t at = err ? next_attempt(err, d->retry, d->until) : 0;

    timer_drop(&d->timer);
    if (!at) {
        finish(d, err, end);
        return;
    }
    say_again(d->side, d->why[0] ? d->why : errno_words(err), d->said);
    timer_set(d->side->loop, &d->again, at, again);
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
    d->refused = REASON(NONE);
    timer_set(d->side->loop, &d->timer, clock_ns() + d->patience, too_late);
    if ((err = choose(d->side, d->why)) || (err = d->side->ops->dial(d)))
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

static int begin(struct listening *l);

/* It is not there, neither the guest nor its daemon; anything else is for somebody to mend. */
static bool is_waited_for(const struct listening *l, int err)
{
    return l->insists || (l->waits && (err == -ENOENT || err == -ENXIO));
}

static void begin_again(struct timer *t)
{
    struct listening *l = container_of(t, struct listening, again);
    int status = begin(l);

    if (status)
        loop_stop(l->side->loop, status);
    else if (l->own)
        l->ready(l);
}

static int begin(struct listening *l)
{
    int64_t at;
    int err;

    l->why[0] = '\0';
    if (!(err = choose(l->side, l->why)) && !(err = l->side->ops->listen(l))) {
        if (l->side->options.verbose && !l->quiet)
            say("listening at port %u", l->port);
        return EXIT_OK;
    }
    if (!l->why[0])
        snprintf(l->why, sizeof l->why, "cannot listen at port %u: %s", l->port, errno_words(err));
    if (is_waited_for(l, err)) {
        if (strcmp(l->why, l->said) != 0)
            say("%s; waiting for it", l->why);
        snprintf(l->said, WHY, "%s", l->why);
        at = clock_ns() + pause_after(l->until - l->retry);
    } else if ((at = next_attempt(err, l->retry, l->until))) {
        say_again(l->side, l->why, l->said);
    } else {
        return l->quiet ? exit_status(err) : fail_as(err, l->why);
    }
    timer_set(l->side->loop, &l->again, at, begin_again);
    return EXIT_OK;
}

int listening_open(struct listening *l)
{
    l->until = clock_ns() + l->retry;
    return begin(l);
}

void listening_lost(struct listening *l)
{
    listening_close(l);
    l->until = clock_ns() + l->retry;
    l->said[0] = '\0';
    /* Not at once: whoever removes a directory with all that is in it is to get through. */
    timer_set(l->side->loop, &l->again, clock_ns() + PAUSE_MIN, begin_again);
}

static void accept_again(struct timer *t)
{
    struct listening *l = container_of(t, struct listening, again);

    l->ready(l);
}

int listening_accept(struct listening *l, struct end **end, struct caller *caller)
{
    int err;

    *end = NULL;
    *caller = (struct caller){ 0 };
    err = l->side->ops->accept(l, end, caller);
    if (err == -EAGAIN)
        l->said[0] = '\0';      /* all who waited have been taken, so the next shortage is another */
    if (!err || err == -EAGAIN)
        return err;
    snprintf(l->why, sizeof l->why, "cannot accept at port %u: %s", l->port, errno_words(err));
    if (!l->quiet && strcmp(l->why, l->said) != 0)
        say("%s; whoever calls waits", l->why);
    snprintf(l->said, WHY, "%s", l->why);
    /* Descriptors or memory are short: those that end will give some back. */
    timer_set(l->side->loop, &l->again, clock_ns() + PAUSE_ACCEPT, accept_again);
    return -EAGAIN;
}

void listening_close(struct listening *l)
{
    timer_drop(&l->again);
    if (l->own)
        l->side->ops->unlisten(l);
    l->own = NULL;
}
