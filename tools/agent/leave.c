/* SPDX-License-Identifier: MIT */
/* leave.c: see leave.h. */
#include "leave.h"

#include <errno.h>
#include <stdlib.h>

#include "say.h"

#define PATIENCE (10 * SECOND)
#define MOST     256u           /* more at a time are closed as they are */
#define WASTE    (1u << 20)     /* bytes, likewise: whoever sends so much does not listen */

struct leaver {
    struct list link;
    struct leaving *all;
    struct end *end;
    struct timer limit;
    size_t wasted;
};

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

static void woken(void *arg)
{
    struct leaver *v = arg;
    struct iovec iov;
    int count;

    while ((count = v->end->ops->peek(v->end, &iov, 1)) > 0 && v->wasted < WASTE) {
        v->end->ops->done(v->end, iov.iov_len);
        v->wasted += iov.iov_len;
    }
    if (count != -EAGAIN)
        gone(v, count != 0);
}

void leave(struct leaving *l, struct end *end)
{
    struct leaver *v = l->count < MOST ? calloc(1, sizeof *v) : NULL;

    if (!v || end->ops->finish(end)) {
        end->ops->close(end, false);
        free(v);
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
