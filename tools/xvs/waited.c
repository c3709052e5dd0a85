/* SPDX-License-Identifier: MIT */
/* waited.c: see waited.h. */
#include "waited.h"

#include <errno.h>
#include <string.h>

#include "say.h"

static void woken(void *arg)
{
    struct waited *w = arg;

    w->woken = true;
    loop_stop(w->loop, 0);
}

int waited_run(struct loop *l)
{
    if (l->caught)
        return -EINTR;
    l->stopping = false;
    loop_run(l);
    return l->caught ? -EINTR : 0;
}

struct turn {
    struct timer timer;
    struct loop *loop;
};

static void turn_over(struct timer *t)
{
    loop_stop(container_of(t, struct turn, timer)->loop, 0);
}

int waited_turn(struct loop *l)
{
    struct turn t = { .loop = l };
    int err;

    timer_set(l, &t.timer, 0, turn_over);
    err = waited_run(l);
    timer_drop(&t.timer);
    return err;
}

/* ---- as a channel ---- */

static ssize_t read_some(struct channel *c, void *bytes, size_t len)
{
    const struct waited *w = container_of(c, struct waited, channel);
    const struct end_ops *ops = w->end->ops;
    struct iovec iov[16];
    size_t have = 0;
    int count;

    if (w->loop->caught)
        return -EINTR;
    if (ops->read)
        return ops->read(w->end, bytes, len);
    if ((count = ops->peek(w->end, iov, 16)) <= 0)
        return count;
    for (int i = 0; i < count && have < len; i++) {
        size_t n = iov[i].iov_len < len - have ? iov[i].iov_len : len - have;

        memcpy((char *)bytes + have, iov[i].iov_base, n);
        ops->done(w->end, n);
        have += n;
        if (n < iov[i].iov_len)
            break;
    }
    return (ssize_t)have;
}

static ssize_t write_some(struct channel *c, const struct iovec *iov, int count)
{
    const struct waited *w = container_of(c, struct waited, channel);

    return w->loop->caught ? -EINTR : w->end->ops->write(w->end, iov, count);
}

static int wait_for_it(struct channel *c, bool writes)
{
    struct waited *w = container_of(c, struct waited, channel);
    int err;

    (void)writes;               /* what was tried in vain wakes, and nothing else */
    err = w->woken ? 0 : waited_run(w->loop);
    w->woken = false;
    return err;
}

void waited_init(struct waited *w, struct loop *l, struct end *e)
{
    *w = (struct waited){ .channel = { read_some, write_some, wait_for_it }, .loop = l, .end = e };
    end_on_wake(e, woken, w);
}

/* ---- the end of it ---- */

/* 0 when the end has ended both ways and knows how, -EAGAIN until then. */
static int end_it(struct waited *w, bool *said, bool *heard)
{
    char waste[256];
    ssize_t n = 1;
    int err = 0;

    if (!*said && (err = w->end->ops->finish(w->end)) == -EAGAIN)
        return err;
    *said = true;
    while (!err && !*heard && (n = read_some(&w->channel, waste, sizeof waste)) > 0)
        ;
    if (n < 0)
        return (int)n;
    *heard = true;
    return err ? err : w->end->ops->settle ? w->end->ops->settle(w->end) : 0;
}

void waited_finish(struct waited *w, int64_t patience)
{
    struct turn limit = { .loop = w->loop };
    int64_t end = clock_ns() + patience;
    bool said = false, heard = false;

    while (end_it(w, &said, &heard) == -EAGAIN && clock_ns() < end) {
        timer_set(w->loop, &limit.timer, end, turn_over);
        if (waited_run(w->loop))
            break;
    }
    timer_drop(&limit.timer);
}
