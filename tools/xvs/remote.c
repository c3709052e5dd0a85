/* SPDX-License-Identifier: MIT */
/* remote.c: see remote.h.
 *
 * Nothing is kept here but the rest of one frame: what standard output does not take stays in the stream, and standard input is read when
 * the stream has room, and the other end too (ROOM).  Signals and changes of the window are flags until they can be sent. */
#include "remote.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "escape.h"
#include "framed.h"
#include "message.h"
#include "options.h"
#include "say.h"
#include "service.h"
#include "term.h"

#define ROUNDS   16u
#define KEYS     1024u          /* of a terminal, at a time */
#define INSISTED 3u             /* so many SIGINT, SIGTERM or SIGQUIT end us, whatever the command makes of them */

struct talk {
    const struct remote *remote;
    struct loop loop;
    struct side side;
    struct service_call call;
    struct framed framed;
    struct end *peer, *stdio, *err;     /* peer: NULL, not connected */
    struct task task;
    uv_signal_t quit, usr1, usr2, winch, cont;
    struct term term;
    struct escape escape;
    uint32_t room;              /* bytes of STDIN that may be sent */
    uint64_t signals;           /* bit N: signal N is to be sent */
    unsigned insisted;
    bool is_terminal;           /* standard input is, and what is typed is sent as it is */
    bool resized, leaves;
    bool stdin_over, over;
};

static void run(struct task *t);

static void wake(void *arg)
{
    struct talk *t = arg;

    if (!t->over)
        task_start(&t->loop, &t->task, run);
}

static void end_with(struct talk *t, int status)
{
    t->over = true;
    loop_stop(&t->loop, status);
}

/* ---- what the other end says ---- */

/* 1: go on; 0: it has to be waited for. */
static int pass_out(struct talk *t, const struct frame *f)
{
    bool is_error = f->type == FRAME_STDERR;
    struct end *to = is_error ? t->err : t->stdio;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)f->data, .iov_len = f->len };
    ssize_t n = f->len ? to->ops->write(to, &iov, 1) : 0;

    if (n == -EAGAIN)
        return 0;
    if (n < 0 && is_error) {
        n = (ssize_t)f->len;    /* nobody reads our complaints; the command goes on, as it would here */
    } else if (n < 0) {
        /* Whoever read our output went away, as head(1) does: the command would have died of it. */
        end_with(t, n == -EPIPE ? 128 + SIGPIPE : fail(REMOTE_FAILED, "standard output: %s", strerror((int)-n)));
        return 0;
    }
    framed_taken(&t->framed, (size_t)n);
    return 1;
}

static void take_exit(struct talk *t, const struct frame *f)
{
    struct message_exit e;

    if (!message_get_exit(f->data, f->len, &e))
        end_with(t, fail(REMOTE_FAILED, "%s says that the command has ended, and makes no sense", t->remote->peer));
    else if (e.late)
        end_with(t, fail(REMOTE_LATE, "the command's time was over, and it was ended"));
    else
        end_with(t, e.signal ? 128 + (int)e.signal : (int)e.status);
}

static void take_error(struct talk *t, const struct frame *f)
{
    struct message_error e;

    if (message_get_error(f->data, f->len, &e))
        end_with(t, fail((int)e.status, "%s: %s", t->remote->peer, e.text));
    else
        end_with(t, fail(REMOTE_FAILED, "%s refuses, and the reason makes no sense", t->remote->peer));
}

static int take_frame(struct talk *t, const struct frame *f)
{
    uint32_t room;

    switch (f->type) {
    case FRAME_STDOUT:
    case FRAME_STDERR:
        return pass_out(t, f);
    case FRAME_EXIT:
        take_exit(t, f);
        return 0;
    case FRAME_ERROR:
        take_error(t, f);
        return 0;
    default:                    /* ROOM: the grammar lets no other through */
        if (message_get_room(f->data, f->len, &room) && room <= FRAME_CREDIT - t->room) {
            t->room += room;
            return 1;
        }
        end_with(t, fail(REMOTE_FAILED, "%s has room for more than there can be", t->remote->peer));
        return 0;
    }
}

static void broken(struct talk *t, int err)
{
    const char *why = t->peer->ops->why ? t->peer->ops->why(t->peer) : NULL;

    if (err == -EPROTO)
        end_with(t, fail(REMOTE_FAILED, "%s speaks nonsense: %s", t->remote->peer, t->framed.reader.why));
    else
        end_with(t, fail(REMOTE_FAILED, "%s went away before the command had ended%s%s", t->remote->peer,
                         why || (err && err != -ECONNRESET) ? ": " : "", why ? why : err && err != -ECONNRESET ? errno_words(err) : ""));
}

static bool hear(struct talk *t)
{
    struct frame f;

    for (unsigned i = 0; i < ROUNDS; i++) {
        int got = framed_next(&t->framed, &f);

        if (got == -EAGAIN)
            return false;
        if (got <= 0) {
            broken(t, got);
            return false;
        }
        if (!take_frame(t, &f))
            return false;
    }
    return true;
}

/* ---- what we say ---- */

static ssize_t read_stdin(void *arg, void *buffer, size_t len)
{
    struct talk *t = arg;
    uint8_t keys[KEYS];
    size_t filtered;
    ssize_t n;

    if (!t->is_terminal)
        return t->stdio->ops->read(t->stdio, buffer, len);
    do {
        if (len < 2)
            return -EAGAIN;     /* it cannot be so little: room comes in larger pieces */
        if ((n = t->stdio->ops->read(t->stdio, keys, len - 1 < KEYS ? len - 1 : KEYS)) <= 0)
            return n;
        filtered = escape_filter(&t->escape, keys, (size_t)n, buffer, &t->leaves);
    } while (!filtered && !t->leaves);
    return filtered ? (ssize_t)filtered : -EAGAIN;
}

/* 1: there may be more. */
static int send_stdin(struct talk *t)
{
    struct framed_source source = { read_stdin, t };
    bool of_source;
    ssize_t n;

    if (t->stdin_over || !t->room || framed_is_busy(&t->framed))
        return 0;
    n = framed_fill(&t->framed, FRAME_STDIN, &source, t->room, &of_source);
    if (n > 0) {
        t->room -= (uint32_t)n;
        return 1;
    }
    if (n == -EAGAIN)
        return 0;
    if (n < 0 && !of_source)
        return (int)n;
    if (n < 0)
        say("standard input: %s", strerror((int)-n));
    t->stdin_over = true;
    return framed_send(&t->framed, FRAME_STDIN, NULL, 0);
}

static int send_small(struct talk *t)
{
    uint8_t frame[MESSAGE_MAX];
    uint16_t rows, columns;
    int err = 0;

    if (t->resized && !framed_is_busy(&t->framed)) {
        t->resized = false;
        if (t->remote->start.tty && term_size(&rows, &columns))
            err = framed_put(&t->framed, frame, message_put_size(frame, rows, columns));
    }
    while (!err && t->signals && !framed_is_busy(&t->framed)) {
        unsigned number = (unsigned)__builtin_ctzll(t->signals);

        t->signals &= t->signals - 1;
        err = framed_put(&t->framed, frame, message_put_signal(frame, number));
    }
    return err;
}

static int speak(struct talk *t, bool *more)
{
    int err = framed_flush(&t->framed);

    if (err == -EAGAIN)
        return 0;
    for (unsigned i = 0; !err && i < ROUNDS; i++) {
        if ((err = send_small(t)) == 0 && (err = send_stdin(t)) <= 0)
            return err;
        err = err > 0 ? 0 : err;
    }
    *more = !err;
    return err;
}

static void run(struct task *task)
{
    struct talk *t = container_of(task, struct talk, task);
    bool more = hear(t), unsaid = false;
    int err;

    if (t->over)
        return;
    err = speak(t, &unsaid);
    if (t->leaves) {
        end_with(t, fail(REMOTE_FAILED, "left"));
        return;
    }
    /* Why the stream broke, its reader hears, with what was said before that. */
    if (err && err != -EPIPE && err != -ECONNRESET)
        broken(t, err);
    else if (more || unsaid)
        wake(t);
}

/* ---- signals ---- */

static bool signalled(void *arg, int number)
{
    struct talk *t = arg;

    if (number == SIGHUP || !t->peer)
        return false;
    if (number == SIGINT || number == SIGTERM || number == SIGQUIT)
        if (++t->insisted == INSISTED)
            return false;
    t->signals |= UINT64_C(1) << number;
    wake(t);
    return true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct talk *t = handle->data;

    if (number == SIGCONT && t->term.raw)
        term_raw(&t->term);     /* whoever was before us here may have left other modes */
    if (number == SIGWINCH || number == SIGCONT) {
        t->resized = true;
        if (t->peer)
            wake(t);
    } else if (!signalled(t, number)) {
        t->loop.caught = number;
        t->loop.stopping = true;
    }
}

static int listen_to(struct talk *t, uv_signal_t *handle, int number)
{
    struct sigaction old;
    int err = uv_signal_init(&t->loop.uv, handle);

    handle->data = t;
    if (err || (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN))
        return err;
    return uv_signal_start(handle, on_signal, number);
}

static int listen_to_signals(struct talk *t)
{
    int err;

    t->loop.signalled = signalled;
    t->loop.signalled_arg = t;
    if ((err = listen_to(t, &t->quit, SIGQUIT)) || (err = listen_to(t, &t->usr1, SIGUSR1)) || (err = listen_to(t, &t->usr2, SIGUSR2)))
        return err;
    return (err = listen_to(t, &t->winch, SIGWINCH)) ? err : listen_to(t, &t->cont, SIGCONT);
}

/* ---- the beginning ---- */

static int send_start(struct talk *t)
{
    struct start start = t->remote->start;
    size_t len = 0;
    char *text;
    int err;

    if (start.tty)
        term_size(&start.rows, &start.columns);
    if (!(text = start_text(&start, &len)))
        return fail(REMOTE_FAILED, "out of memory, or a variable's name is no text");
    if (len > FRAME_MAX) {
        free(text);
        return fail(REMOTE_FAILED, "the command and its environment are %zu bytes, and %u can be sent", len, FRAME_MAX);
    }
    err = framed_send(&t->framed, FRAME_START, text, len);
    free(text);
    return err ? fail(REMOTE_FAILED, "%s: %s", t->remote->peer, errno_words(err)) : 0;
}

static void called(struct service_call *c, int err, struct end *end)
{
    struct talk *t = c->arg;
    int status;

    if (err) {
        end_with(t, fail(REMOTE_FAILED, "%s", c->why[0] ? c->why : errno_words(err)));
        return;
    }
    t->peer = end;
    framed_init(&t->framed, end, &frame_exec_agent);
    t->room = FRAME_CREDIT;
    t->stdin_over = !t->remote->start.has_stdin;
    if ((status = send_start(t))) {
        end_with(t, status);
        return;
    }
    if (t->is_terminal && (err = term_raw(&t->term))) {
        end_with(t, fail(REMOTE_FAILED, "the terminal: %s", strerror(-err)));
        return;
    }
    end_on_wake(end, wake, t);
    end_on_wake(t->stdio, wake, t);
    end_on_wake(t->err, wake, t);
    wake(t);
}

int remote_run(const struct remote *r)
{
    struct talk *t = calloc(1, sizeof *t);
    bool has_stdin = r->start.has_stdin;
    int status, err;

    if (!t || (err = loop_begin(&t->loop))) {
        free(t);
        return fail(REMOTE_FAILED, "cannot begin: %s", errno_words(t ? err : -ENOMEM));
    }
    t->remote = r;
    t->is_terminal = r->start.tty && has_stdin && isatty(STDIN_FILENO);
    side_init(&t->side, &t->loop, &common);
    t->stdio = fdend_standard(&t->loop, has_stdin ? STDIN_FILENO : -1, STDOUT_FILENO, true);
    t->err = fdend_standard(&t->loop, -1, STDERR_FILENO, true);
    if (!t->stdio || !t->err || (err = listen_to_signals(t))) {
        status = fail(REMOTE_FAILED, "cannot begin: %s", errno_words(t->stdio && t->err ? err : -ENOMEM));
    } else {
        t->call = (struct service_call){ .dial = { .side = &t->side, .peer = r->peer, .patience = r->patience, .retry = r->retry,
                                                   .vouches = true },
                                         .service = "exec", .done = called, .arg = t };
        service_start(&t->call);
        status = loop_run(&t->loop);
    }
    term_restore(&t->term);
    t->over = true;
    task_drop(&t->task);
    service_drop(&t->call);
    framed_free(&t->framed);
    if (t->peer)
        t->peer->ops->close(t->peer, true);
    if (t->stdio)
        t->stdio->ops->close(t->stdio, false);
    if (t->err)
        t->err->ops->close(t->err, false);
    side_close(&t->side);
    status = loop_end(&t->loop, status);
    free(t);
    return status;
}
