/* SPDX-License-Identifier: MIT */
/* children.c: see children.h. */
#include "children.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "spawn.h"

#define END_MS   2000u
#define LIVES_MS 10000u         /* one that lived this long was a good one, */
#define AGAIN_MS 1000u          /* …and after another one there is a pause */

static void on_hear(struct wall *wall, const struct wall_msg *m, int fd)
{
    struct child *c = container_of(wall, struct child, wall);

    if (fd >= 0)
        close(fd);              /* it has nothing to give */
    if (c->kind->hear)
        c->kind->hear(c, m);
}

/* Each gets an end of a pair. */
static void introduce(struct keeper *k)
{
    const struct wall_msg m = { .kind = WALL_PAIR };
    int ends[2];

    if (!wall_is_open(&k->worker.wall) || !wall_is_open(&k->dialer.wall))
        return;                 /* when the other one is there, too */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)) {
        wall_send(&k->dialer.wall, &m, -1);             /* it ends, and this is tried again */
        return;
    }
    wall_send(&k->worker.wall, &m, ends[0]);
    wall_send(&k->dialer.wall, &m, ends[1]);
}

/* Takes fd in any case. */
static int begin(struct child *c, int fd)
{
    const struct options *o = c->keeper->options;
    const char *arguments[5] = { "xvsd" };
    pid_t pid;
    int err;

    if (o->one_process) {
        if ((err = c->kind->begin(c->keeper, fd)))
            c->kind->end(c->keeper);
        return err;
    }
    arguments[1] = c->kind->option;
    if (c->kind->is_worker && o->user) {
        arguments[2] = o->user;
        arguments[3] = c->keeper->rundir.path;
    }
    pid = spawn(fd, arguments);
    c->pid = pid < 0 ? 0 : pid;
    return pid < 0 ? pid : 0;
}

int child_start(struct child *c)
{
    struct keeper *k = c->keeper;
    int ends[2], err;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
        return -errno;
    if ((err = wall_open(&c->wall, &k->loop, ends[0], true))) {
        close(ends[1]);
        return err;
    }
    if ((err = begin(c, ends[1]))) {
        wall_close(&c->wall);
        return err;
    }
    c->since = loop_now(&k->loop);
    c->kind->tell(k);
    introduce(k);
    return 0;
}

/* At once, if it has lived for a while.  Not ever more seldom: a guest that can end the worker would gain by it. */
static void restart_later(struct child *c)
{
    uint64_t now = loop_now(&c->keeper->loop);

    alarm_at(&c->keeper->loop, &c->restart, now - c->since > LIVES_MS ? now : now + AGAIN_MS);
    c->since = now;
}

static void on_restart(struct alarm *alarm, uint64_t now)
{
    struct child *c = container_of(alarm, struct child, restart);
    int err = child_start(c);

    (void)now;
    if (!err) {
        journal(JOURNAL_NOTICE, "there is a %s again", c->kind->name);
        return;
    }
    journal(JOURNAL_ERROR, "cannot start a %s: %s", c->kind->name, strerror(-err));
    restart_later(c);
}

void child_lose(struct child *c, const char *why)
{
    struct keeper *k = c->keeper;
    char how[80];

    wall_close(&c->wall);
    c->kind->end(k);
    if (c->pid) {
        spawn_reap(c->pid, how, sizeof how);
        c->pid = 0;
        why = why ? why : how;
    }
    if (k->ending)
        return;
    journal_event(NULL, EVENT_RESTARTED, NULL, "the %s is gone%s%s; another one is started", c->kind->name, why ? ": " : "",
                  why ? why : "");
    if (c->kind->lost)
        c->kind->lost(k);
    restart_later(c);
}

static void on_gone(struct wall *wall, const char *why)
{
    child_lose(container_of(wall, struct child, wall), why);
}

void child_init(struct child *c, struct keeper *k, const struct child_kind *child_kind)
{
    *c = (struct child){ .keeper = k, .kind = child_kind, .wall = { .source.fd = -1, .hear = on_hear, .gone = on_gone } };
    alarm_init(&c->restart, on_restart);
}

/* Lets them end in order, but not for ever. */
void children_stop(struct keeper *k)
{
    const struct wall_msg m = { .kind = WALL_STOP };
    uint64_t end = clock_deadline_ms(END_MS);

    k->ending = true;
    wall_send(&k->worker.wall, &m, -1);
    wall_send(&k->dialer.wall, &m, -1);
    while (k->loop.begun && ((wall_is_open(&k->worker.wall) && !k->labour.is_over) ||
                             (wall_is_open(&k->dialer.wall) && !k->dialling.is_over)) && loop_now(&k->loop) < end)
        poller_wait(&k->loop.poller, 100);
    child_lose(&k->worker, NULL);
    child_lose(&k->dialer, NULL);
}
