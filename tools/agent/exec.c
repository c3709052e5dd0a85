/* SPDX-License-Identifier: MIT */
/* exec.c: see exec.h.
 *
 * A session waits for START, begins the command, and carries bytes until the command has ended and its output is read.  It keeps two things
 * at most: one frame that the stream does not take (then the command's output is left in its pipes, and the command has to wait), and
 * some of STDIN (input.h).  So the stream is read all the time: a signal gets through, and it is noticed when the caller goes away.
 *
 * The command's output ends when the command has, not when everybody has closed it: a child that the command has left may hold the
 * pipe for ever.  What the command wrote is in the pipe by then, so that much is read. */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "command.h"
#include "framed.h"
#include "input.h"
#include "message.h"
#include "plumbing.h"
#include "pty.h"
#include "say.h"
#include "tap.h"

#define START_PATIENCE (10 * SECOND)
#define ROUNDS         16u                      /* a session's share of a turn, in pieces each way */

struct session {
    struct session_link link;
    struct framed framed;
    struct task task;
    struct timer start_limit;
    struct caller caller;
    char names_text[CALL_NAMES][192];
    struct start start;
    struct child *child;        /* NULL: not begun, or ended */
    struct input in;
    struct tap out, err, report;
    struct command_report failure;      /* if it could not be begun; status 0: it could */
    size_t out_left, err_left;  /* once the command has ended: so much may still be in the pipe */
    struct message_exit exit;
    bool started, ended;        /* the command: begun, reaped */
    bool out_told, err_told, exit_told; /* the caller has been told of the end */
};

static void run(struct task *t);

static void wake(void *arg)
{
    struct session *s = arg;

    task_start(&s->link.agent->loop, &s->task, run);
}

/* ---- the end ---- */

static void free_session(struct session *s)
{
    task_drop(&s->task);
    timer_drop(&s->start_limit);
    input_free(&s->in);
    tap_close(&s->out);
    tap_close(&s->err);
    tap_close(&s->report);
    framed_free(&s->framed);
    start_free(&s->start);
    session_ends(&s->link);
    free(s);
}

/* A command that lives is told to end, and may take its time over that: what it says meanwhile is read and thrown away, or it would
 * die of SIGPIPE at the first word.  A terminal it has lost.  The stream must have been taken. */
static void abandon(struct session *s)
{
    int group = s->start.tty && s->child && tap_is_open(&s->out) ? pty_foreground(s->out.fd) : 0;

    timer_drop(&s->start_limit);
    tap_close(&s->in.tap);
    tap_close(&s->report);
    if (s->child && s->start.detach && !s->failure.status) {
        child_let_go(s->child);
        s->child = NULL;
    }
    if (!s->child) {
        free_session(s);
        return;
    }
    if (group)
        kill(-group, SIGHUP);
    child_hang_up(s->child);
    if (s->start.tty)
        tap_close(&s->out);
    wake(s);
}

/* The stream is no more ours. */
static struct end *take_end(struct session *s)
{
    struct end *end = s->framed.end;

    end_on_wake(end, NULL, NULL);
    s->framed.end = NULL;
    return end;
}

/* The caller has gone, or is not to be talked to any more. */
static void hang_up(struct session *s)
{
    struct end *end = take_end(s);

    abandon(s);
    end->ops->close(end, true);
}

/* This is the last frame, behind what waits; or all is said. */
static void part(struct session *s, void *frame, size_t len)
{
    struct iovec last[2] = { framed_rest(&s->framed), { .iov_base = frame, .iov_len = len } };

    leave(&s->link.agent->leaving, take_end(s), last, 2);
    abandon(s);
}

/* The agent ends. */
static void stop(struct session_link *link, bool now)
{
    struct session *s = container_of(link, struct session, link);

    if (!now) {
        if (s->framed.end)
            hang_up(s);
        return;
    }
    if (s->child) {
        child_hang_up(s->child);
        child_let_go(s->child);
    }
    if (s->framed.end)
        s->framed.end->ops->close(s->framed.end, true);
    free_session(s);
}

/* What is wrong is the caller's fault or ours; either way the command does not outlive it.  False: the session is no more. */
static bool give_up(struct session *s, uint32_t status, int err, const char *text)
{
    uint8_t frame[MESSAGE_MAX];

    say("exec for CID %llu port %u: %s", (unsigned long long)s->caller.cid, s->caller.port, text);
    part(s, frame, message_put_error(frame, status, err, text));
    return false;
}

static void start_late(struct timer *t)
{
    struct session *s = container_of(t, struct session, start_limit);

    give_up(s, COMMAND_FAILED, -ETIMEDOUT, "no START has come in time");
}

/* ---- beginning the command ---- */

static void ended(void *arg, int status, bool late)
{
    struct session *s = arg;

    s->child = NULL;
    s->ended = true;
    s->exit.late = late;
    if (WIFSIGNALED(status))
        s->exit.signal = (uint32_t)WTERMSIG(status);
    else
        s->exit.status = (uint32_t)WEXITSTATUS(status);
    s->out_left = tap_is_open(&s->out) ? plumbing_capacity(s->out.fd) : 0;
    s->err_left = tap_is_open(&s->err) ? plumbing_capacity(s->err.fd) : 0;
    wake(s);
}

static void connect_tap(struct session *s, struct tap *t, int *fd)
{
    if (*fd >= 0)
        tap_open(t, &s->link.agent->loop, *fd, wake, s);
    *fd = -1;
}

static const char *name_of(const struct start *start)
{
    return start->argv[0] ? start->argv[0] : "the shell";
}

static bool begin(struct session *s)
{
    struct agent *a = s->link.agent;
    char *names[CALL_NAMES + 1] = { NULL };
    struct plumbing p;
    struct command c;
    pid_t pid;
    int err = plumb(&s->start, &p);

    if (!err && !(s->child = child_new(&a->children, ended, s)))
        err = -ENOMEM;
    for (size_t i = 0; i < CALL_NAMES; i++)
        names[i] = s->names_text[i];
    c = (struct command){ .start = &s->start, .in = p.in[0], .out = p.out[1], .err = p.err[1], .report = p.report[1],
                          .names = names, .files = &a->files };
    if (!err && (pid = command_begin(&c)) < 0)
        err = (int)pid;
    if (!err) {
        child_runs(s->child, pid, s->start.timeout);
        say("exec for CID %llu port %u: '%s' as %s, process %ld", (unsigned long long)s->caller.cid, s->caller.port, name_of(&s->start),
            s->start.user ? s->start.user : "ourselves", (long)pid);
        s->started = true;
        s->in.is_terminal = s->start.tty;
        s->in.told = p.in[1] < 0;
        connect_tap(s, &s->in.tap, &p.in[1]);
        connect_tap(s, &s->out, &p.out[0]);
        connect_tap(s, &s->err, &p.err[0]);
        connect_tap(s, &s->report, &p.report[0]);
        s->out_told = s->start.detach;
        s->err_told = s->start.detach || s->start.tty;
    } else if (s->child) {
        child_free(s->child);
        s->child = NULL;
    }
    plumbing_drop(&p);
    return err ? give_up(s, COMMAND_FAILED, err, errno_words(err)) : true;
}

/* Whether it has become the command, or why not. */
static void hear_report(struct session *s)
{
    ssize_t n;

    if (!tap_is_open(&s->report) || (n = tap_read(&s->report, &s->failure, sizeof s->failure)) == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof s->failure)
        memset(&s->failure, 0, sizeof s->failure);
    s->failure.text[sizeof s->failure.text - 1] = '\0';
    tap_close(&s->report);
}

/* ---- what the caller says ---- */

static bool take_start(struct session *s, const struct frame *f)
{
    char why[JSON_WHY];
    int err = start_parse(f->data, f->len, &s->start, why);

    timer_drop(&s->start_limit);
    frame_reader_free(&s->framed.reader);       /* its memory: START was the largest */
    if (!err && s->start.detach && (s->start.tty || s->start.has_stdin)) {
        err = -EPROTO;
        snprintf(why, sizeof why, "a command that is left alone has neither a terminal nor input");
    }
    if (err)
        return give_up(s, COMMAND_FAILED, err, err == -ENOMEM ? errno_words(err) : why);
    return begin(s);
}

/* To the terminal's foreground, where the keys' signals go; else to the command's process group. */
static void take_signal(struct session *s, int number)
{
    int group = s->start.tty && tap_is_open(&s->out) ? pty_foreground(s->out.fd) : 0;

    if (group)
        kill(-group, number);
    else if (s->child)
        child_signal(s->child, number);
}

static bool take_stdin(struct session *s, const struct frame *f)
{
    int err = input_take(&s->in, f->data, f->len);

    if (err)
        return give_up(s, COMMAND_FAILED, err, err == -EPROTO ? "more STDIN than there was ROOM for" : "no memory for the command's input");
    if (f->len)
        framed_taken(&s->framed, f->len);
    return true;
}

static bool take_frame(struct session *s, const struct frame *f)
{
    struct message_size size;
    uint32_t number;

    switch (f->type) {
    case FRAME_START:
        return take_start(s, f);
    case FRAME_STDIN:
        return take_stdin(s, f);
    case FRAME_RESIZE:
        if (!s->start.tty)
            return give_up(s, COMMAND_FAILED, -EPROTO, "RESIZE, and there is no terminal");
        if (!message_get_size(f->data, f->len, &size))
            return give_up(s, COMMAND_FAILED, -EPROTO, "RESIZE to no rows or no columns");
        if (tap_is_open(&s->out))
            pty_resize(s->out.fd, size.rows, size.columns);
        return true;
    case FRAME_SIGNAL:
        if (!message_get_signal(f->data, f->len, &number))
            return give_up(s, COMMAND_FAILED, -EPROTO, "SIGNAL of a number that is no signal's");
        take_signal(s, (int)number);
        return true;
    default:                    /* the grammar lets no other through */
        return true;
    }
}

/* False: the session is no more.  *more: the caller may have said more than was heard. */
static bool hear(struct session *s, bool *more)
{
    struct frame f;

    for (unsigned i = 0; i < ROUNDS; i++) {
        int got = framed_next(&s->framed, &f);

        if (got == -EAGAIN)
            return true;
        if (got == -EPROTO)
            return give_up(s, COMMAND_FAILED, got, s->framed.reader.why);
        if (got <= 0) {         /* the caller has nothing to end but the stream: he has gone */
            hang_up(s);
            return false;
        }
        if (!take_frame(s, &f))
            return false;
    }
    *more = true;
    return true;
}

/* ---- what the caller is told ---- */

static ssize_t read_tap(void *arg, void *buffer, size_t len)
{
    return tap_read(arg, buffer, len);
}

/* A piece of the command's output.  1: there may be more; 0: not now; or the stream's error. */
static int tell(struct session *s, enum frame_type type, struct tap *t, size_t *left, bool *told)
{
    struct framed_source source = { read_tap, t };
    size_t most = s->ended ? *left : FRAME_MAX;
    bool of_source = false;
    ssize_t n = 0;

    if (framed_is_busy(&s->framed) || *told)
        return 0;
    if (tap_is_open(t) && most) {
        n = framed_fill(&s->framed, type, &source, most, &of_source);
        if (n > 0) {
            if (s->ended)
                *left -= (size_t)n;
            return 1;
        }
        if (n == -EAGAIN && (!of_source || !s->ended))
            return 0;
        if (n < 0 && !of_source)
            return (int)n;
    }
    tap_close(t);
    *told = true;
    return framed_send(&s->framed, type, NULL, 0);
}

static int tell_room(struct session *s)
{
    uint8_t frame[MESSAGE_MAX];
    uint32_t room = framed_is_busy(&s->framed) ? 0 : input_room(&s->in);

    return room ? framed_put(&s->framed, frame, message_put_room(frame, room)) : 0;
}

static int tell_end(struct session *s)
{
    uint8_t frame[MESSAGE_MAX];

    say("exec for CID %llu port %u: '%s' ended with %s %u%s", (unsigned long long)s->caller.cid, s->caller.port, name_of(&s->start),
        s->exit.signal ? "signal" : "status", s->exit.signal ? s->exit.signal : s->exit.status, s->exit.late ? ", its time was over" : "");
    return framed_put(&s->framed, frame, message_put_exit(frame, &s->exit));
}

/* What there is to be told, until the stream takes no more: 0, or its error. */
static int speak(struct session *s, bool *more)
{
    int err = framed_flush(&s->framed);

    if (err == -EAGAIN)
        return 0;
    if (!err)
        err = tell_room(s);
    for (unsigned i = 0; !err && s->started && i < ROUNDS; i++) {
        int out = tell(s, FRAME_STDOUT, &s->out, &s->out_left, &s->out_told), fault = 0;

        if (out >= 0)
            fault = tell(s, FRAME_STDERR, &s->err, &s->err_left, &s->err_told);
        err = out < 0 ? out : fault < 0 ? fault : 0;
        if (!out && !fault)
            return err;
        *more = i == ROUNDS - 1;
    }
    return err;
}

/* True if all is said but the last frame. */
static bool is_over(const struct session *s)
{
    if (framed_is_busy(&s->framed) || !s->started || tap_is_open(&s->report))
        return false;
    return s->failure.status || s->start.detach || (s->ended && s->out_told && s->err_told);
}

/* What a command says to nobody. */
static void drain(struct tap *t)
{
    static uint8_t waste[65536];
    ssize_t n = 0;

    for (unsigned i = 0; tap_is_open(t) && i < ROUNDS && (n = tap_read(t, waste, sizeof waste)) > 0; i++)
        ;
    if (n > 0)
        wake(t->arg);
    else if (n != -EAGAIN)
        tap_close(t);
}

static void run(struct task *t)
{
    struct session *s = container_of(t, struct session, task);
    bool more = false;
    int err = 0;

    if (!s->framed.end) {
        drain(&s->out);
        drain(&s->err);
        if (!s->child)
            free_session(s);
        return;
    }
    if (!s->exit_told) {
        if (!hear(s, &more))
            return;
        hear_report(s);
        input_feed(&s->in);
        err = speak(s, &more);
        if (!err && is_over(s)) {
            if (s->failure.status) {
                give_up(s, s->failure.status, s->failure.err, s->failure.text);
                return;
            }
            s->exit_told = true;
            err = tell_end(s);
        }
    }
    if (!err && s->exit_told && (err = framed_flush(&s->framed)) == 0)
        part(s, NULL, 0);
    else if (err && err != -EAGAIN)
        hang_up(s);
    else if (more)
        wake(s);
}

int exec_begin(struct call *c)
{
    struct agent *a = c->agent;
    struct session *s = calloc(1, sizeof *s);
    char line[TCPMUX_ANSWER + 1];
    int err;

    if (!s)
        return -ENOMEM;
    framed_init(&s->framed, c->end, &frame_exec_caller);
    if ((err = framed_put(&s->framed, line, tcpmux_answer(true, c->request.name, line)))) {
        framed_free(&s->framed);
        free(s);
        return err;
    }
    session_begins(a, &s->link, c->caller.cid, stop);
    c->end = NULL;
    s->caller = c->caller;
    call_names(c, s->names_text);
    input_init(&s->in);
    s->out.fd = s->err.fd = s->report.fd = -1;
    timer_set(&a->loop, &s->start_limit, clock_ns() + START_PATIENCE, start_late);
    end_on_wake(s->framed.end, wake, s);
    wake(s);
    return 0;
}
