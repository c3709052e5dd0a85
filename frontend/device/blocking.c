/* SPDX-License-Identifier: MIT */
/* blocking.c: small programs' helpers, over the public calls alone.
 *
 * They look at the state of things and not at events, so that they can be mixed with an event loop: the events they
 * wait through stay queued. */
#include <errno.h>

#include "clock.h"
#include "turn.h"

struct until {
    struct xvs *x;
    uint64_t end;               /* ns, or LIFE_NEVER */
    bool looked;                /* what has come was taken in at least once */
};

static struct until until(struct xvs *x, int timeout)
{
    return (struct until){ .x = x, .end = timeout < 0 ? LIFE_NEVER : clock_now_ns() + (uint64_t)timeout * 1000000 };
}

/* For poll() and its like: ms, or -1 for no limit. */
static int left_ms(const struct until *u)
{
    return u->end == LIFE_NEVER ? -1 : clock_left_ms(u->end);
}

/* Sleeps till something moves: 0, or -ETIMEDOUT.  The caller looks again first. */
static int sleep_once(struct until *u)
{
    int left = left_ms(u);

    if (u->x->wake.orphan)
        return -ESTALE;
    if (left)
        turn_sleep(u->x, left);
    else if (u->looked)
        return -ETIMEDOUT;
    else
        xvs_process(u->x);
    u->looked = true;
    return 0;
}

int xvs_wait_up(struct xvs *x, int timeout)
{
    struct until u = until(x, timeout);
    int err = xvs_process(x);

    while (!err && !xvs_is_up(x))
        err = sleep_once(&u);
    return err;
}

static int connect_wait(struct xvs *x, uint64_t cid, uint32_t port, int timeout, struct xvs_stream **out,
                        int (*begin)(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out))
{
    struct until u = until(x, timeout);
    struct xvs_stream *s;
    int err = xvs_wait_up(x, timeout);

    *out = NULL;
    if (err || (err = begin(x, cid, port, &s)))
        return err;
    while (!err && s->v.c.state == VCONN_CONNECTING)
        err = sleep_once(&u);
    /* It may have been opened and be over by now: then its data, its events and its error are the caller's to see. */
    if (!err && !(s->source.pending & XVS_EVENT_OPEN))
        err = xvs_stream_error(s);
    if (err) {
        xvs_stream_close(s);
        return err;
    }
    if (!(s->source.pending &= ~XVS_EVENT_OPEN))
        source_drop(&s->source);
    *out = s;
    return 0;
}

int xvs_connect_wait(struct xvs *x, uint64_t cid, uint32_t port, int timeout, struct xvs_stream **out)
{
    return connect_wait(x, cid, port, timeout, out, xvs_connect);
}

int xvs_connect_seqpacket_wait(struct xvs *x, uint64_t cid, uint32_t port, int timeout, struct xvs_stream **out)
{
    return connect_wait(x, cid, port, timeout, out, xvs_connect_seqpacket);
}

int xvs_accept_wait(struct xvs_listener *l, int timeout, struct xvs_stream **out)
{
    struct until u = until(xvs_of(l->trunk), timeout);
    int err = xvs_process(u.x);

    while (!err && (err = xvs_accept(l, out)) == -EAGAIN)
        err = sleep_once(&u);
    return err;
}

/* After -EAGAIN: another try would find what it needs.  A message needs all of its bytes, and is told. */
static bool may_write(const struct xvs_stream *s)
{
    return has_messages(s) ? !s->wants_out : xvs_stream_writable(s) > 0;
}

int xvs_send_all(struct xvs_stream *s, const void *data, size_t len, int timeout)
{
    struct until u = until(xvs_of(s->trunk), timeout);
    const char *from = data;

    while (len) {
        ssize_t n = xvs_send(s, from, len, 0);
        int err;

        if (n > 0) {
            from += n;
            len -= (size_t)n;
        } else if (n != -EAGAIN && n != -ENOTCONN) {
            return (int)n;
        } else if (!may_write(s) && (err = sleep_once(&u))) {
            return err;
        }
    }
    return 0;
}

ssize_t xvs_recv_wait(struct xvs_stream *s, void *buffer, size_t len, int timeout)
{
    struct until u = until(xvs_of(s->trunk), timeout);
    ssize_t n;
    int err;

    while ((n = xvs_recv(s, buffer, len, 0)) == -EAGAIN || n == -ENOTCONN)
        if ((err = sleep_once(&u)))
            return err;
    return n;
}

ssize_t xvs_recv_all(struct xvs_stream *s, void *buffer, size_t len, int timeout)
{
    struct until u = until(xvs_of(s->trunk), timeout);
    size_t done = 0;

    while (done < len) {
        ssize_t n = xvs_recv_wait(s, (char *)buffer + done, len - done, left_ms(&u));

        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}
