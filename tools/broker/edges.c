/* SPDX-License-Identifier: MIT */
/* edges.c: see edges.h. */
#include "edges.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64

static void ready(struct watch *w)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(w->fd, events, BATCH, 0);

    w->want = POLLIN;           /* for those that are left, too */
    for (int i = 0; i < n; i++) {
        struct edge *e = events[i].data.ptr;

        e->moved(e);
    }
}

int edges_begin(struct edges *all, struct loop *l)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    *all = (struct edges){ .loop = l };
    if (fd < 0)
        return -errno;
    watch_add(l, &all->watch, fd, ready);
    all->watch.want = POLLIN;
    return 0;
}

void edges_end(struct edges *all)
{
    if (!all->loop)
        return;
    if (all->watch.link.next)
        close(all->watch.fd);
    watch_drop(all->loop, &all->watch);
    all->loop = NULL;
}

int edge_add(struct edges *all, struct edge *e, int fd, void (*moved)(struct edge *e))
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = e };

    e->moved = NULL;
    if (epoll_ctl(all->watch.fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    e->fd = fd;
    e->moved = moved;
    return 0;
}

void edge_drop(struct edges *all, struct edge *e)
{
    if (e->moved)
        epoll_ctl(all->watch.fd, EPOLL_CTL_DEL, e->fd, NULL);
    e->moved = NULL;
}
