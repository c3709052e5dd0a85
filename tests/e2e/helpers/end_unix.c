/* SPDX-License-Identifier: MIT */
/* end_unix.c: the script's end on the host, over the daemon's UNIX sockets and nothing of this project. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "end.h"
#include "end_fd.h"

/* What the daemon gives a guest to answer in.  A limit never ends early, so what was closed sooner was refused, and
 * what was closed later may have been too slow for this machine: that is tried again. */
#define CONNECT_MS 2000

struct end {
    int fd, error;
    bool opening;               /* CONNECT was sent, OK has not come */
    uint64_t began;
    size_t got;
    char answer[32];
    struct sockaddr_un to;
    char line[32];
};
struct end_listener {
    int fd;
    char path[108];
};

int end_open(void)
{
    fd_raise_limit();
    return 0;
}

void end_finish(void)
{
}

int end_wait_device(int up, int ms)
{
    (void)up;
    (void)ms;
    return -EOPNOTSUPP;
}

static int address_of(const char *path, size_t len, struct sockaddr_un *a)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    if (len >= sizeof a->sun_path)
        return -ENAMETOOLONG;
    memcpy(a->sun_path, path, len);
    return 0;
}

int end_listen(const char *where, unsigned backlog, struct end_listener **out)
{
    struct end_listener *l = calloc(1, sizeof *l);
    struct sockaddr_un a;
    int err = l ? address_of(where, strlen(where), &a) : -ENOMEM;

    if (err)
        goto fail;
    snprintf(l->path, sizeof l->path, "%s", where);
    unlink(where);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(l->fd, (int)backlog) != 0) {
        err = -errno;
        if (l->fd >= 0)
            close(l->fd);
        goto fail;
    }
    *out = l;
    return 0;
fail:
    free(l);
    return err;
}

void end_listener_close(struct end_listener *l)
{
    unlink(l->path);
    close(l->fd);
    free(l);
}

int end_accept(struct end_listener *l, int ms, struct end **out)
{
    struct end *e = calloc(1, sizeof *e);
    int err = e ? fd_accept(l->fd, ms, &e->fd) : -ENOMEM;

    if (err)
        free(e);
    else
        *out = e;
    return err;
}

static int dial(struct end *e)
{
    ssize_t len = (ssize_t)strlen(e->line);
    int err;

    e->began = fd_now_ms();
    e->got = 0;
    e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Connecting blocks while the daemon's backlog is full: a moment, with a daemon that lives. */
    if (e->fd < 0 || connect(e->fd, (struct sockaddr *)&e->to, sizeof e->to) != 0 ||
        send(e->fd, e->line, (size_t)len, MSG_NOSIGNAL) != len) {
        err = -errno;
        if (e->fd >= 0)
            close(e->fd);
        e->fd = -1;
        return err;
    }
    fcntl(e->fd, F_SETFL, O_NONBLOCK);
    return 0;
}

int end_begin(const char *where, struct end **out)
{
    const char *colon = strrchr(where, ':');
    struct end *e = calloc(1, sizeof *e);
    int err = e && colon ? address_of(where, (size_t)(colon - where), &e->to) : -EINVAL;

    if (!err) {
        snprintf(e->line, sizeof e->line, "CONNECT %.16s\n", colon + 1);
        err = dial(e);
    }
    if (err) {
        free(e);
        return err;
    }
    e->opening = true;
    *out = e;
    return 0;
}

int end_opened(struct end *e)
{
    while (e->opening) {
        ssize_t n = recv(e->fd, e->answer + e->got, 1, 0);
        int err;

        if (n < 0 && errno == EAGAIN)
            return -EAGAIN;
        if (n == 0 && fd_now_ms() - e->began >= CONNECT_MS) {
            close(e->fd);
            if ((err = dial(e)))
                return err;
            continue;
        }
        if (n <= 0)
            return n == 0 ? -ECONNREFUSED : -errno;     /* closed without a word: the convention's "no" */
        if (e->answer[e->got] == '\n')
            e->opening = false;
        else if (++e->got == sizeof e->answer)
            return -EPROTO;
    }
    return strncmp(e->answer, "OK ", 3) == 0 ? 0 : -EPROTO;
}

int end_connect(const char *where, int ms, struct end **out)
{
    uint64_t deadline = fd_deadline(ms);
    int err = end_begin(where, out);

    if (err)
        return err;
    while ((err = end_opened(*out)) == -EAGAIN)
        if ((err = fd_ready((*out)->fd, POLLIN, deadline)) != 0)
            break;
    if (err)
        end_close(*out);
    return err;
}

ssize_t end_send(struct end *e, const void *data, size_t len, int ms)
{
    return fd_send(e->fd, data, len, ms, &e->error);
}

ssize_t end_recv(struct end *e, void *data, size_t len, int ms)
{
    return fd_recv(e->fd, data, len, ms, &e->error);
}

int end_shutdown(struct end *e, int how)
{
    return shutdown(e->fd, how) == 0 ? 0 : -errno;
}

void end_close(struct end *e)
{
    if (e->fd >= 0)
        close(e->fd);
    free(e);
}

/* A UNIX socket has no reset of its own: the kernel makes one of a close with data unread. */
void end_reset(struct end *e)
{
    end_close(e);
}

int end_error(struct end *e)
{
    return e->error;
}

int end_option(struct end *e, const char *name, uint64_t value)
{
    (void)e;
    (void)name;
    (void)value;
    return -EOPNOTSUPP;
}

int end_pump(int ms)
{
    return fd_pump(end_input, ms);
}

void end_stats(void)
{
    printf("stats\n");
    fflush(stdout);
}
