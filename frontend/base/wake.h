/* SPDX-License-Identifier: MIT */
/* wake.h: the one descriptor that stands for all that wakes the program: xenstore, the event channel, and a timer.
 *
 * Times are in milliseconds of CLOCK_MONOTONIC.  One thread, the device's. */
#ifndef XVS_WAKE_H
#define XVS_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#define WAKE_NEVER UINT64_MAX

struct wake {
    int epoll;                  /* what xvs_fd() gives: holds the timer, and what is watched */
    int timer;                  /* deadlines, and "call me again at once" */
    uint64_t timer_at;          /* what the timer is set to, WAKE_NEVER if it is off */
    uint64_t passed;            /* a deadline that the timer has met, which clock_coarse_ms() may not have reached */
    bool orphan;                /* we are a child of the device's owner: both are the parent's, too, and stay as they are */
};

enum wake_source { WAKE_STORE = 1, WAKE_EVTCHN = 2, WAKE_TIMER = 4 };

/* Holds nothing: wake_close() is legal. */
void wake_init(struct wake *w);
int  wake_open(struct wake *w);                 /* 0 or -errno */
void wake_close(struct wake *w);
/* Watches fd (or -1) in place of the one in *slot: 0, or -errno and *slot is -1. */
int  wake_watch(struct wake *w, int *slot, int fd, enum wake_source source);
/* Sleeps until something comes, at most timeout ms (-1: no limit): how much, or -errno.  *fired: a set of wake_source. */
int  wake_take(struct wake *w, int timeout, unsigned *fired);

/* There is work to do that nobody will notify: makes the descriptor readable. */
void wake_again(struct wake *w);
/* There is a new deadline at 'at': wakes then, if not before. */
void wake_by(struct wake *w, uint64_t at);
/* The next deadline of all is at 'at'. */
void wake_at(struct wake *w, uint64_t at, uint64_t now);

#endif
