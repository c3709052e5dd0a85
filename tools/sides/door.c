/* SPDX-License-Identifier: MIT */
/* door.c: see door.h. */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "say.h"

#define BACKLOG       128
#define LOCK_PATIENCE (5 * SECOND)

/* 1 if some program has the socket open, 0 if it is a left-over, or a negative errno.  A connection of the wrong type
 * tells without anybody noticing: a listener who waits for one caller would take a knock for that caller. */
static int is_alive(int dirfd, const char *name)
{
    struct sockaddr_un address;
    int fd, err = unix_address(dirfd, name, &address);

    if (err)
        return err;
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        err = -errno;
    close(fd);
    return err == -ECONNREFUSED ? 0 : err && err != -EPROTOTYPE ? err : 1;
}

/* Whether 'name' is free; a left-over is removed.  The caller holds the directory's lock. */
static int make_room(int dirfd, const char *name)
{
    struct stat st;
    int alive;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if ((alive = is_alive(dirfd, name)))
        return alive < 0 ? alive : -EADDRINUSE;
    return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

/* One name at every moment: the daemon does not connect to a socket with two. */
static int rename_new(int dirfd, const char *from, const char *to)
{
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    /* A file system that cannot do that.  We hold the lock, so it is free if all keep to that. */
    return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

static int publish(struct door *door, bool sticky)
{
    struct sockaddr_un address;
    struct stat st;
    char working[64];
    int err;

    snprintf(working, sizeof working, ".%s.%ld", door->name, (long)getpid());
    if ((err = unix_address(door->dirfd, working, &address)))
        return err;
    unlinkat(door->dirfd, working, 0);
    if (bind(door->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    if (listen(door->fd, BACKLOG) < 0 || fstatat(door->dirfd, working, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (sticky && fchmodat(door->dirfd, working, (st.st_mode & 07777) | S_ISVTX, 0) < 0))
        err = -errno;
    else if (!(err = make_room(door->dirfd, door->name)))
        err = rename_new(door->dirfd, working, door->name);
    if (!err)
        door->inode = st.st_ino;
    else
        unlinkat(door->dirfd, working, 0);
    return err;
}

/* Whoever may read the directory may lock it, for ever. */
static int lock_dir(int dirfd)
{
    int64_t end = clock_ns() + LOCK_PATIENCE;

    while (flock(dirfd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_ns() >= end)
            return -ETIMEDOUT;
        poll(NULL, 0, 10);
    }
    return 0;
}

/* A name that goes makes news; those who may write there can make some as well. */
static int watch_dir(int dirfd)
{
    char path[40];
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
    if (fd >= 0 && inotify_add_watch(fd, path, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int door_open(struct door *door, int dirfd, uint32_t port, bool sticky, bool messages)
{
    int err = 0;

    *door = (struct door){ .dirfd = dirfd, .news = watch_dir(dirfd) };
    snprintf(door->name, sizeof door->name, "vsock_%u", port);
    if ((door->fd = socket(AF_UNIX, (messages ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        err = -errno;
    else if (!(err = lock_dir(dirfd)))
        err = publish(door, sticky);
    flock(dirfd, LOCK_UN);
    if (err)
        door_close(door);
    return err;
}

/* It is the directory's: a name of the same number in another one would be another socket. */
static bool has_name(const struct door *door)
{
    struct stat st;

    return door->inode && !fstatat(door->dirfd, door->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_ino == door->inode;
}

bool door_is_there(struct door *door)
{
    char events[4096];

    while (read(door->news, events, sizeof events) > 0)
        ;
    return has_name(door);
}

void door_close(struct door *door)
{
    if (has_name(door))
        unlinkat(door->dirfd, door->name, 0);
    if (door->fd >= 0)
        close(door->fd);
    if (door->news >= 0)
        close(door->news);
    close(door->dirfd);
}
