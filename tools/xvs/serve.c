/* SPDX-License-Identifier: MIT */
/* serve.c: xvs serve, a process for each connection, as inetd does.
 *
 * The process has one end of a socket pair as standard input and output, and we pump between the other end and the
 * stream.  A conversation lives for as long as somebody holds the process's end, which may be a grandchild; the
 * process itself is reaped whenever it ends.  If the stream breaks, the process group gets SIGHUP; if the process does
 * not do well (process.h), the stream is reset, which says how it ended. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "process.h"
#include "pump.h"
#include "say.h"
#include "verb.h"

extern char **environ;

struct serve {
    struct loop loop;
    struct side side;
    struct listening listening;
    struct timer pause;         /* after one that could not be begun */
    struct end *held;           /* that one, if something is short: begun before anybody else is accepted; else NULL */
    struct caller caller;       /* …and who it is */
    bool said;                  /* that something is short */
    struct rlimit files;        /* the limit of descriptors that we were given, for the commands */
    struct list served;
    char **command;
    unsigned count, max;
    bool messages;              /* connections of type SEQPACKET, */
    bool has_form;              /* …with messages that the command sees so; else by a socket of packets */
    struct records_form form;
};

struct served {
    struct list link;
    struct serve *serve;
    struct pump pump;           /* a: the stream, b: the process */
    struct end *stream, *process;       /* NULL once over */
    pid_t pid;                  /* 0 once reaped */
    int err;                    /* how it has ended, while the stream cannot be told yet */
    char name[160];
};

static void take_callers(struct serve *s);
static void pause_over(struct timer *t);

/* ---- the end of one ---- */

static void forget(struct served *v)
{
    struct serve *s = v->serve;

    if (v->stream || v->pid)
        return;                 /* half of it is still there */
    list_remove(&v->link);
    free(v);
    s->count--;
    take_callers(s);
}

static void hang_up(struct served *v, bool broken)
{
    v->stream->ops->close(v->stream, broken);
    v->process->ops->close(v->process, broken);
    v->stream = v->process = NULL;
    if (broken && v->pid)
        kill(-v->pid, SIGHUP);
}

static void over(struct pump *p, int err);

static void blame_again(void *arg)
{
    struct served *v = arg;

    end_on_wake(v->stream, NULL, NULL);
    over(&v->pump, v->err);
}

static void over(struct pump *p, int err)
{
    struct served *v = container_of(p, struct served, pump);
    const char *why = err ? end_why(p->culprit, err) : p->flow[0].lost ? "the command has not read all its input" : NULL;

    if (why && end_blame(v->stream, end_reason(v->process)) == -EAGAIN) {
        v->err = err;
        end_on_wake(v->stream, blame_again, v);
        return;
    }
    /* Whoever called hears of a reset, and of the reason only this line tells. */
    if (why && (p->culprit != v->stream || err == -EMSGSIZE))
        say("%s: %s, so the connection was reset", v->name, why);
    else if (common.verbose)
        say("%s: %s, %llu bytes in, %llu out", v->name, why ? why : "ended",
            (unsigned long long)p->flow[0].bytes, (unsigned long long)p->flow[1].bytes);
    hang_up(v, why != NULL);
    forget(v);
}

static void reap(void *arg)
{
    struct serve *s = arg;
    struct list *link, *next;

    for (link = s->served.next; link != &s->served; link = next) {
        struct served *v = container_of(link, struct served, link);
        int status;

        next = link->next;
        if (!v->pid || waitpid(v->pid, &status, WNOHANG) != v->pid)
            continue;
        if (common.verbose && status)
            say("%s: process %ld %s %d", v->name, (long)v->pid,
                WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        v->pid = 0;
        if (v->process)
            process_ended(v->process, status);
        forget(v);
    }
}

/* ---- the beginning of one ---- */

/* environ with what is known of the caller in front; an array for the caller to free, strings in text. */
static char **environment(const struct caller *c, uint32_t port, char text[5][112])
{
    size_t count = 0, n = 0;
    char **env;

    while (environ[count])
        count++;
    if (!(env = calloc(count + 6, sizeof *env)))
        return NULL;
    if (c->cid) {
        snprintf(text[0], sizeof text[0], "XVS_PEER_CID=%llu", (unsigned long long)c->cid);
        env[n++] = text[0];
    }
    if (c->has_port) {
        snprintf(text[1], sizeof text[1], "XVS_PEER_PORT=%u", c->port);
        env[n++] = text[1];
    }
    if (c->name[0]) {
        snprintf(text[4], sizeof text[4], "XVS_PEER_NAME=%s", c->name);
        env[n++] = text[4];
    }
    snprintf(text[2], sizeof text[2], "XVS_LOCAL_PORT=%u", port);
    env[n++] = text[2];
    if (c->local_cid) {
        snprintf(text[3], sizeof text[3], "XVS_LOCAL_CID=%llu", (unsigned long long)c->local_cid);
        env[n++] = text[3];
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "XVS_PEER_", 9) != 0 && strncmp(environ[i], "XVS_LOCAL_", 10) != 0)
            env[n++] = environ[i];
    return env;
}

/* Runs the command with fd as standard input and output, in a process group of its own, with the signals that we were given:
 * 0 or a negative errno. */
static int spawn(struct serve *s, int fd, const struct caller *caller, pid_t *pid)
{
    char text[5][112], **env = environment(caller, s->listening.port, text);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t defaults;
    int err;

    if (!env)
        return -ENOMEM;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    if (!(err = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO)) &&
        !(err = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO)) &&
        !(err = posix_spawnattr_setsigdefault(&attr, &defaults)) &&
        !(err = posix_spawnattr_setpgroup(&attr, 0)) &&
        !(err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))) {
        /* A child has its parent's limit, and posix_spawn() no word for another: for so long it is ours, and closes nothing. */
        setrlimit(RLIMIT_NOFILE, &s->files);
        err = posix_spawnp(pid, s->command[0], &actions, &attr, s->command, env);
        files_raise(&s->files);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    free(env);
    return -err;
}

/* One end for us, one for the command; with room for any message that a connection is likely to bring.  0 or a negative errno. */
static int make_pair(const struct serve *s, int pair[2])
{
    bool packets = s->messages && !s->has_form;
    int size = END_MESSAGE;

    if (socketpair(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    for (int i = 0; packets && i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return 0;
}

/* 0 or a negative errno: then the stream is the caller's. */
static int serve_one(struct serve *s, struct end *stream, const struct caller *caller)
{
    struct served *v = calloc(1, sizeof *v);
    int pair[2] = { -1, -1 }, err = -ENOMEM;

    if (!v)
        goto fail;
    if (caller->has_port && caller->name[0])
        snprintf(v->name, sizeof v->name, "%s, CID %llu port %u", caller->name, (unsigned long long)caller->cid, caller->port);
    else if (caller->has_port)
        snprintf(v->name, sizeof v->name, "CID %llu port %u", (unsigned long long)caller->cid, caller->port);
    else
        snprintf(v->name, sizeof v->name, "%.60s", s->listening.peer);
    if ((err = make_pair(s, pair)))
        goto fail;
    err = -ENOMEM;
    if (!(v->process = process_end(&s->loop, pair[0], s->has_form ? &s->form : NULL)))
        goto fail;
    if ((err = spawn(s, pair[1], caller, &v->pid)))
        goto fail;
    process_started(v->process, v->pid);
    close(pair[1]);
    v->serve = s;
    v->stream = stream;
    list_append(&s->served, &v->link);
    s->count++;
    if (common.verbose)
        say("%s: process %ld", v->name, (long)v->pid);
    pump_start(&v->pump, &s->loop, v->stream, v->process, over);
    return 0;
fail:
    if (v && v->process)
        v->process->ops->close(v->process, true);
    if (pair[1] >= 0)
        close(pair[1]);
    free(v);
    return err;
}

/* Descriptors, memory or processes are short: those that end will give some back, and who has been accepted waits for
 * that as the others do. */
static void put_off(struct serve *s, int err)
{
    bool waits = is_short(err);

    if (!s->said || !waits)
        say("cannot serve a connection with %s: %s%s", s->command[0], errno_words(err), waits ? "; it waits" : "");
    s->said = waits;
    if (!waits) {
        s->held->ops->close(s->held, true);
        s->held = NULL;
    }
    timer_set(&s->loop, &s->pause, clock_ns() + SECOND / 4, pause_over);
}

static void take_callers(struct serve *s)
{
    while (s->count < s->max && (s->held || s->listening.own)) {
        int err;

        if (!s->held && listening_accept(&s->listening, &s->held, &s->caller))
            return;
        if ((err = serve_one(s, s->held, &s->caller))) {
            put_off(s, err);
            return;
        }
        s->held = NULL;
        s->said = false;
    }
}

static void pause_over(struct timer *t)
{
    take_callers(container_of(t, struct serve, pause));
}

static void ready(struct listening *l)
{
    take_callers(l->arg);
}

/* ---- the command line ---- */

/* 0, or the exit status that env(1) would give, with a message: better now than at the first connection. */
static int look_for(const char *command)
{
    const char *path = getenv("PATH"), *end;
    char file[4096];

    if (strchr(command, '/')) {
        if (access(command, X_OK) == 0)
            return EXIT_OK;
        return fail(errno == ENOENT ? 127 : 126, "%s: %s", command, strerror(errno));
    }
    for (path = path ? path : "/bin:/usr/bin"; path; path = *end ? end + 1 : NULL) {
        end = strchrnul(path, ':');
        snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path, end == path ? "" : "/", command);
        if (access(file, X_OK) == 0)
            return EXIT_OK;
    }
    return fail(127, "%s: no such command in PATH", command);
}

static const char help[] =
    "usage: xvs serve [OPTION...] PORT -- COMMAND [ARGUMENT...]            in a guest\n"
    "       xvs serve [OPTION...] PORT GUEST -- COMMAND [ARGUMENT...]      in dom0, for one guest\n"
    "       xvs serve [OPTION...] PORT any -- COMMAND [ARGUMENT...]        in dom0, for all guests\n"
    "Listens at PORT and runs COMMAND for each connection, with the stream as its standard input and\n"
    "output.  In its environment XVS_PEER_CID, XVS_PEER_PORT and in dom0 XVS_PEER_NAME tell who called, and\n"
    "XVS_LOCAL_CID and XVS_LOCAL_PORT whom.  A GUEST that is not there yet is waited for.  With any, a guest's\n"
    "own listener goes first.\n"
    "If the connection breaks, the command's process group gets SIGHUP.  If the command fails, or leaves input\n"
    "unread, the connection is reset.  Restarts of xvsd are survived.\n"
    "\n"
    "  -m, --max N        connections at a time (default 64); more wait, and are refused when 128 do\n"
    "  -r, --retry SECONDS  repeat failed attempts to listen, whatever the reason, for so long and no longer\n"
    "  --seqpacket[=FORM] connections of messages: the command has a socket of type SOCK_SEQPACKET; or, with a FORM\n"
    "                     as xvs cat has them (lines, frames, a number of bytes), one of bytes\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: ssh into a guest that has no network\n"
    "  xvs serve 22 -- /usr/sbin/sshd -i                                    in the guest\n"
    "  ssh root@web1.xvs                                                    in dom0\n"
    "\n"
    "Exit status: it runs until a signal; 2 usage, 3 no guest or device, 7 the port is in use, 126 and 127 the\n"
    "command cannot be run or does not exist.\n";

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "max", required_argument, NULL, 'm' },
        { "retry", required_argument, NULL, 'r' },
        { "seqpacket", optional_argument, NULL, OPTION_SEQPACKET },
        COMMON_LONG
    };
    struct serve s = { .max = 64 };
    int status = EXIT_OK, option, own = 1, args, err;
    bool has_retry = false;
    int64_t retry = 0;
    uint64_t number;
    uint32_t port;

    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    while ((option = options_next(own, argv, ":m:r:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == 'r') {
            if (!parse_seconds(optarg, &retry))
                return fail_usage("'%s' is no number of seconds", optarg);
            has_retry = true;
            continue;
        }
        if (option == OPTION_SEQPACKET) {
            s.messages = true;
            s.has_form = optarg != NULL;
            if (optarg && !seqpacket_argument(optarg, &s.form))
                return EXIT_USAGE;
            continue;
        }
        if (option != 'm')
            return status;
        if (!parse_number(optarg, 65536, &number) || !number)
            return fail_usage("--max: '%s' is no number from 1 to 65536", optarg);
        s.max = (unsigned)number;
    }
    args = own - optind;
    if (own + 1 >= argc)
        return fail_usage("a command is needed after --");
    if (args < 1 || args > 2)
        return fail_usage("PORT is needed, and in dom0 GUEST, before --");
    if (!port_argument(argv[optind], &port))
        return EXIT_USAGE;
    s.command = argv + own + 1;
    if ((status = look_for(s.command[0])))
        return status;

    files_raise(&s.files);
    list_init(&s.served);
    if ((err = loop_begin(&s.loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    s.loop.child = reap;
    s.loop.child_arg = &s;
    side_init(&s.side, &s.loop, &common);
    s.listening = (struct listening){ .side = &s.side, .peer = args == 2 ? argv[optind + 1] : NULL, .port = port,
                                      .retry = retry, .waits = args == 2 && !has_retry, .vouches = true,
                                      .messages = s.messages, .ready = ready, .arg = &s };
    if (!(status = listening_open(&s.listening)))
        status = loop_run(&s.loop);
    listening_close(&s.listening);
    if (s.held)
        s.held->ops->close(s.held, true);
    while (!list_is_empty(&s.served)) {
        struct served *v = container_of(list_take(&s.served), struct served, link);

        if (v->stream) {
            pump_drop(&v->pump);
            hang_up(v, true);
        }
        free(v);
    }
    side_close(&s.side);
    return loop_end(&s.loop, status);
}

const struct verb verb_serve = { "serve", "a process for each connection", help, run };
