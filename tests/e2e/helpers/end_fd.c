/* SPDX-License-Identifier: MIT */
/* end_fd.c: see end_fd.h. */
#include "end_fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

uint64_t fd_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t fd_deadline(int ms)
{
    return ms < 0 ? 0 : fd_now_ms() + (uint64_t)ms;
}

void fd_raise_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

int fd_ready(int fd, short events, uint64_t deadline)
{
    struct pollfd p = { .fd = fd, .events = events };

    for (;;) {
        uint64_t now = fd_now_ms();
        int n = poll(&p, 1, !deadline ? -1 : now >= deadline ? 0 : (int)(deadline - now));

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int fd_accept(int listener, int ms, int *out)
{
    uint64_t deadline = fd_deadline(ms);
    int err;

    while ((*out = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (ms == 0)
            return -ETIMEDOUT;
        if ((err = fd_ready(listener, POLLIN, deadline)) != 0)
            return err;
    }
    return 0;
}

ssize_t fd_send(int fd, const void *data, size_t len, int ms, int *error)
{
    uint64_t deadline = fd_deadline(ms);

    for (;;) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        int err = n < 0 ? -errno : 0;

        if (n >= 0)
            return n;
        if (err == -EAGAIN && ms == 0)
            return -ETIMEDOUT;
        if (err == -EAGAIN && (err = fd_ready(fd, POLLOUT, deadline)) == 0)
            continue;
        return err == -ETIMEDOUT ? err : (*error = err);
    }
}

ssize_t fd_recv(int fd, void *data, size_t len, int ms, int *error)
{
    uint64_t deadline = fd_deadline(ms);

    for (;;) {
        ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
        int err = n < 0 ? -errno : 0;

        if (n >= 0)
            return n;
        if (err == -EAGAIN && ms == 0)
            return -ETIMEDOUT;
        if (err == -EAGAIN && (err = fd_ready(fd, POLLIN, deadline)) == 0)
            continue;
        return err == -ETIMEDOUT ? err : (*error = err);
    }
}

int fd_pump(int input, int ms)
{
    struct pollfd p = { .fd = input, .events = POLLIN };

    poll(&p, 1, ms > 5 ? 5 : ms);
    return p.revents ? 1 : 0;
}
