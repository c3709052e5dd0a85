/* SPDX-License-Identifier: MIT */
/* late.c: a library to be loaded before all others (LD_PRELOAD), with which a program's calls come late now and then, as on a machine
 * with other things to do: between any two of them somebody else may have gone on.
 *
 *     LATE=ONE,US     one call in ONE waits for up to US microseconds; without it 16,20000
 *
 * A wait is a sleep and no load, so that many programs can be late at once, and a thread waits for half of its time at most: whoever
 * has more to do than others leave it time for would never come to an end.  Only this project's programs are, and xenstored: shells
 * and compilers are in nobody's way.  A test program is late 32 times less often, for it may read byte by byte.
 * What it finds is right or wrong whatever the time, for nothing in the tests measures any.  Any thread. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define TESTS 32u

static unsigned one = 16, most = 20000;
static bool is_on;

static bool begins(const char *prefix)
{
    return strncmp(program_invocation_short_name, prefix, strlen(prefix)) == 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *says = getenv("LATE");

    is_on = begins("xvs") || begins("e2e_") || begins("test_") || begins("xenstored");
    if (says && (sscanf(says, "%u,%u", &one, &most) != 2 || !one || !most))
        is_on = false;
    if (begins("test_"))
        one *= TESTS;
}

/* Different in each process and each run: what happens once in a while is looked for. */
static uint64_t chance(void)
{
    static __thread uint64_t x;

    while (!x)
        x = clock_now_ns() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 32 ^ (uintptr_t)&x;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

/* clock_nanosleep() is what the daemon's processes are allowed, too. */
static void come_late(void)
{
    static __thread uint64_t not_before;
    uint64_t x = is_on ? chance() : 1, us = (x >> 20) % most;
    struct timespec t = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };
    int err = errno;

    if (!is_on || x % one || clock_now_ns() < not_before)
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
    not_before = clock_now_ns() + us * 1000;
    errno = err;
}

/* The call of that name, with its parameters in parentheses and then their names. */
#define LATE(type, name, parameters, names)                                                                            \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type (*real) parameters;                                                                                \
                                                                                                                       \
        if (!real)                                                                                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                 \
        come_late();                                                                                                   \
        return real names;                                                                                             \
    }

LATE(ssize_t, read, (int fd, void *to, size_t len), (fd, to, len))
LATE(ssize_t, write, (int fd, const void *from, size_t len), (fd, from, len))
LATE(ssize_t, readv, (int fd, const struct iovec *iov, int n), (fd, iov, n))
LATE(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n))
LATE(ssize_t, recv, (int fd, void *to, size_t len, int flags), (fd, to, len, flags))
LATE(ssize_t, send, (int fd, const void *from, size_t len, int flags), (fd, from, len, flags))
LATE(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
LATE(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
LATE(int, bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
LATE(int, listen, (int fd, int backlog), (fd, backlog))
LATE(int, connect, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
LATE(int, accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))
LATE(int, shutdown, (int fd, int how), (fd, how))
LATE(int, close, (int fd), (fd))
LATE(int, unlink, (const char *name), (name))
LATE(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
LATE(int, rename, (const char *from, const char *to), (from, to))
LATE(int, renameat, (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to))
LATE(int, symlinkat, (const char *target, int dir, const char *name), (target, dir, name))
LATE(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout), (fd, events, n, timeout))
LATE(int, epoll_pwait, (int fd, struct epoll_event *events, int n, int timeout, const sigset_t *set), (fd, events, n, timeout, set))
LATE(int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout))
