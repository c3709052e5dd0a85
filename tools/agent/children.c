/* SPDX-License-Identifier: MIT */
/* children.c: see children.h.
 *
 * SIGKILL goes to a session, for a shell's jobs have process groups of their own.  Its members are found in /proc.  Once the leader has
 * been reaped its number may become another's when no member is left, so only what is older than its end is killed. */
#include "children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "say.h"

static uint64_t ticks_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * (uint64_t)sysconf(_SC_CLK_TCK) + (uint64_t)t.tv_nsec * (uint64_t)sysconf(_SC_CLK_TCK) / SECOND;
}

/* ---- the members of a session ---- */

struct search {
    pid_t session;
    uint64_t until;             /* nobody younger is a member */
    int number;                 /* of the signal for each; 0: none */
    unsigned count;
};

static void look_at(pid_t pid, const struct proc_facts *f, void *arg)
{
    struct search *s = arg;

    if (f->session != s->session || f->state == 'Z' || f->state == 'X' || f->began > s->until)
        return;
    s->count++;
    if (s->number)
        kill(pid, s->number);
}

/* How many members that are alive and not younger than 'until' there are; each gets the signal, unless that is 0. */
static unsigned members(pid_t session, uint64_t until, int number)
{
    struct search s = { .session = session, .until = until, .number = number };

    proc_each(look_at, &s);
    return s.count;
}

static void kill_session(const struct child *c)
{
    uint64_t until = c->has_ended ? c->ended_at : UINT64_MAX;

    if (!c->has_ended)
        kill(-c->pid, SIGKILL);
    /* Who forks meanwhile is found the next time. */
    for (int i = 0; i < 5 && members(c->pid, until, SIGKILL); i++)
        ;
}

/* ---- one child ---- */

struct child *child_new(struct children *all, void (*ended)(void *arg, int status, bool late), void *arg)
{
    struct child *c = calloc(1, sizeof *c);

    if (c) {
        c->children = all;
        c->ended = ended;
        c->arg = arg;
        list_append(&all->all, &c->link);
    }
    return c;
}

void child_free(struct child *c)
{
    timer_drop(&c->kill);
    timer_drop(&c->limit);
    list_remove(&c->link);
    free(c);
}

static void kill_due(struct timer *t)
{
    struct child *c = container_of(t, struct child, kill);

    kill_session(c);
    if (c->has_ended)
        child_free(c);
}

static void ask(struct child *c, int number)
{
    child_signal(c, number);
    child_signal(c, SIGCONT);
    if (!c->asked)
        timer_set(c->children->loop, &c->kill, clock_ns() + CHILDREN_GRACE, kill_due);
    c->asked = true;
}

static void limit_due(struct timer *t)
{
    struct child *c = container_of(t, struct child, limit);

    c->late = true;
    ask(c, SIGTERM);
}

void child_runs(struct child *c, pid_t pid, uint32_t ms)
{
    c->pid = pid;
    if (ms)
        timer_set(c->children->loop, &c->limit, clock_ns() + (int64_t)ms * (SECOND / 1000), limit_due);
}

void child_signal(struct child *c, int number)
{
    if (c->has_ended || c->pid <= 0)
        return;
    /* It may not have got to setsid() yet, and has no group then. */
    if (kill(-c->pid, number) < 0 && errno == ESRCH)
        kill(c->pid, number);
}

void child_hang_up(struct child *c)
{
    ask(c, SIGHUP);
}

void child_let_go(struct child *c)
{
    c->ended = NULL;
}

/* Its group was asked to end, and some of it may not have done so. */
static void ended(struct child *c, int status)
{
    void (*tell)(void *arg, int status, bool late) = c->ended;
    struct children *all = c->children;
    void *arg = c->arg;
    bool late = c->late;

    c->has_ended = true;
    c->ended_at = ticks_now();
    c->ended = NULL;
    timer_drop(&c->limit);
    if (!c->asked || !members(c->pid, c->ended_at, 0))
        child_free(c);
    if (tell)
        tell(arg, status, late);
    if (list_is_empty(&all->all) && all->none)
        all->none(all);
}

/* ---- all of them ---- */

static struct child *find(struct children *all, pid_t pid)
{
    for (struct list *link = all->all.next; link != &all->all; link = link->next) {
        struct child *c = container_of(link, struct child, link);

        if (c->pid == pid && !c->has_ended)
            return c;
    }
    return NULL;
}

static void reap(void *arg)
{
    struct children *all = arg;
    struct child *c;
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if ((c = find(all, pid)))
            ended(c, status);
}

void children_begin(struct children *c, struct loop *l)
{
    c->loop = l;
    list_init(&c->all);
    l->child = reap;
    l->child_arg = c;
}

void children_hang_up(struct children *all)
{
    for (struct list *link = all->all.next; link != &all->all; link = link->next) {
        struct child *c = container_of(link, struct child, link);

        if (!c->asked)
            child_hang_up(c);
    }
}

void children_end(struct children *all, bool kills)
{
    while (!list_is_empty(&all->all)) {
        struct child *c = container_of(all->all.next, struct child, link);

        if (kills)
            kill_session(c);
        child_free(c);
    }
}
