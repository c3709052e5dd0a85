/* SPDX-License-Identifier: MIT */
/* wake.c: see wake.h. */
#include "wake.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define AT_ONCE 0u

void wake_init(struct wake *w)
{
    *w = (struct wake){ .epoll = -1, .timer = -1, .timer_at = WAKE_NEVER };
}

int wake_open(struct wake *w)
{
    if ((w->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        (w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
        return -errno;
    return wake_watch(w, &(int){ -1 }, w->timer, WAKE_TIMER);
}

void wake_close(struct wake *w)
{
    if (w->timer >= 0)
        close(w->timer);
    if (w->epoll >= 0)
        close(w->epoll);
}

int wake_watch(struct wake *w, int *slot, int fd, enum wake_source source)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u32 = source };

    if (fd == *slot)
        return 0;
    if (*slot >= 0)
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, *slot, NULL);
    *slot = -1;
    if (fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev))
        return -errno;
    *slot = fd;
    return 0;
}

int wake_take(struct wake *w, int timeout, unsigned *fired)
{
    struct epoll_event evs[4];
    int n = epoll_wait(w->epoll, evs, 4, timeout);
    uint64_t ticks;

    *fired = 0;
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++)
        *fired |= evs[i].data.u32;
    if (*fired & WAKE_TIMER) {
        (void)!read(w->timer, &ticks, sizeof ticks);
        if (w->timer_at != WAKE_NEVER)
            w->passed = w->timer_at;
        w->timer_at = WAKE_NEVER;
    }
    return n;
}

static void set(struct wake *w, uint64_t at)
{
    struct itimerspec spec = { .it_value = { .tv_nsec = at == WAKE_NEVER ? 0 : 1 } };

    if (at == w->timer_at || w->orphan)
        return;
    w->timer_at = at;
    if (at != AT_ONCE && at != WAKE_NEVER) {
        spec.it_value.tv_sec = (time_t)(at / 1000);
        spec.it_value.tv_nsec = (long)(at % 1000) * 1000000 + 1;
    }
    timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void wake_again(struct wake *w)
{
    set(w, AT_ONCE);
}

void wake_by(struct wake *w, uint64_t at)
{
    if (at < w->timer_at)
        set(w, at);
}

void wake_at(struct wake *w, uint64_t at, uint64_t now)
{
    /* A deadline that is only pushed back (each close replaces a connect) need not touch the timer: it fires once too
     * early, and is set again then.  And a call to come again at once stands until it is heard. */
    if (w->timer_at == AT_ONCE || (at >= w->timer_at && w->timer_at > now))
        return;
    set(w, at);
}
