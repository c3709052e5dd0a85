/* SPDX-License-Identifier: MIT */
/* hostconn.c: what epoll watches, and the connections of clients.  What a request means is not known here: the
 * daemon has put two calls into struct host (request, hang_up). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

struct host host;

void say(const char *format, ...)
{
    struct timespec now;
    va_list al;

    clock_gettime(CLOCK_REALTIME, &now);
    fprintf(stderr, "%ld.%03ld ", (long)now.tv_sec, now.tv_nsec / 1000000);
    va_start(al, format);
    vfprintf(stderr, format, al);
    va_end(al);
    fputc('\n', stderr);
}

/* ---- sources ---- */

int source_add(struct source *src, int fd, void (*ready)(struct source *src))
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = src };

    src->fd = fd;
    src->ready = ready;
    return epoll_ctl(host.epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* Within one batch of events a source may be dropped after it was reported: its
 * memory must stay until the batch is over, which conn_drop() sees to.  All other
 * sources are dropped by themselves, or are checked by their fd. */
void source_drop(struct source *src)
{
    if (src->fd < 0)
        return;
    epoll_ctl(host.epoll, EPOLL_CTL_DEL, src->fd, NULL);
    close(src->fd);
    src->fd = -1;
}

/* ---- connections ---- */

int listen_at(const char *name)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

    if (fd < 0)
        return -errno;
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/ctl/%s", host.dir, name);
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(fd, 128) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

void conn_reply(struct conn *conn, struct sim_msg *msg, int err, const int *fds, int nfds)
{
    msg->err = err;
    if (err)
        msg->len = 0;
    if (!conn->dead && sim_send(conn->src.fd, msg, fds, err ? 0 : nfds, MSG_DONTWAIT) < 0)
        say("a client does not take its reply");
}

/* The memory goes after the batch, see conn_bury(). */
void conn_drop(struct conn *conn)
{
    struct domain *dom;

    conn->dead = true;
    LIST_FOREACH(dom, &host.domains, link)
        if (dom->waiter == conn)
            dom->waiter = NULL;
    if (host.stopper == conn)
        host.stopper = NULL;
    source_drop(&conn->src);
}

static void conn_ready(struct source *src)
{
    static struct sim_msg msg;
    struct conn *conn = (struct conn *)src;
    int fds[SIM_FDS_MAX], nfds = 0;

    if (sim_recv(src->fd, &msg, fds, &nfds) > 0)
        host.request(conn, &msg, fds, nfds);
    else
        host.hang_up(conn);
}

void conn_accept(struct source *listener, struct domain *dom)
{
    struct conn *conn;
    int fd;

    if (listener->fd < 0 || (fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
        return;
    if (!(conn = calloc(1, sizeof *conn))) {
        close(fd);
        return;
    }
    conn->dom = dom;
    conn->pipe = -1;
    conn->only = SIM_NONE;
    LIST_INIT(&conn->maps);
    LIST_INSERT_HEAD(&host.conns, conn, link);
    source_add(&conn->src, fd, conn_ready);
}

void conn_bury(void)
{
    struct conn *c = LIST_FIRST(&host.conns), *next;

    for (; c; c = next) {
        next = LIST_NEXT(c, link);
        if (c->dead) {
            LIST_REMOVE(c, link);
            free(c);
        }
    }
}
