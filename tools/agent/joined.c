/* SPDX-License-Identifier: MIT */
/* joined.c: see joined.h.
 *
 * A process has a clean environment: who called is in it, and nothing that the caller could have said.  Its standard error is ours, the log.
 * How it ends the caller sees as with xvs serve: if it fails, or leaves input unread, the stream is reset. */
#include "joined.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"
#include "pump.h"
#include "refusal.h"
#include "say.h"

#define PATIENCE (10 * SECOND)          /* for a socket that does not answer, and a caller who takes no answer */
#define AGAIN    (SECOND / 50)          /* for one whose backlog is full */

extern char **environ;

struct joined {
    struct session_link link;
    struct pump pump;                   /* a: the stream, b: what it is joined to */
    struct end *stream, *other;         /* NULL: over; other: or not connected yet */
    struct child *child;                /* NULL: none, or it has ended */
    struct watch watch;                 /* while it connects */
    struct timer limit, again;
    struct sockaddr_storage address;    /* …to this */
    socklen_t address_len;
    int fd;
    bool plain;                 /* the bytes alone: no line is said before them */
    char line[TCPMUX_ANSWER + 1];       /* …which is this */
    size_t line_at, line_len;
    char name[TCPMUX_NAME + 48];
};

/* ---- the end ---- */

static void forget(struct joined *j)
{
    if (j->stream || j->child)
        return;
    session_ends(&j->link);
    free(j);
}

static void close_all(struct joined *j, bool broken)
{
    watch_drop(&j->link.agent->loop, &j->watch);
    timer_drop(&j->limit);
    timer_drop(&j->again);
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    if (j->stream)
        j->stream->ops->close(j->stream, broken);
    if (j->other)
        j->other->ops->close(j->other, broken);
    j->stream = j->other = NULL;
    if (broken && j->child)
        child_hang_up(j->child);
}

static void over(struct pump *p, int err)
{
    struct joined *j = container_of(p, struct joined, pump);
    const char *why = err ? end_why(p->culprit, err) : p->flow[0].lost ? "it has not read all its input" : NULL;

    say("%s: %s, %llu bytes in, %llu out", j->name, why ? why : "ended", (unsigned long long)p->flow[0].bytes,
        (unsigned long long)p->flow[1].bytes);
    if (why)
        end_blame(j->stream, end_reason(j->other));
    close_all(j, why != NULL);
    forget(j);
}

static void stop(struct session_link *link, bool now)
{
    struct joined *j = container_of(link, struct joined, link);

    (void)now;
    if (j->other)
        pump_drop(&j->pump);
    close_all(j, true);
    if (j->child)
        child_let_go(j->child);
    j->child = NULL;
    forget(j);
}

static void ended(void *arg, int status, bool late)
{
    struct joined *j = arg;

    (void)late;
    j->child = NULL;
    if (j->other)
        process_ended(j->other, status);
    forget(j);
}

/* ---- joining them ---- */

static void too_late(struct timer *t)
{
    struct joined *j = container_of(t, struct joined, limit);

    say("%s: the caller takes no answer", j->name);
    close_all(j, true);
    forget(j);
}

/* The line has to be said before the bytes, and others may have filled the stream's way at the moment. */
static void greet(void *arg)
{
    struct joined *j = arg;
    int err = end_write_rest(j->stream, j->line, j->line_len, &j->line_at);

    if (err == -EAGAIN)
        return;
    timer_drop(&j->limit);
    if (err) {
        close_all(j, true);
        forget(j);              /* when the process has ended */
        return;
    }
    /* A caller who can hear no more has gone, although he may have said all that he had to say. */
    j->pump.flow[1].vital = true;
    pump_start(&j->pump, &j->link.agent->loop, j->stream, j->other, over);
}

static void join(struct joined *j, const char *text)
{
    if (!j->plain)
        j->line_len = tcpmux_answer(true, text, j->line);
    timer_set(&j->link.agent->loop, &j->limit, clock_ns() + PATIENCE, too_late);
    end_on_wake(j->stream, greet, j);
    greet(j);
}

/* ---- a process ---- */

/* Ours for a function of ours; else a clean one.  Either way with what is known of the caller in front. */
static char **environment(bool ours, char text[CALL_NAMES][192])
{
    static char *const clean[] = { (char *)(uintptr_t)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   (char *)(uintptr_t)"HOME=/", NULL };
    char *const *from = ours ? environ : clean;
    size_t count = 0, n = 0;
    char **env;

    while (from[count])
        count++;
    if (!(env = calloc(count + CALL_NAMES + 1, sizeof *env)))
        return NULL;
    for (size_t i = 0; i < CALL_NAMES; i++)
        env[n++] = text[i];
    for (; *from; from++)
        if (strncmp(*from, "XVS_SERVICE=", 12) != 0 && strncmp(*from, "XVS_ARGUMENT=", 13) != 0 && strncmp(*from, "XVS_PEER_", 9) != 0)
            env[n++] = *from;
    return env;
}

/* 0 or a negative errno: then it cannot be run. */
static int spawn(char *const argv[], char **env, int fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t defaults, none;
    int err;

    sigfillset(&defaults);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    if (!(err = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO)) &&
        !(err = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO)) &&
        !(err = posix_spawn_file_actions_addchdir_np(&actions, "/")) &&
        !(err = posix_spawnattr_setsigdefault(&attr, &defaults)) && !(err = posix_spawnattr_setsigmask(&attr, &none)) &&
        !(err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID)))
        err = posix_spawn(pid, argv[0], &actions, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

static int begin_process(struct joined *j, struct call *c, const struct service *s)
{
    char text[CALL_NAMES][192], *path = (char *)(uintptr_t)s->path, *self = (char *)(uintptr_t)c->agent->self;
    char *program[] = { path, NULL };
    char *shell[] = { (char *)(uintptr_t)"/bin/sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)s->target.command, NULL };
    char *function[] = { self, (char *)(uintptr_t)"--service", c->request.name, c->request.has_argument ? c->request.argument : NULL, NULL };
    bool ours = s->kind == SERVICE_FUNCTION;
    int pair[2] = { -1, -1 }, err = 0;
    char **env;
    pid_t pid;

    call_names(c, text);
    if (!(env = environment(ours, text)) || !(j->child = child_new(&c->agent->children, ended, j)))
        err = -ENOMEM;
    if (!err && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        err = -errno;
    if (!err && !(j->other = process_end(&c->agent->loop, pair[0], NULL)))
        err = -ENOMEM;
    if (!err)
        err = spawn(ours ? function : s->kind == SERVICE_COMMAND ? shell : program, env, pair[1], &pid);
    free(env);
    if (pair[1] >= 0)
        close(pair[1]);
    if (!err) {
        process_started(j->other, pid);
        child_runs(j->child, pid, 0);
        say("%s: process %ld", j->name, (long)pid);
        return 0;
    }
    if (j->child)
        child_free(j->child);
    j->child = NULL;
    return err;
}

/* ---- a socket ---- */

static void refuse(struct joined *j, int err)
{
    struct end *stream = j->stream;
    char text[200];

    say("%s: %s", j->name, errno_words(err));
    snprintf(text, sizeof text, "nobody answers where it is: %s", errno_words(err));
    if (j->plain) {
        end_blame(stream, refusal_of_errno(err));
    } else {
        leave_refused(&j->link.agent->leaving, stream, text);
        j->stream = NULL;
    }
    close_all(j, true);
    forget(j);
}

static void connected(struct watch *w)
{
    struct joined *j = container_of(w, struct joined, watch);
    socklen_t len = sizeof(int);
    int err = 0;

    if (getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    watch_drop(&j->link.agent->loop, w);
    timer_drop(&j->limit);
    if (!err && !(j->other = fdend_socket(&j->link.agent->loop, j->fd)))
        err = ENOMEM;
    if (err) {
        refuse(j, -err);
        return;
    }
    j->fd = -1;
    join(j, "connected");
}

static void limit_due(struct timer *t)
{
    refuse(container_of(t, struct joined, limit), -ETIMEDOUT);
}

static void reach_again(struct timer *t);

/* 0 when it connects, now or later: where others wait at that UNIX socket, as many as may, nobody says when there is room. */
static int reach(struct joined *j)
{
    struct loop *loop = &j->link.agent->loop;

    if (connect(j->fd, (const struct sockaddr *)&j->address, j->address_len) == 0 || errno == EINPROGRESS) {
        watch_add(loop, &j->watch, j->fd, connected);
        j->watch.want = POLLOUT;
        return 0;
    }
    if (errno != EAGAIN)
        return -errno;
    timer_set(loop, &j->again, clock_ns() + AGAIN, reach_again);
    return 0;
}

static void reach_again(struct timer *t)
{
    struct joined *j = container_of(t, struct joined, again);
    int err = reach(j);

    if (err)
        refuse(j, err);
}

static int begin_socket(struct joined *j, struct call *c, const struct service *s)
{
    int err;

    if ((j->fd = socket(s->target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return -errno;
    j->address = s->target.address;
    j->address_len = s->target.len;
    j->link.agent = c->agent;
    if ((err = reach(j))) {
        close(j->fd);
        return err;
    }
    timer_set(&c->agent->loop, &j->limit, clock_ns() + PATIENCE, limit_due);
    return 0;
}

/* ---- either ---- */

int joined_begin(struct call *c, const struct service *s)
{
    struct joined *j = calloc(1, sizeof *j);
    bool is_socket = s->kind == SERVICE_SOCKET;
    int err;

    if (!j)
        return -ENOMEM;
    j->fd = -1;
    j->plain = c->port != 0;
    snprintf(j->name, sizeof j->name, "%s for CID %llu port %u", c->request.name, (unsigned long long)c->caller.cid, c->caller.port);
    if ((err = is_socket ? begin_socket(j, c, s) : begin_process(j, c, s))) {
        snprintf(c->why, CALL_WHY, is_socket ? "nobody answers where it is: %s" : "it cannot be run: %s", errno_words(err));
        if (j->other)
            j->other->ops->close(j->other, true);
        free(j);
        return err;
    }
    session_begins(c->agent, &j->link, c->caller.cid, stop);
    j->stream = c->end;
    c->end = NULL;
    end_on_wake(j->stream, NULL, NULL);
    if (!is_socket)
        join(j, c->request.name);
    return 0;
}
