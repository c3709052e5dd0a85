/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static void link_drop(struct list *link)
{
    if (link->next)
        list_remove(link);
}

/* ---- signals ---- */

static void signals_ready(struct watch *w)
{
    struct loop *l = container_of(w, struct loop, signals);
    struct signalfd_siginfo info;

    w->want = POLLIN;
    while (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            if (l->child)
                l->child(l->child_arg);
        } else {
            l->caught = (int)info.ssi_signo;
            l->stopping = true;
        }
    }
}

int loop_begin(struct loop *l)
{
    static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t mask;
    int fd;

    memset(l, 0, sizeof *l);
    list_init(&l->watches);
    list_init(&l->timers);
    list_init(&l->tasks);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct sigaction old;

        /* A blocked signal reaches a signalfd even if it is ignored, as nohup(1) wants it to be. */
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaddset(&mask, stops[i]);
    }
    sigprocmask(SIG_BLOCK, &mask, &l->old_mask);
    if ((fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return -errno;
    watch_add(l, &l->signals, fd, signals_ready);
    l->signals.want = POLLIN;
    return 0;
}

int loop_end(struct loop *l, int status)
{
    if (l->signals.link.next) {
        watch_drop(l, &l->signals);
        close(l->signals.fd);
    }
    free(l->polls);
    free(l->polled);
    if (l->caught) {
        signal(l->caught, SIG_DFL);
        raise(l->caught);
    }
    sigprocmask(SIG_SETMASK, &l->old_mask, NULL);       /* dies here, if a signal was caught */
    return status;
}

/* ---- who waits for what ---- */

void watch_add(struct loop *l, struct watch *w, int fd, void (*ready)(struct watch *w))
{
    w->fd = fd;
    w->want = 0;
    w->slot = SIZE_MAX;
    w->ready = ready;
    list_append(&l->watches, &w->link);
}

void watch_drop(struct loop *l, struct watch *w)
{
    if (!w->link.next)
        return;
    if (w->slot < l->used)
        l->polled[w->slot] = NULL;
    list_remove(&w->link);
    w->link.next = NULL;
}

void timer_set(struct loop *l, struct timer *t, int64_t at, void (*due)(struct timer *t))
{
    link_drop(&t->link);
    t->at = at;
    t->due = due;
    list_append(&l->timers, &t->link);
}

void timer_drop(struct timer *t)
{
    link_drop(&t->link);
}

void task_start(struct loop *l, struct task *t, void (*run)(struct task *t))
{
    t->run = run;
    link_drop(&t->link);
    list_append(&l->tasks, &t->link);
}

void task_drop(struct task *t)
{
    link_drop(&t->link);
}

void loop_stop(struct loop *l, int status)
{
    l->stopping = true;
    l->status = status;
}

/* ---- a turn ---- */

static void run_tasks(struct loop *l)
{
    struct list now, *link;

    /* What these start belongs to the next turn. */
    list_init(&now);
    while ((link = list_take(&l->tasks)))
        list_append(&now, link);
    while ((link = list_take(&now))) {
        struct task *t = container_of(link, struct task, link);

        t->run(t);
    }
}

static void run_timers(struct loop *l)
{
    int64_t now = clock_ns();
    struct list late, *link, *next;

    list_init(&late);
    for (link = l->timers.next; link != &l->timers; link = next) {
        next = link->next;
        if (container_of(link, struct timer, link)->at <= now) {
            list_remove(link);
            list_append(&late, link);
        }
    }
    while ((link = list_take(&late))) {
        struct timer *t = container_of(link, struct timer, link);

        t->due(t);
    }
}

static int gather(struct loop *l)
{
    struct list *link;

    l->used = 0;
    for (link = l->watches.next; link != &l->watches; link = link->next) {
        struct watch *w = container_of(link, struct watch, link);

        w->slot = SIZE_MAX;
        if (!w->want)
            continue;
        if (l->used == l->room) {
            size_t room = l->room ? 2 * l->room : 16;
            struct pollfd *polls = realloc(l->polls, room * sizeof *polls);
            struct watch **polled;

            if (polls)
                l->polls = polls;
            if (!polls || !(polled = realloc(l->polled, room * sizeof *polled)))
                return -ENOMEM;
            l->polled = polled;
            l->room = room;
        }
        l->polls[l->used] = (struct pollfd){ .fd = w->fd, .events = w->want };
        l->polled[l->used] = w;
        w->slot = l->used++;
    }
    return 0;
}

static int64_t sleep_ns(const struct loop *l)
{
    int64_t first = INT64_MAX, now;

    if (!list_is_empty(&l->tasks))
        return 0;
    for (const struct list *link = l->timers.next; link != &l->timers; link = link->next) {
        const struct timer *t = (const struct timer *)(const void *)link;

        if (t->at < first)
            first = t->at;
    }
    if (first == INT64_MAX)
        return -1;
    now = clock_ns();
    return first > now ? first - now : 0;
}

int loop_run(struct loop *l)
{
    while (!l->stopping) {
        struct timespec limit;
        int64_t ns;
        int n;

        run_tasks(l);
        if (l->prepare && !l->stopping)
            l->prepare(l->prepare_arg);
        if (l->stopping)
            break;
        if (gather(l) < 0)
            return fail(EXIT_OTHER, "out of memory");
        ns = sleep_ns(l);
        limit = (struct timespec){ .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
        n = ppoll(l->polls, l->used, ns < 0 ? NULL : &limit, NULL);
        if (n < 0 && errno != EINTR)
            return fail(EXIT_OTHER, "cannot poll: %s", strerror(errno));
        for (size_t i = 0; n > 0 && i < l->used; i++) {
            struct watch *w = l->polled[i];

            if (!w || !l->polls[i].revents)
                continue;
            n--;
            w->want = 0;
            w->ready(w);
        }
        run_timers(l);
    }
    return l->status;
}
