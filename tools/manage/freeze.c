/* SPDX-License-Identifier: MIT */
/* freeze.c: see freeze.h.
 *
 * Nothing is logged while they are frozen: whoever writes the log may stand still himself, and then so would we. */
#include "freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "control.h"
#include "ga.h"
#include "list.h"
#include "qemuga.h"
#include "say.h"

#define THAW_PATIENCE (60 * SECOND)
#define AGAIN         1u        /* seconds between two attempts to thaw */

/* ---- a conversation with it ---- */

struct talk {
    struct lines lines;
    struct channel_fds channel;
    struct ga ga;
    int fd, lock;
};

/* A signal that wants us to end does not end this: it is this that it has to wait for. */
static int wait_until(struct lines *l, bool writes, int64_t until)
{
    const struct talk *t = container_of(l, struct talk, lines);
    struct pollfd poll_one = { .fd = t->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0)) };
    int64_t left = (until - clock_ns()) / 1000000 + 1;

    return poll(&poll_one, 1, left > 1000000 ? 1000000 : (int)left) < 0 && errno != EINTR ? -errno : 0;
}

static void leave(struct talk *t)
{
    lines_free(&t->lines);
    if (t->fd >= 0)
        close(t->fd);
    if (t->lock >= 0)
        close(t->lock);
    t->fd = t->lock = -1;
}

static int meet(struct talk *t, char why[LINES_WHY])
{
    int err = 0;

    *t = (struct talk){ .fd = -1, .lock = -1 };
    if ((t->lock = qemuga_lock(why)) < 0)
        err = t->lock;
    else if ((t->fd = qemuga_connect(why)) < 0)
        err = t->fd;
    else if (fcntl(t->fd, F_SETFL, O_NONBLOCK) < 0)
        err = -errno;
    if (!err) {
        channel_fds(&t->channel, t->fd, t->fd);
        lines_init(&t->lines, &t->channel.channel, wait_until);
        t->ga.lines = &t->lines;
        if ((err = ga_sync(&t->ga, clock_ns() + 10 * SECOND)))
            snprintf(why, LINES_WHY, "qemu-guest-agent does not answer: %.160s", t->ga.why[0] ? t->ga.why : strerror(-err));
    }
    if (err)
        leave(t);
    return err;
}

static int count_of(struct talk *t, const char *command, int64_t until, json_int_t *count, char why[LINES_WHY])
{
    json_t *value;
    int err = ga_call(&t->ga, command, NULL, until, &value);

    if (err)
        snprintf(why, LINES_WHY, "%s: %.200s", command, t->ga.why[0] ? t->ga.why : strerror(-err));
    *count = json_integer_value(value);
    json_decref(value);
    return err;
}

/* ---- what says that something is frozen ---- */

static const char *mark_path(void)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/frozen", run_dir());
    return path;
}

static int mark(char why[LINES_WHY])
{
    int fd = open(mark_path(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;

    if (fd >= 0) {
        close(fd);
        return 0;
    }
    err = -errno;
    snprintf(why, LINES_WHY, "%.160s: %s", mark_path(), strerror(-err));
    return err;
}

/* Until it has worked: there is nothing better to be done.  A new conversation each time, with a qemu-guest-agent that is begun if there is
 * none any more.  How many they were; t is whose the conversation is, and is left. */
static json_int_t thaw(struct talk *t)
{
    char why[LINES_WHY];
    json_int_t count = 0;

    while ((t->fd < 0 && meet(t, why)) || count_of(t, "guest-fsfreeze-thaw", clock_ns() + THAW_PATIENCE, &count, why)) {
        leave(t);
        sleep(AGAIN);
    }
    unlink(mark_path());
    leave(t);
    return count;
}

/* ---- the guard ---- */

/* A process in a session of its own, which thaws if we end without a word: the end of a pipe whose other end nobody else has. */
static int guard_begin(int *word, char why[LINES_WHY])
{
    int pipes[2];
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        int err = -errno;

        snprintf(why, LINES_WHY, "the guard cannot be begun: %s", strerror(-err));
        return err;
    }
    if (!pid) {
        struct talk t = { .fd = -1, .lock = -1 };
        ssize_t n;
        char byte;

        close(pipes[1]);
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        fill_standard_descriptors();
        setsid();
        while ((n = read(pipes[0], &byte, 1)) < 0 && errno == EINTR)
            ;
        if (!n && access(mark_path(), F_OK) == 0)
            thaw(&t);
        _exit(0);
    }
    close(pipes[0]);
    *word = pipes[1];
    return (int)pid;
}

static void guard_end(int word, pid_t pid)
{
    if (write(word, "x", 1) < 0)
        say("the guard of what was frozen has gone");
    close(word);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- the request ---- */

/* True if he asked for the end of it, and in time. */
static bool wait_for_the_end(struct lines *caller, int64_t until)
{
    char why[LINES_WHY];
    json_t *request;
    int err = lines_hear(caller, until, &request, why);
    const char *name = err ? NULL : json_string_value(json_object_get(request, "request"));
    bool good = name && strcmp(name, "thaw") == 0;

    json_decref(request);
    return good;
}

/* What cannot be told to the caller is not: he may have gone. */
static int hold(struct lines *caller, struct talk *t, int64_t ns, char why[LINES_WHY])
{
    json_int_t frozen, thawed;
    bool held = false;
    int err;

    if ((err = mark(why)))
        return err;
    if ((err = count_of(t, "guest-fsfreeze-freeze", clock_ns() + FREEZE_PATIENCE * SECOND, &frozen, why))) {
        /* It may come to it all the same, behind what we heard. */
        if (err != -EREMOTEIO)
            leave(t);
        thaw(t);
        return err;
    }
    if (!lines_send(caller, json_pack("{s:I}", "frozen", frozen), clock_ns() + HANDLER_PATIENCE))
        held = wait_for_the_end(caller, clock_ns() + ns);
    thawed = thaw(t);
    return lines_send(caller, json_pack("{s:I, s:b}", "thawed", thawed, "held", held && thawed >= frozen), clock_ns() + HANDLER_PATIENCE);
}

static int freeze(struct lines *caller, const json_t *request, json_t **answer, char why[LINES_WHY])
{
    const json_t *seconds = json_object_get(request, "seconds");
    double time = json_number_value(seconds);
    struct talk t;
    const char *absent;
    int word = -1, pid, err;

    *answer = NULL;
    if (!json_is_number(seconds) || !(time > 0) || time > FREEZE_MOST) {
        snprintf(why, LINES_WHY, "freeze: 'seconds' is no number up to %u", FREEZE_MOST);
        return -EINVAL;
    }
    if ((absent = qemuga_absent())) {
        snprintf(why, LINES_WHY, "%s", absent);
        return -ENOENT;
    }
    /* Before the lock, which the guard would have as well else. */
    if ((pid = guard_begin(&word, why)) < 0)
        return pid;
    if (!(err = meet(&t, why))) {
        say("file systems are to be frozen, for %.3g s at most", time);
        err = hold(caller, &t, (int64_t)(time * SECOND), why);
        leave(&t);
        say("file systems are not frozen any more");
    }
    guard_end(word, pid);
    return err;
}

static const char *const freeze_words[] = { "seconds", NULL };
const struct handler handler_freeze = { "freeze", freeze_words, freeze };

/* Twice a fork, so that it is nobody's child but the warden's. */
int freeze_mend(void)
{
    struct talk t = { .fd = -1, .lock = -1 };
    int status;
    pid_t pid;

    if (access(mark_path(), F_OK) < 0)
        return 0;
    if ((pid = fork()) < 0)
        return -errno;
    if (pid)
        return waitpid(pid, &status, 0) < 0 ? -errno : WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
    if ((pid = fork()) != 0)
        _exit(pid < 0 ? errno : 0);
    setsid();
    thaw(&t);
    say("file systems that a former agent had left frozen are thawed");
    _exit(0);
}
