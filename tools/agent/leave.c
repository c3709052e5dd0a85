/* SPDX-License-Identifier: MIT */
/* leave.c: see leave.h. */
#include "leave.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "tcpmux.h"

#define PATIENCE (10 * SECOND)
#define MOST     256u           /* more at a time are closed as they are */
#define WASTE    (1u << 20)     /* bytes, likewise: whoever sends so much does not listen */

struct leaver {
    struct list link;
    struct leaving *all;
    struct end *end;
    struct timer limit;
    size_t wasted;
    bool has_said;
    size_t at, len;             /* of last */
    char last[];
};

/* ---- going ---- */

static void gone(struct leaver *v, bool reset)
{
    end_on_wake(v->end, NULL, NULL);
    v->end->ops->close(v->end, reset);
    timer_drop(&v->limit);
    list_remove(&v->link);
    v->all->count--;
    free(v);
}

static void limit_due(struct timer *t)
{
    gone(container_of(t, struct leaver, limit), true);
}

static int say_last(struct leaver *v)
{
    int err = v->has_said ? 0 : end_write_rest(v->end, v->last, v->len, &v->at);

    if (!err && !v->has_said)
        err = v->end->ops->finish(v->end);
    v->has_said = !err;
    return err;
}

static void woken(void *arg)
{
    struct leaver *v = arg;
    struct iovec iov;
    int err = say_last(v), count;

    if (err == -EAGAIN)
        return;
    if (err) {
        gone(v, true);
        return;
    }
    while ((count = v->end->ops->peek(v->end, &iov, 1)) > 0 && v->wasted < WASTE) {
        v->end->ops->done(v->end, iov.iov_len);
        v->wasted += iov.iov_len;
    }
    if (count != -EAGAIN)
        gone(v, count != 0);
}

/* ---- coming ---- */

static struct leaver *new(struct leaving *l, const struct iovec *last, int count)
{
    struct leaver *v = NULL;
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += last[i].iov_len;
    if (l->count < MOST && (v = calloc(1, sizeof *v + len)))
        for (int i = 0; i < count; i++) {
            if (last[i].iov_len)
                memcpy(v->last + v->len, last[i].iov_base, last[i].iov_len);
            v->len += last[i].iov_len;
        }
    return v;
}

void leave(struct leaving *l, struct end *end, const struct iovec *last, int count)
{
    struct leaver *v = new(l, last, count);

    if (!v) {
        if (count)
            end->ops->write(end, last, count);
        end->ops->close(end, false);
        return;
    }
    v->all = l;
    v->end = end;
    list_append(&l->all, &v->link);
    l->count++;
    timer_set(l->loop, &v->limit, clock_ns() + PATIENCE, limit_due);
    end_on_wake(end, woken, v);
    woken(v);
}

void leave_refused(struct leaving *l, struct end *end, const char *why)
{
    char line[TCPMUX_ANSWER + 1];
    struct iovec last = { .iov_base = line, .iov_len = tcpmux_answer(false, why, line) };

    leave(l, end, &last, 1);
}

void leaving_begin(struct leaving *l, struct loop *loop)
{
    *l = (struct leaving){ .loop = loop };
    list_init(&l->all);
}

void leaving_end(struct leaving *l)
{
    while (!list_is_empty(&l->all))
        gone(container_of(l->all.next, struct leaver, link), false);
}
