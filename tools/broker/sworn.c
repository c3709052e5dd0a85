/* SPDX-License-Identifier: MIT */
/* sworn.c: see sworn.h. */
#include "sworn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "around.h"

struct sworn {
    struct around around;       /* the socket's end */
    struct loop *loop;
    struct watch watch;         /* of the socket's whole end, while nobody has vouched */
    struct edges *edges;
    struct edge edge;           /* of the socket, while line_waits */
    bool line_waits, stopped;
    bool dropped;               /* …with bytes that had come since the last look */
    bool calls, vouched, said_end, said_reset;
};

static struct sworn *sworn_of(struct end *e)
{
    return container_of(e, struct sworn, around.end);
}

static bool has(struct sworn *s, short events)
{
    struct pollfd p = { .fd = s->watch.fd, .events = events };

    return poll(&p, 1, 0) > 0 && (p.revents & events);
}

/* There is no more to read: whether that is the end. */
static ssize_t judge(struct sworn *s)
{
    if (s->said_reset)
        return -SWORN_RESET;
    if (s->said_end || (!s->calls && !s->vouched))
        return 0;
    if (!s->vouched && has(s, POLLHUP | POLLERR))
        return -SWORN_GONE;
    /* Half closed: the voucher may be on his way still. */
    s->watch.want = s->vouched ? 0 : POLLHUP;
    return -EAGAIN;
}

/* ---- the newline of its line ---- */

void sworn_take_newline(int fd)
{
    char newline;

    (void)!recv(fd, &newline, 1, MSG_DONTWAIT);
}

static void pass_line(struct sworn *s)
{
    s->line_waits = false;
    edge_drop(s->edges, &s->edge);
    sworn_take_newline(s->watch.fd);
}

/* What there is to read without it: more than 0 if it is out of the way.  The end is looked for first: what was sent before it is there
 * then, while between two calls a program can send its last and end. */
static ssize_t look_behind_line(struct sworn *s)
{
    char two[2];
    bool ends;

    if (!s->line_waits)
        return 1;
    ends = has(s, POLLRDHUP | POLLHUP);
    if (recv(s->watch.fd, two, sizeof two, MSG_PEEK | MSG_DONTWAIT) == 1 && !has(s, POLLERR))
        return ends ? judge(s) : -EAGAIN;
    pass_line(s);
    return 1;
}

static void moved(struct edge *edge)
{
    end_wake(&container_of(edge, struct sworn, edge)->around.end);
}

/* ---- reading ---- */

static ssize_t sworn_read(struct end *e, void *buffer, size_t len)
{
    struct sworn *s = sworn_of(e);
    ssize_t n = look_behind_line(s);

    if (n <= 0)
        return n;
    n = s->around.inner->ops->read(s->around.inner, buffer, len);

    return n ? n : judge(s);
}

static int sworn_peek(struct end *e, struct iovec *iov, int max)
{
    struct sworn *s = sworn_of(e);
    int n = (int)look_behind_line(s);

    if (n <= 0)
        return n;
    n = s->around.inner->ops->peek(s->around.inner, iov, max);

    return n ? n : (int)judge(s);
}

/* Shuts it for reading, and throws away what is there but for one byte, which may be the line's: how many bytes there were.  More do not come
 * then, since its program cannot send any. */
static int drop_queue(int fd)
{
    char waste[4096];
    int queued = 0, left;
    ssize_t n = 1;

    shutdown(fd, SHUT_RD);
    ioctl(fd, FIONREAD, &queued);
    for (left = queued; left > 1 && n > 0; left -= (int)n)
        n = recv(fd, waste, (size_t)left - 1 < sizeof waste ? (size_t)left - 1 : sizeof waste, MSG_DONTWAIT);
    return queued;
}

static void sworn_stop(struct end *e)
{
    struct sworn *s = sworn_of(e);
    int queued = drop_queue(s->watch.fd);

    if (s->line_waits)
        edge_drop(s->edges, &s->edge);
    s->dropped = queued > s->line_waits;
    s->line_waits = false;
    s->stopped = queued > 0;
    if (!s->stopped)
        s->around.inner->ops->stop(s->around.inner);
}

static void sworn_close(struct end *e, bool reset)
{
    struct sworn *s = sworn_of(e);

    if (s->line_waits && !reset)
        pass_line(s);
    else if (s->line_waits)
        edge_drop(s->edges, &s->edge);
    if (s->stopped && !reset)
        sworn_take_newline(s->watch.fd);        /* or whatever byte it is */
    watch_drop(s->loop, &s->watch);
    s->around.inner->ops->close(s->around.inner, reset);
    free(s);
}

static void hung_up(struct watch *w)
{
    end_wake(&container_of(w, struct sworn, watch)->around.end);
}

struct end *sworn_socket(struct loop *l, int fd, bool calls, struct edges *edges, bool line_waits)
{
    static const struct end_ops ops = {
        .peek = sworn_peek,     .done = around_done, .write = around_write,   .read = sworn_read,
        .finish = around_finish, .stop = sworn_stop, .is_cut = around_is_cut, .close = sworn_close,
    };
    struct sworn *s = calloc(1, sizeof *s);

    if (!s || !(s->around.inner = fdend_socket(l, fd))) {
        free(s);
        return NULL;
    }
    around_init(&s->around, &ops, s->around.inner);
    s->loop = l;
    watch_add(l, &s->watch, fd, hung_up);
    s->calls = calls;
    s->edges = edges;
    s->line_waits = line_waits;
    if (line_waits && edge_add(edges, &s->edge, fd, moved))
        pass_line(s);
    return &s->around.end;
}

bool sworn_has_dropped(struct end *e)
{
    return sworn_of(e)->dropped;
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
