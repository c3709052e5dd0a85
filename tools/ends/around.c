/* SPDX-License-Identifier: MIT */
/* around.c: see around.h. */
#include "around.h"

static struct end *inner_of(struct end *e)
{
    return container_of(e, struct around, end)->inner;
}

void around_done(struct end *e, size_t len)
{
    struct end *inner = inner_of(e);

    inner->ops->done(inner, len);
}

ssize_t around_write(struct end *e, const struct iovec *iov, int count)
{
    struct end *inner = inner_of(e);

    return inner->ops->write(inner, iov, count);
}

int around_finish(struct end *e)
{
    struct end *inner = inner_of(e);

    return inner->ops->finish(inner);
}

void around_stop(struct end *e)
{
    struct end *inner = inner_of(e);

    inner->ops->stop(inner);
}

bool around_is_cut(struct end *e)
{
    struct end *inner = inner_of(e);

    return inner->ops->is_cut(inner);
}

static void inner_woke(void *arg)
{
    end_wake(&((const struct around *)arg)->end);
}

void around_init(struct around *a, const struct end_ops *ops, struct end *inner)
{
    a->end.ops = ops;
    a->inner = inner;
    end_on_wake(inner, inner_woke, a);
}
