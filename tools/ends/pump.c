/* SPDX-License-Identifier: MIT */
/* pump.c: see pump.h. */
#include "pump.h"

#include <errno.h>

#include "say.h"

#define PIECE  65536u
#define PIECES 16
#define ROUNDS 16               /* a flow's share of one turn, in steps */

static void run(struct task *t);

static void wake(void *arg)
{
    struct pump *p = arg;

    task_start(p->loop, &p->task, run);
}

static int blame(struct pump *p, struct end *culprit, bool reading, int err)
{
    p->culprit = culprit;
    p->reading = reading;
    return err;
}

/* The sink takes no more, for the reason err.  What the source may still have is lost; that is an error only if it had
 * something.  Why the sink broke, the other flow will hear when it has read all there is to read from it. */
static int cut(struct pump *p, struct flow *f, bool lost, int err)
{
    f->ended = f->cut = true;
    f->lost |= lost;
    if (f->vital)
        return blame(p, f->to, false, err);
    f->from->ops->stop(f->from);
    return 0;
}

static int finish(struct pump *p, struct flow *f)
{
    int err = f->hold ? 0 : f->to->ops->finish(f->to);

    f->drained = true;
    if (err)
        return err == -EAGAIN ? err : blame(p, f->to, false, err);
    f->ended = true;
    return 0;
}

/* A source without memory reads straight into the memory of the sink. */
static ssize_t step_into(struct pump *p, struct flow *f)
{
    const struct end_ops *from = f->from->ops, *to = f->to->ops;
    void *piece;
    ssize_t room = to->reserve(f->to, PIECE, &piece), n;
    int err;

    if (room == -EAGAIN)
        return room;
    if (room < 0) {
        char byte;

        return cut(p, f, from->read(f->from, &byte, 1) > 0, (int)room);
    }
    n = from->read(f->from, piece, (size_t)room);
    err = to->commit(f->to, n > 0 ? (size_t)n : 0);
    if (n > 0 && err < 0)
        return cut(p, f, true, err);
    return n < 0 ? blame(p, f->from, true, (int)n) : n ? n : finish(p, f);
}

/* A message that the sink can never take.  Not to pass it on, and to go on, would be worse than an end. */
static int refuse_message(struct pump *p, struct flow *f, const struct iovec *iov, int count)
{
    for (int i = 0; i < count; i++)
        p->message += iov[i].iov_len;
    return blame(p, f->to, false, -EMSGSIZE);
}

static ssize_t step_out_of(struct pump *p, struct flow *f)
{
    struct iovec iov[PIECES];
    int count = f->from->ops->peek(f->from, iov, PIECES);
    ssize_t n;

    if (count < 0)
        return blame(p, f->from, true, count);
    if (!count)
        return finish(p, f);
    n = f->to->ops->write(f->to, iov, count);
    if (n == -EMSGSIZE)
        return refuse_message(p, f, iov, count);
    if (n < 0)
        return n == -EAGAIN ? n : cut(p, f, true, (int)n);
    f->from->ops->done(f->from, (size_t)n);
    return n;
}

/* 1 if there is more to do without waiting, 0 if not, or a negative errno. */
static int flow_run(struct pump *p, struct flow *f)
{
    for (int i = 0; i < ROUNDS && !f->ended; i++) {
        ssize_t n = f->drained ? finish(p, f)
                  : f->from->ops->read && f->to->ops->reserve ? step_into(p, f) : step_out_of(p, f);

        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        f->bytes += (uint64_t)n;
        p->moved = clock_ns();
    }
    return !f->ended;
}

/* Once the other flow has brought the end from whom f writes to, nobody may be left there at all.  He was there when f ran, and may have
 * gone since: what 'from' still has for him f finds out by another try. */
static int look_for_cut(struct pump *p, struct flow *f, const struct flow *other)
{
    int err;

    if (f->ended || !other->ended || other->from != f->to || !f->to->ops->is_cut(f->to))
        return 0;
    err = flow_run(p, f);
    return err < 0 ? err : f->ended ? 0 : cut(p, f, false, -EPIPE);
}

static int ask(struct pump *p, struct end *e)
{
    int err = e->ops->settle ? e->ops->settle(e) : 0;

    return err && err != -EAGAIN ? blame(p, e, true, err) : err;
}

/* Both flows have ended.  What was held back is said now, and the ends are asked: b first, which may be a process of ours.  It is
 * asked although a's bytes were lost on it, for it may say why; and not waited for if a has broken off meanwhile. */
static int settle(struct pump *p)
{
    struct flow *ab = &p->flow[0], *ba = &p->flow[1];
    int err;

    for (int i = 0; i < 2; i++) {
        struct flow *f = &p->flow[i];

        if (f->hold && !f->lost && (err = f->to->ops->finish(f->to)))
            return err == -EAGAIN ? err : blame(p, f->to, false, err);
        f->hold = false;
    }
    if (ba->cut && (err = ask(p, ab->from)) && err != -EAGAIN)
        return err;
    if (!ba->lost && (err = ask(p, ab->to)))
        return err;
    return ab->lost || ba->lost ? 0 : ask(p, ab->from);
}

static void run(struct task *t)
{
    struct pump *p = container_of(t, struct pump, task);
    struct flow *ab = &p->flow[0], *ba = &p->flow[1];
    int more = flow_run(p, ab), err = more < 0 ? more : 0;

    if (!err && (err = flow_run(p, ba)) >= 0) {
        more |= err;
        err = look_for_cut(p, ab, ba);
    }
    if (!err)
        err = look_for_cut(p, ba, ab);
    if (!err && ab->ended && ba->ended && (err = settle(p)) == -EAGAIN)
        return;
    if (err || (ab->ended && ba->ended)) {
        pump_drop(p);
        p->over(p, err);
    } else if (more) {
        wake(p);
    }
}

void pump_start(struct pump *p, struct loop *l, struct end *a, struct end *b, void (*over)(struct pump *p, int err))
{
    p->loop = l;
    p->over = over;
    p->moved = clock_ns();
    p->flow[0].from = p->flow[1].to = a;
    p->flow[0].to = p->flow[1].from = b;
    p->flow[1].ended |= a == b;
    end_on_wake(a, wake, p);
    end_on_wake(b, wake, p);
    wake(p);
}

void pump_drop(struct pump *p)
{
    task_drop(&p->task);
    if (p->flow[0].from)
        end_on_wake(p->flow[0].from, NULL, NULL);
    if (p->flow[0].to)
        end_on_wake(p->flow[0].to, NULL, NULL);
}
