/* SPDX-License-Identifier: MIT */
/* loop.h: one thread's event loop: descriptors, timers, tasks, and libuv.
 *
 *     watch   a descriptor; 'ready' is called once when one of 'want' is there, and 'want' is then 0 again
 *     timer   one moment on the clock of clock_ns()
 *     task    something to do in the next turn, without sleeping first
 *
 * The structs are the caller's and live until they are dropped.  SIGINT, SIGTERM and SIGHUP stop the loop, and loop_end() then
 * dies of them once all is tidy, unless 'signalled' takes them; SIGCHLD calls 'child'.
 *
 * As in the daemon (backend/base/loop.h) libuv is inside and not around: it has the signals, and whatever handles others give it, and
 * its descriptor is one of those that are waited for.  The others are not its own, for uv_poll would set O_NONBLOCK on standard input and
 * output, which may be other programs' as well, and takes neither a regular file nor a descriptor twice; and its timers are
 * in milliseconds, ping's intervals are not. */
#ifndef XVS_LOOP_H
#define XVS_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "list.h"

struct watch {
    struct list link;
    int fd;
    short want;                 /* POLLIN, POLLOUT, POLLHUP; 0 sleeps */
    size_t slot;
    void (*ready)(struct watch *w);
};

struct timer {
    struct list link;
    int64_t at;
    void (*due)(struct timer *t);
};

struct task {
    struct list link;
    void (*run)(struct task *t);
};

#define LOOP_SIGNALS 4

struct loop {
    uv_loop_t uv;               /* handles that are added here loop_end() closes */
    uv_signal_t signals[LOOP_SIGNALS];
    struct watch uv_watch;
    struct list watches, timers, tasks;
    struct pollfd *polls;
    struct polled *polled;      /* loop.c: the watches that wait */
    size_t room, used, count;   /* of both; of polled; of polls */
    int caught;                 /* the signal that stopped the loop */
    bool stopping;
    int status;
    void (*child)(void *arg);   /* SIGCHLD */
    void (*prepare)(void *arg); /* before each sleep: may start tasks */
    bool (*signalled)(void *arg, int number);   /* true: it is no end of the loop */
    void *child_arg, *prepare_arg, *signalled_arg;
};

/* 0 or a negative errno; then nothing is left to be ended. */
int  loop_begin(struct loop *l);
/* Until loop_stop() or a signal; the status of loop_stop(). */
int  loop_run(struct loop *l);
void loop_stop(struct loop *l, int status);
/* Readable when a signal has come, for who waits outside of loop_run(); it is dealt with in loop_end(). */
int  loop_signal_fd(const struct loop *l);
/* Gives back the signals.  Dies of the signal that stopped the loop, if one did; else returns status. */
int  loop_end(struct loop *l, int status);

/* want may be changed at any time after this. */
void watch_add(struct loop *l, struct watch *w, int fd, void (*ready)(struct watch *w));
/* Accepts a zeroed or dropped one, as do the others. */
void watch_drop(struct loop *l, struct watch *w);
/* Sets or moves the timer. */
void timer_set(struct loop *l, struct timer *t, int64_t at, void (*due)(struct timer *t));
void timer_drop(struct timer *t);
/* It was set, and has neither been due nor dropped since. */
bool timer_is_set(const struct timer *t);
void task_start(struct loop *l, struct task *t, void (*run)(struct task *t));
void task_drop(struct task *t);

#endif
