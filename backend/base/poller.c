/* SPDX-License-Identifier: MIT */
/* poller.c: see poller.h.  Two passes over a batch: the first marks each source with its place, so that a
 * callback that removes another source can strike that one's event out. */
#include "poller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int poller_init(struct poller *p, uv_loop_t *clock)
{
    memset(p, 0, sizeof *p);
    p->clock = clock;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? -errno : 0;
}

void poller_close(struct poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

void poller_wait(struct poller *p, int timeout)
{
    p->count = epoll_wait(p->fd, p->event, POLLER_BATCH, timeout);
    uv_update_time(p->clock);
    if (p->count > 0)
        p->wakeups++;
    for (int i = 0; i < p->count; i++)
        ((struct source *)p->event[i].data.ptr)->batch = i + 1;
    for (int i = 0; i < p->count; i++) {
        struct source *s = p->event[i].data.ptr;

        if (!s)
            continue;
        s->batch = 0;
        s->ready(s, p->event[i].events);
    }
    p->count = 0;
}

int source_add(struct poller *p, struct source *s, int fd, uint32_t events,
               void (*ready)(struct source *s, uint32_t events))
{
    struct epoll_event e = { .events = events, .data.ptr = s };

    s->fd = -1;
    if (epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &e))
        return -errno;
    s->fd = fd;
    s->events = events;
    s->batch = 0;
    s->ready = ready;
    return 0;
}

void source_change(struct poller *p, struct source *s, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = s };

    if (s->fd < 0 || s->events == events)
        return;
    s->events = events;
    epoll_ctl(p->fd, EPOLL_CTL_MOD, s->fd, &e);     /* cannot fail: the descriptor is in the set */
}

void source_remove(struct poller *p, struct source *s)
{
    if (s->fd < 0)
        return;
    epoll_ctl(p->fd, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->batch)
        p->event[s->batch - 1].data.ptr = NULL;
    s->batch = 0;
    s->fd = -1;
}
