/* SPDX-License-Identifier: MIT */
/* poller.h: every descriptor of the daemon in one epoll set, with libuv's own as one of them.
 *
 * Why not one uv_poll_t each: a stream lives for as little as one message, and uv_poll costs it several system calls
 * and a close that ends later.  Here a descriptor is registered once, with one call, and source_remove() takes
 * effect at once: its callback will not run again, and the struct may be freed.
 *
 * Sources marked EPOLLET are told of each change once: the owner remembers "readable" until a read says EAGAIN.
 * One poller, one thread. */
#ifndef XVSD_POLLER_H
#define XVSD_POLLER_H

#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

struct source {
    int fd;                     /* -1: not registered.  The owner closes it after source_remove(). */
    uint32_t events;            /* what is asked for */
    int32_t batch;              /* 1 + place in the batch that is being delivered, 0 for none */
    void (*ready)(struct source *s, uint32_t events);
};

#define POLLER_BATCH 256

struct poller {
    int fd;
    uv_loop_t *clock;           /* whose time is that of the last wake-up */
    struct epoll_event event[POLLER_BATCH];
    int count;
    uint64_t wakeups;
};

/* 0 or a negative errno. */
int  poller_init(struct poller *p, uv_loop_t *clock);
void poller_close(struct poller *p);
/* Sleeps until something is ready or timeout (ms, -1 for ever) is over, or a signal comes; calls ready() of what is. */
void poller_wait(struct poller *p, int timeout);

int  source_add(struct poller *p, struct source *s, int fd, uint32_t events,
                void (*ready)(struct source *s, uint32_t events));
/* Asks for other events; a condition that holds already is reported again. */
void source_change(struct poller *p, struct source *s, uint32_t events);
/* Harmless when it is not registered. */
void source_remove(struct poller *p, struct source *s);

#endif
