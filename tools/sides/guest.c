/* SPDX-License-Identifier: MIT */
/* guest.c: connections in a guest, over libxvs: a device as one watch of the loop, streams as ends.
 *
 * Everything written in a turn is gathered (XVS_MORE) and shown to the backend before the loop sleeps, so a turn costs
 * one notification however many streams it served. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <xvs.h>

#include "peer.h"
#include "refusal.h"
#include "say.h"
#include "side.h"

#define BACKLOG 128
#define LINGER  (10 * SECOND)   /* a close takes 8 s at most */
#define BULK    32768           /* a piece so full is sent at once: the backend may begin */

struct guest {
    struct side *side;
    struct xvs *x;
    struct watch watch;
    struct list waiting;        /* dials that wait for the device */
};

/* Whose events these are: the user pointer of streams and listeners. */
struct user {
    enum { CALLING, TALKING, LISTENING } kind;
};

struct talk {
    struct user user;           /* CALLING until it is open */
    struct end end;
    struct xvs_stream *stream;
    struct dial *dial;
    bool over;                  /* both ends are through, or it broke */
    bool stopped;               /* we read no more */
    struct reason blame;        /* what a reset is to say */
    uint8_t *whole;             /* a message that is in more pieces than were asked for */
    char why[REASON_LINE];
};

struct ear {
    struct user user;
    struct listening *listening;
    struct xvs_listener *listener;
};

/* ---- a stream as an end ---- */

static struct talk *talk_of(struct end *e)
{
    return container_of(e, struct talk, end);
}

static int talk_peek(struct end *e, struct iovec *iov, int max)
{
    return xvs_peek(talk_of(e)->stream, iov, max);
}

/* The first message. */
static int talk_peek_message(struct end *e, struct iovec *iov, int max)
{
    struct talk *t = talk_of(e);
    size_t len = xvs_stream_readable(t->stream), shown = 0;
    int n = xvs_peek(t->stream, iov, max);

    for (int i = 0; i < n; i++)
        shown += iov[i].iov_len;
    if (n <= 0 || shown == len)
        return n;
    free(t->whole);
    if (!(t->whole = malloc(len)))
        return -ENOMEM;
    iov[0] = (struct iovec){ .iov_base = t->whole, .iov_len = len };
    return xvs_recv(t->stream, t->whole, len, XVS_PEEK) == (ssize_t)len ? 1 : -EIO;
}

static void talk_done(struct end *e, size_t len)
{
    xvs_done(talk_of(e)->stream, len);
}

static ssize_t talk_write(struct end *e, const struct iovec *iov, int count)
{
    ssize_t n = xvs_sendv(talk_of(e)->stream, iov, count, XVS_MORE);

    return n ? n : -EAGAIN;
}

static ssize_t talk_reserve(struct end *e, size_t want, void **piece)
{
    return xvs_reserve(talk_of(e)->stream, want, piece);
}

static int talk_commit(struct end *e, size_t len)
{
    return xvs_commit(talk_of(e)->stream, len, len && len < BULK ? XVS_MORE : 0);
}

static int talk_finish(struct end *e)
{
    int err = xvs_shutdown(talk_of(e)->stream, SHUT_WR);

    /* How a stream ended that is over already, its reader hears. */
    return err == -ENOMEM || err == -EINVAL ? err : 0;
}

static void talk_stop(struct end *e)
{
    xvs_shutdown(talk_of(e)->stream, SHUT_RD);
    talk_of(e)->stopped = true;
}

static bool talk_is_cut(struct end *e)
{
    struct xvs_stream *s = talk_of(e)->stream;
    void *piece;
    ssize_t n = xvs_reserve(s, 1, &piece);

    if (n > 0)
        xvs_commit(s, 0, 0);
    return n < 0 && n != -EAGAIN;
}

/* To send nothing is to send none, and is refused all the same where nothing could be sent. */
static bool talk_is_cut_of_messages(struct end *e)
{
    return xvs_sendv(talk_of(e)->stream, NULL, 0, XVS_MORE) < 0;
}

/* A stream is over in order when the peer has read everything.  If it has to guess that we do not, it may take its time. */
static int talk_settle(struct end *e)
{
    struct talk *t = talk_of(e);

    return t->over ? xvs_stream_error(t->stream) : t->stopped ? 0 : -EAGAIN;
}

static struct reason reason_of(const struct xvs_stream *s)
{
    unsigned detail;
    int code = xvs_stream_reason(s, &detail);

    return reason_heard((unsigned)code, detail);
}

static struct reason talk_reason(struct end *e)
{
    return reason_of(talk_of(e)->stream);
}

static int talk_blame(struct end *e, struct reason why)
{
    talk_of(e)->blame = why;
    return 0;
}

static const char *talk_why(struct end *e)
{
    struct talk *t = talk_of(e);
    struct reason r = talk_reason(e);

    return r.code ? reason_line(t->why, r) : NULL;
}

static void talk_close(struct end *e, bool reset)
{
    struct talk *t = talk_of(e);

    if (!reset)
        xvs_stream_close(t->stream);
    else if (xvs_stream_reset_with(t->stream, t->blame.code ? t->blame.code : XVS_REASON_ABORTED, t->blame.detail))
        xvs_stream_reset(t->stream);
    free(t->whole);
    free(t);
}

static struct talk *talk_new(struct xvs_stream *s, struct dial *d)
{
    static const struct end_ops ops = {
        .peek = talk_peek,     .done = talk_done,       .write = talk_write,   .reserve = talk_reserve,
        .commit = talk_commit, .finish = talk_finish,   .stop = talk_stop,     .is_cut = talk_is_cut,
        .settle = talk_settle, .why = talk_why,         .reason = talk_reason, .blame = talk_blame,
        .close = talk_close,
    };
    static const struct end_ops of_messages = {
        .peek = talk_peek_message, .done = talk_done, .write = talk_write, .finish = talk_finish,
        .stop = talk_stop,     .is_cut = talk_is_cut_of_messages, .settle = talk_settle, .why = talk_why,
        .reason = talk_reason, .blame = talk_blame,   .close = talk_close,
    };
    struct talk *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    *t = (struct talk){ .user = { d ? CALLING : TALKING }, .stream = s, .dial = d };
    t->end.ops = xvs_stream_is_seqpacket(s) ? &of_messages : &ops;
    xvs_stream_set_user(s, &t->user);
    return t;
}

/* ---- calling ---- */

static int call(struct guest *g, struct dial *d)
{
    struct xvs_stream *s;
    struct talk *t;
    uint64_t cid;
    int err;

    if ((err = peer_cid(d, &cid)))
        return err;
    if (!xvs_is_up(g->x)) {
        list_init(&d->link);
        list_append(&g->waiting, &d->link);
        return 0;
    }
    if ((err = d->messages ? xvs_connect_seqpacket(g->x, cid, d->port, &s) : xvs_connect(g->x, cid, d->port, &s))) {
        if (err == -ESOCKTNOSUPPORT) {
            snprintf(d->why, sizeof d->why, PEER_NO_MESSAGES);
            return err;
        }
        snprintf(d->why, sizeof d->why, "cannot connect to %s port %u: %s", d->peer, d->port, strerror(-err));
        return err;
    }
    if (d->buffer)
        xvs_stream_set_buffer(s, d->buffer);
    if (!(t = talk_new(s, d))) {
        xvs_stream_close(s);
        return -ENOMEM;
    }
    d->attempt = t;
    return 0;
}

static int guest_dial(struct dial *d)
{
    return call(d->side->own, d);
}

static void leave_queue(struct dial *d)
{
    if (d->link.next)
        list_remove(&d->link);
    d->link.next = NULL;
}

static int guest_dial_abort(struct dial *d, int err)
{
    struct guest *g = d->side->own;
    struct talk *t = d->attempt;

    leave_queue(d);
    d->attempt = NULL;
    if (t) {
        xvs_stream_close(t->stream);
        free(t);
    }
    return xvs_is_up(g->x) ? peer_late(d, err) : peer_down(d, xvs_reason(g->x));
}

static void device_up(struct guest *g)
{
    struct list now, *link;

    if (g->side->options.verbose)
        say("the device is up, CID %llu", (unsigned long long)xvs_cid(g->x));
    list_init(&now);
    while ((link = list_take(&g->waiting)))
        list_append(&now, link);
    while ((link = list_take(&now))) {
        struct dial *d = container_of(link, struct dial, link);
        int err;

        link->next = NULL;
        if ((err = call(g, d)))
            dial_end(d, err, NULL);
    }
}

static void call_answered(struct talk *t, unsigned what)
{
    struct dial *d = t->dial;
    struct reason reason = reason_of(t->stream);
    int err = xvs_stream_error(t->stream);

    /* Both at once: it opened, and ended before we looked.  What it said is still to be read. */
    if (what & XVS_EVENT_OPEN) {
        t->user.kind = TALKING;
        t->dial = NULL;
        d->attempt = NULL;
        dial_end(d, 0, &t->end);
    } else if (what & XVS_EVENT_HUP) {
        d->attempt = NULL;
        d->refused = reason;
        xvs_stream_close(t->stream);
        free(t);
        if (err == -ECONNREFUSED)
            err = refusal_explain(d->why, reason, d->peer, d->port, false);
        else if (err == -ETIMEDOUT)
            peer_late(d, err);
        else
            snprintf(d->why, sizeof d->why, "%s port %u: %s", d->peer, d->port, strerror(-err));
        dial_end(d, err ? err : -ECONNRESET, NULL);
    }
}

/* ---- events ---- */

static void dispatch(struct guest *g, const struct xvs_event *ev)
{
    struct user *user = ev->user;

    if (!user) {
        if ((ev->what & XVS_EVENT_DOWN) && g->side->options.verbose)
            say("the device is down: %s", xvs_reason(g->x));
        if (ev->what & XVS_EVENT_UP)
            device_up(g);
    } else if (user->kind == LISTENING) {
        struct ear *ear = container_of(user, struct ear, user);

        ear->listening->ready(ear->listening);
    } else {
        struct talk *t = container_of(user, struct talk, user);

        t->over |= (ev->what & XVS_EVENT_HUP) != 0;
        if (user->kind == CALLING)
            call_answered(t, ev->what);
        else if (t->end.wake)
            t->end.wake(t->end.arg);
    }
}

/* Sends what was gathered, takes what has come; the events start tasks, and the loop comes back before it sleeps. */
static void turn(void *arg)
{
    struct guest *g = arg;
    struct xvs_event ev;
    int err = xvs_process(g->x);

    if (err)
        loop_stop(g->side->loop, fail(EXIT_ABSENT, "the vsock device has failed: %s", strerror(-err)));
    while (!err && xvs_next_event(g->x, &ev))
        dispatch(g, &ev);
    /* Who heard of an event may have answered at once, and has no task by which this would be called again. */
    if (!err)
        xvs_flush(g->x);
    g->watch.want = POLLIN;
}

static void device_ready(struct watch *w)
{
    w->want = POLLIN;           /* turn() runs before the next sleep */
}

/* ---- being called ---- */

static int guest_listen(struct listening *l)
{
    struct guest *g = l->side->own;
    unsigned backlog = l->backlog ? l->backlog : BACKLOG;
    struct ear *ear;
    int err;

    if ((err = peer_none(l)))
        return err;
    if (!(ear = calloc(1, sizeof *ear)))
        return -ENOMEM;
    if ((err = (l->messages ? xvs_listen_seqpacket : xvs_listen)(g->x, l->port, backlog, &ear->listener))) {
        free(ear);
        return err;
    }
    ear->user.kind = LISTENING;
    ear->listening = l;
    xvs_listener_set_user(ear->listener, &ear->user);
    l->own = ear;
    return 0;
}

static int guest_accept(struct listening *l, struct end **end, struct caller *caller)
{
    struct ear *ear = l->own;
    struct xvs_stream *s;
    struct talk *t;
    int err = xvs_accept(ear->listener, &s);

    if (err)
        return err;
    if (l->buffer)
        xvs_stream_set_buffer(s, l->buffer);
    if (!(t = talk_new(s, NULL))) {
        xvs_stream_reset(s);
        return -ENOMEM;
    }
    *end = &t->end;
    *caller = (struct caller){
        .cid = xvs_stream_peer(s).cid,
        .port = xvs_stream_peer(s).port,
        .has_port = true,
        .local_cid = xvs_stream_local(s).cid,
    };
    return 0;
}

static void guest_unlisten(struct listening *l)
{
    struct ear *ear = l->own;

    xvs_listener_close(ear->listener);
    free(ear);
}

/* ---- the device ---- */

static void log_line(void *arg, const char *line)
{
    (void)arg;
    say("%s", line);
}

/* Closing streams have things to say to the backend, and the device must live until they are said, or a signal comes. */
static void linger(struct xvs *x, int signals)
{
    struct pollfd p[] = { { .fd = xvs_fd(x), .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    struct xvs_stats stats = { .size = sizeof stats };
    int64_t end = clock_ns() + LINGER;
    struct xvs_event ev;

    for (;;) {
        int err = xvs_process(x);

        while (xvs_next_event(x, &ev))
            ;
        xvs_get_stats(x, &stats);
        if (err || !stats.streams || !xvs_is_up(x) || clock_ns() >= end)
            return;
        if ((poll(p, 2, 100) < 0 && errno != EINTR) || p[1].revents)
            return;
    }
}

static void guest_close(struct side *s)
{
    struct guest *g = s->own;

    watch_drop(s->loop, &g->watch);
    s->loop->prepare = NULL;
    if (!s->loop->caught)
        linger(g->x, loop_signal_fd(s->loop));
    xvs_close(g->x);
    free(g);
}

static int guest_open(struct side *s, char *why)
{
    struct guest *g = calloc(1, sizeof *g);
    struct xvs_options o;
    int err;

    if (!g)
        return -ENOMEM;
    xvs_options_init(&o);
    o.device = s->options.device;
    if (s->options.pool)
        o.tx_pool = o.rx_pool = s->options.pool;
    o.connect_timeout = 1000000000 / 1000;      /* the dial's own limit comes first */
    o.log = s->options.verbose ? log_line : NULL;
    g->side = s;
    list_init(&g->waiting);
    if ((err = xvs_open(&o, &g->x))) {
        free(g);
        snprintf(why, WHY, "cannot open the vsock device of this guest: %s%s", xvs_open_error(),
                 err == -ENOENT && s->options.which == SIDE_GUESS
                     ? " (in dom0: start xvsd, or name its directory with --run-dir)" : "");
        return err;
    }
    watch_add(s->loop, &g->watch, xvs_fd(g->x), device_ready);
    g->watch.want = POLLIN;
    s->loop->prepare = turn;
    s->loop->prepare_arg = g;
    s->own = g;
    return 0;
}

const struct side_ops side_guest = {
    .open = guest_open,
    .close = guest_close,
    .dial = guest_dial,
    .dial_abort = guest_dial_abort,
    .listen = guest_listen,
    .accept = guest_accept,
    .unlisten = guest_unlisten,
};
