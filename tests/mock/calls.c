/* SPDX-License-Identifier: MIT */
/* calls.c: what the product's calls of the system become: in its objects each is renamed to __wrap_… (rules.mk), and asks
 * mock_on_call() first.  The test's own calls, and those of other libraries, are the real ones. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "mock.h"
#include "process.h"

/* WRAP(what it returns, name, what it returns when it fails, (parameters), (arguments)) */
#define WRAP(type, name, failed, parameters, arguments)\
    type __wrap_##name parameters;\
    type __wrap_##name parameters\
    {\
        MOCK_ENTER(name, failed)\
        return name arguments;\
    }

WRAP(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, -1, (int domain, int type, int protocol, int *fds), (domain, type, protocol, fds))
WRAP(int, bind, -1, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
WRAP(int, listen, -1, (int fd, int backlog), (fd, backlog))
WRAP(int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))
WRAP(int, connect, -1, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
WRAP(int, shutdown, -1, (int fd, int how), (fd, how))
WRAP(int, setsockopt, -1, (int fd, int level, int name, const void *value, socklen_t len), (fd, level, name, value, len))
WRAP(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *len), (fd, level, name, value, len))
WRAP(int, getpeername, -1, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
WRAP(ssize_t, send, -1, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, sendto, -1, (int fd, const void *data, size_t len, int flags, const struct sockaddr *a, socklen_t alen),
     (fd, data, len, flags, a, alen))
WRAP(ssize_t, sendmsg, -1, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))
WRAP(ssize_t, recv, -1, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, recvfrom, -1, (int fd, void *data, size_t len, int flags, struct sockaddr *a, socklen_t *alen),
     (fd, data, len, flags, a, alen))
WRAP(ssize_t, recvmsg, -1, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
WRAP(ssize_t, read, -1, (int fd, void *data, size_t len), (fd, data, len))
WRAP(ssize_t, pread, -1, (int fd, void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(ssize_t, readv, -1, (int fd, const struct iovec *iov, int count), (fd, iov, count))
WRAP(ssize_t, writev, -1, (int fd, const struct iovec *iov, int count), (fd, iov, count))
WRAP(int, epoll_create1, -1, (int flags), (flags))
WRAP(int, eventfd, -1, (unsigned count, int flags), (count, flags))
WRAP(int, timerfd_create, -1, (int clock, int flags), (clock, flags))
WRAP(int, poll, -1, (struct pollfd *files, nfds_t count, int timeout), (files, count, timeout))
WRAP(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, -1, (int dir, const char *path, mode_t mode), (dir, path, mode))
WRAP(int, unlink, -1, (const char *path), (path))
WRAP(int, unlinkat, -1, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, symlinkat, -1, (const char *target, int dir, const char *path), (target, dir, path))
WRAP(ssize_t, readlinkat, -1, (int dir, const char *path, char *text, size_t size), (dir, path, text, size))
WRAP(int, linkat, -1, (int from, const char *old, int to, const char *fresh, int flags), (from, old, to, fresh, flags))
WRAP(int, renameat, -1, (int from, const char *old, int to, const char *fresh), (from, old, to, fresh))
WRAP(int, renameat2, -1, (int from, const char *old, int to, const char *fresh, unsigned flags), (from, old, to, fresh, flags))
WRAP(ssize_t, readlink, -1, (const char *path, char *text, size_t size), (path, text, size))
WRAP(ssize_t, getxattr, -1, (const char *path, const char *name, void *value, size_t size), (path, name, value, size))
WRAP(int, setxattr, -1, (const char *path, const char *name, const void *value, size_t size, int flags),
     (path, name, value, size, flags))
WRAP(int, removexattr, -1, (const char *path, const char *name), (path, name))
WRAP(ssize_t, pwrite, -1, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchmodat, -1, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags))
WRAP(int, fchown, -1, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(int, fchownat, -1, (int dir, const char *path, uid_t user, gid_t group, int flags), (dir, path, user, group, flags))
WRAP(int, fstat, -1, (int fd, struct stat *st), (fd, st))
WRAP(int, fstatat, -1, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags))
WRAP(int, ftruncate, -1, (int fd, off_t size), (fd, size))
WRAP(int, flock, -1, (int fd, int what), (fd, what))
WRAP(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode))
WRAP(DIR *, opendir, NULL, (const char *path), (path))
WRAP(DIR *, fdopendir, NULL, (int fd), (fd))
WRAP(int, dup, -1, (int fd), (fd))
WRAP(int, pipe2, -1, (int *fds, int flags), (fds, flags))
WRAP(int, getrlimit, -1, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
WRAP(int, setrlimit, -1, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit))
WRAP(pid_t, fork, -1, (void), ())

/* As the release variant's headers name some of them; what is checked there beyond the call itself is of no interest here. */
ssize_t __wrap___recv_chk(int fd, void *data, size_t len, size_t room, int flags);
ssize_t __wrap___recv_chk(int fd, void *data, size_t len, size_t room, int flags)
{
    MOCK_MUST(len <= room, "recv() into a buffer that is too small");
    return __wrap_recv(fd, data, len, flags);
}

ssize_t __wrap___read_chk(int fd, void *data, size_t len, size_t room);
ssize_t __wrap___read_chk(int fd, void *data, size_t len, size_t room)
{
    MOCK_MUST(len <= room, "read() into a buffer that is too small");
    return __wrap_read(fd, data, len);
}

/* ---- those that take what they need ---- */

#define LAST_ARGUMENT(type, before)                                                                                    \
    va_list arguments;                                                                                                 \
    type last;                                                                                                         \
    va_start(arguments, before);                                                                                       \
    last = va_arg(arguments, type);                                                                                    \
    va_end(arguments)

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    MOCK_ENTER(open, -1)
    LAST_ARGUMENT(int, flags);
    if (!strcmp(path, "/dev/vhost-vsock"))
        return mock_vhost_open();
    return open(path, flags, last);
}

int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
    MOCK_ENTER(openat, -1)
    LAST_ARGUMENT(int, flags);
    return openat(dir, path, flags, last);
}

int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
    MOCK_ENTER(fcntl, -1)
    LAST_ARGUMENT(void *, what);
    return fcntl(fd, what, last);
}

int __wrap_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...)
{
    MOCK_ENTER(ioctl, -1)
    LAST_ARGUMENT(void *, what);
    if (_IOC_TYPE(what) == VHOST_VIRTIO)
        return mock_vhost_ioctl(fd, what, last);
    return ioctl(fd, what, last);
}

/* ---- those that mean something else here ---- */

/* What the product tells the world is kept (process.h). */
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (mock_in_product && fd == STDERR_FILENO) {
        process_say(data, len);
        return (ssize_t)len;
    }
    MOCK_ENTER(write, -1)
    return write(fd, data, len);
}

/* To take a descriptor out of the set never fails. */
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    if (op != EPOLL_CTL_ADD)
        return epoll_ctl(ep, op, fd, ev);
    MOCK_ENTER(epoll_ctl, -1)
    return epoll_ctl(ep, op, fd, ev);
}

int __wrap_epoll_wait(int ep, struct epoll_event *events, int max, int timeout);
int __wrap_epoll_wait(int ep, struct epoll_event *events, int max, int timeout)
{
    if (mock_in_product && mock_threads && !mock_threads_stand && mock_threads())
        return 0;
    MOCK_ENTER(epoll_wait, -1)
    if (!mock_scope.was || !process_is_running())
        return epoll_wait(ep, events, max, timeout);
    return process_sleep(ep, events, max, timeout);
}

/* A processor is given away at once, and the same each time. */
int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
    return 0;
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
    (void)flags;
    memset(data, 0x5a, len);
    return (ssize_t)len;
}
