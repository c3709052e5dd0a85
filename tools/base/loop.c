/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "say.h"

struct polled {
    struct watch *watch;        /* NULL once dropped, or called */
    size_t at;                  /* in loop.polls */
    short want;                 /* of the watch, when it was asked */
};

static void link_drop(struct list *link)
{
    if (link->next)
        list_remove(link);
}

/* ---- libuv, and the signals that it has ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *l = handle->data;

    if (number != SIGCHLD) {
        if (l->signalled && l->signalled(l->signalled_arg, number))
            return;
        l->caught = number;
        l->stopping = true;
    } else if (l->child) {
        l->child(l->child_arg);
    }
}

static void uv_ready(struct watch *w)
{
    w->want = POLLIN;
    uv_run(&container_of(w, struct loop, uv_watch)->uv, UV_RUN_NOWAIT);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_uv(struct loop *l)
{
    watch_drop(l, &l->uv_watch);
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);             /* until the last of them is closed */
    uv_loop_close(&l->uv);
}

/* What is ignored stays so, as nohup(1) wants it to be. */
static int take_signal(struct loop *l, uv_signal_t *handle, int number)
{
    struct sigaction old;
    int err = uv_signal_init(&l->uv, handle);

    handle->data = l;
    if (err || (number != SIGCHLD && sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN))
        return err;
    return uv_signal_start(handle, on_signal, number);
}

int loop_begin(struct loop *l)
{
    static const int numbers[LOOP_SIGNALS] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };
    int err;

    memset(l, 0, sizeof *l);
    list_init(&l->watches);
    list_init(&l->timers);
    list_init(&l->tasks);
    /* libuv's first loop makes a pipe when it has some descriptors already, and ends the process if that fails. */
    if ((err = files_left(6)) || (err = uv_loop_init(&l->uv)))
        return err;
    watch_add(l, &l->uv_watch, uv_backend_fd(&l->uv), uv_ready);
    for (size_t i = 0; !err && i < LOOP_SIGNALS; i++)
        err = take_signal(l, &l->signals[i], numbers[i]);
    if (err)
        close_uv(l);
    else
        uv_ready(&l->uv_watch);                 /* it registers what it watches when it runs */
    return err;
}

int loop_signal_fd(const struct loop *l)
{
    return uv_backend_fd(&l->uv);
}

int loop_end(struct loop *l, int status)
{
    l->child = NULL;
    uv_run(&l->uv, UV_RUN_NOWAIT);
    close_uv(l);
    free(l->polls);
    free(l->polled);
    if (l->caught) {
        signal(l->caught, SIG_DFL);
        raise(l->caught);
    }
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
        l->polled[w->slot].watch = NULL;
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

bool timer_is_set(const struct timer *t)
{
    return t->link.next && !list_is_empty(&t->link);
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

/* The two directions of a socket are watched one behind the other, and it is polled once: more polls than the process may have
 * descriptors the kernel refuses (EINVAL). */
static void poll_also(struct loop *l, struct watch *w)
{
    if (!l->count || l->polls[l->count - 1].fd != w->fd)
        l->polls[l->count++] = (struct pollfd){ .fd = w->fd };
    l->polls[l->count - 1].events |= w->want;
    l->polled[l->used] = (struct polled){ .watch = w, .at = l->count - 1, .want = w->want };
    w->slot = l->used++;
}

static int gather(struct loop *l)
{
    struct list *link;

    l->used = l->count = 0;
    for (link = l->watches.next; link != &l->watches; link = link->next) {
        struct watch *w = container_of(link, struct watch, link);

        w->slot = SIZE_MAX;
        if (!w->want)
            continue;
        if (l->used == l->room) {
            size_t room = l->room ? 2 * l->room : 16;
            struct pollfd *polls = realloc(l->polls, room * sizeof *polls);
            struct polled *polled;

            if (polls)
                l->polls = polls;
            if (!polls || !(polled = realloc(l->polled, room * sizeof *polled)))
                return -ENOMEM;
            l->polled = polled;
            l->room = room;
        }
        poll_also(l, w);
    }
    return 0;
}

static bool has_come(const struct loop *l, const struct polled *p)
{
    return p->watch && l->polls[p->at].revents & (p->want | POLLERR | POLLHUP | POLLNVAL);
}

/* How long nobody has anything to do; -1: for ever. */
static int64_t sleep_ns(const struct loop *l)
{
    int64_t first = INT64_MAX, now = clock_ns();
    int uv_ms = uv_backend_timeout(&l->uv);

    if (!list_is_empty(&l->tasks))
        return 0;
    if (uv_ms >= 0)
        first = now + uv_ms * (SECOND / 1000);
    for (const struct list *link = l->timers.next; link != &l->timers; link = link->next) {
        const struct timer *t = (const struct timer *)(const void *)link;

        if (t->at < first)
            first = t->at;
    }
    if (first == INT64_MAX)
        return -1;
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
        if (uv_backend_timeout(&l->uv) == 0)
            uv_run(&l->uv, UV_RUN_NOWAIT);      /* a timer of its own is due, or a handle closes */
        if (gather(l) < 0)
            return fail(EXIT_OTHER, "out of memory");
        ns = sleep_ns(l);
        limit = (struct timespec){ .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
        n = ppoll(l->polls, l->count, ns < 0 ? NULL : &limit, NULL);
        if (n < 0 && errno != EINTR)
            return fail(EXIT_OTHER, "cannot poll: %s", strerror(errno));
        for (size_t i = 0; n > 0 && i < l->used; i++) {
            struct watch *w = l->polled[i].watch;

            if (!has_come(l, &l->polled[i]))
                continue;
            l->polled[i].watch = NULL;
            w->want = 0;
            w->ready(w);
        }
        run_timers(l);
    }
    return l->status;
}
