/* SPDX-License-Identifier: MIT */
/* loop.h: the daemon's loop: descriptors (poller.h), deadlines, and turns.
 *
 * Each round sleeps in one epoll_wait() for all descriptors, lets libuv look at signals and deadlines if there are any, and gives
 * each turn that is waited for once.  libuv is inside and not around: a wake-up by a guest then costs one epoll_wait() and not
 * two, and that is a tenth of a round trip.
 *
 *     alarm_at()       a deadline: ring() is called then, or a little later
 *     turn_wait()      take() is called once in the next round; for as long as anybody waits for a turn, the loop does not sleep
 *
 * Fairness: a turn is a bounded piece of work, and all who wait have theirs before anybody has his next.  So a guest that
 * floods costs the others one such piece a round.  One thread. */
#ifndef XVSD_LOOP_H
#define XVSD_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "list.h"
#include "poller.h"

/* A deadline of somebody's: made by alarm_init(), and stopped before its owner is gone. */
struct alarm {
    struct list link;           /* in loop.alarms while it is set */
    uint64_t at;                /* ms, UINT64_MAX while it is not */
    void (*ring)(struct alarm *alarm, uint64_t now);    /* it is not set any more, and may be again */
};

/* Made by turn_init(); turn_leave() before its owner is gone. */
struct turn {
    struct list link;           /* in loop.turns or loop.round while it is waited for */
    void (*take)(struct turn *turn);
};

struct loop {
    uv_loop_t uv;               /* signals and the timer; others may add handles, which loop_close() closes */
    bool begun;                 /* …is initialised */
    struct source uv_source;    /* its descriptor */
    bool uv_ready;              /* …has something for it */
    uv_timer_t timer;           /* one for all alarms */
    uint64_t timer_at;          /* ms, UINT64_MAX when it is stopped */
    struct poller poller;
    struct list alarms;         /* struct alarm.link */
    struct list turns;          /* struct turn.link, for the next round, */
    struct list round;          /* …and those of this one that are still waited for */
    uint64_t rounds;            /* so far */
    bool is_over;               /* it ends with this round */
    uint32_t out_of_files;      /* how often, since it was last said */
    uint64_t out_of_files_at;   /* ms: when it may be said again */
};

/* Whatever 'l' holds.  0 or a negative errno; loop_close() is due in either case. */
int  loop_init(struct loop *l);
/* Until l->is_over.  chores() is called in each round before the loop sleeps, and says whether there is more for it to do at
 * once. */
void loop_run(struct loop *l, bool (*chores)(struct loop *l));
/* The part of a round in which turns are taken. */
void loop_take_turns(struct loop *l);
/* Harmless on one that is all zero. */
void loop_close(struct loop *l);

/* Milliseconds, as of the begin of this round, which may be long ago: xenstored takes its time.  So this says whether a
 * deadline is over, and clock_deadline_ms() (clock.h; the same clock) makes one. */
static inline uint64_t loop_now(const struct loop *l)
{
    return uv_now(&l->uv);
}

void alarm_init(struct alarm *alarm, void (*ring)(struct alarm *alarm, uint64_t now));
/* At 'at' (ms), or earlier if it is set to ring earlier.  UINT64_MAX: changes nothing. */
void alarm_at(struct loop *l, struct alarm *alarm, uint64_t at);
void alarm_stop(struct alarm *alarm);

void turn_init(struct turn *turn, void (*take)(struct turn *turn));
/* At the end of the line; harmless for one that waits already. */
void turn_wait(struct loop *l, struct turn *turn);
void turn_leave(struct turn *turn);
/* True if anybody else waits, in this round or the next. */
bool turn_others_wait(const struct loop *l, const struct turn *turn);

/* accept(), socket() or the like gave EMFILE: says so, once a minute. */
void loop_out_of_files(struct loop *l);

#endif
