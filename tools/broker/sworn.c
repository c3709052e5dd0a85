/* SPDX-License-Identifier: MIT */
/* sworn.c: see sworn.h. */
#include "sworn.h"

#include <errno.h>
#include <stdlib.h>

struct sworn {
    struct end end;
    struct end *data;
    struct loop *loop;
    struct watch watch;         /* of the socket's whole end, while nobody has vouched */
    bool calls, vouched, said_end, said_reset;
};

static struct sworn *sworn_of(struct end *e)
{
    return container_of(e, struct sworn, end);
}

static bool has_gone(struct sworn *s)
{
    struct pollfd p = { .fd = s->watch.fd };

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* There is no more to read: whether that is the end. */
static ssize_t judge(struct sworn *s)
{
    if (s->said_reset)
        return -SWORN_RESET;
    if (s->said_end || (!s->calls && !s->vouched))
        return 0;
    if (!s->vouched && has_gone(s))
        return -SWORN_GONE;
    /* Half closed: the voucher may be on his way still. */
    s->watch.want = s->vouched ? 0 : POLLHUP;
    return -EAGAIN;
}

static ssize_t sworn_read(struct end *e, void *buffer, size_t len)
{
    struct sworn *s = sworn_of(e);
    ssize_t n = s->data->ops->read(s->data, buffer, len);

    return n ? n : judge(s);
}

static int sworn_peek(struct end *e, struct iovec *iov, int max)
{
    struct sworn *s = sworn_of(e);
    int n = s->data->ops->peek(s->data, iov, max);

    return n ? n : (int)judge(s);
}

static void sworn_done(struct end *e, size_t len)
{
    struct sworn *s = sworn_of(e);

    s->data->ops->done(s->data, len);
}

static ssize_t sworn_write(struct end *e, const struct iovec *iov, int count)
{
    struct sworn *s = sworn_of(e);

    return s->data->ops->write(s->data, iov, count);
}

static int sworn_finish(struct end *e)
{
    struct sworn *s = sworn_of(e);

    return s->data->ops->finish(s->data);
}

static void sworn_stop(struct end *e)
{
    struct sworn *s = sworn_of(e);

    s->data->ops->stop(s->data);
}

static bool sworn_is_cut(struct end *e)
{
    struct sworn *s = sworn_of(e);

    return s->data->ops->is_cut(s->data);
}

static void sworn_close(struct end *e, bool reset)
{
    struct sworn *s = sworn_of(e);

    watch_drop(s->loop, &s->watch);
    s->data->ops->close(s->data, reset);
    free(s);
}

static void data_woke(void *arg)
{
    struct sworn *s = arg;

    end_wake(&s->end);
}

static void hung_up(struct watch *w)
{
    end_wake(&container_of(w, struct sworn, watch)->end);
}

struct end *sworn_socket(struct loop *l, int fd, bool calls)
{
    static const struct end_ops ops = {
        .peek = sworn_peek,     .done = sworn_done, .write = sworn_write,   .read = sworn_read,
        .finish = sworn_finish, .stop = sworn_stop, .is_cut = sworn_is_cut, .close = sworn_close,
    };
    struct sworn *s = calloc(1, sizeof *s);

    if (!s || !(s->data = fdend_socket(l, fd))) {
        free(s);
        return NULL;
    }
    s->end.ops = &ops;
    s->loop = l;
    watch_add(l, &s->watch, fd, hung_up);
    s->calls = calls;
    end_on_wake(s->data, data_woke, s);
    return &s->end;
}

void sworn_vouched(struct end *e)
{
    sworn_of(e)->vouched = true;
}

void sworn_said_end(struct end *e)
{
    sworn_of(e)->said_end = true;
    end_wake(e);
}

void sworn_said_reset(struct end *e)
{
    sworn_of(e)->said_reset = true;
    end_wake(e);
}
