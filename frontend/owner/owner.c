/* SPDX-License-Identifier: MIT */
/* owner.c: one process owns a device.  Two locks on RUN/device-N.lock say so, each for what the other cannot; the kernel drops
 * both with the process, however that ends, so no lock is ever stale.
 *
 *     flock()    decides.  It keeps out every other opener, one in this process, too, even through another copy of this
 *                library.  It belongs to the open file, which a fork shares with its child: so it is undone when the
 *                owner closes, and the child closes its copy first of all (forks.c).
 *     F_SETLK    tells.  The kernel knows whose it is, by the process id that is right in the asker's PID namespace, and anybody
 *                may ask without taking anything.  It belongs to the process; but any close() of this file within the
 *                process drops it, which is why we open a file that we hold no second time.
 *
 * The file's text is the owner's process id, for people, and for older libraries, which had the first lock only. */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct flock whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

/* The process that the text names, if it lives. */
static long named_process(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = 0;

    if (n > 0) {
        text[n] = 0;
        pid = strtol(text, NULL, 10);
    }
    return pid > 0 && pid == (pid_t)pid && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? pid : OWNER_UNKNOWN;
}

/* Whose the second lock is: its process, OWNER_NONE, or OWNER_UNKNOWN in another PID namespace. */
static long asked_process(int fd)
{
    struct flock lock = whole_file();

    if (fcntl(fd, F_GETLK, &lock))
        return OWNER_UNKNOWN;
    if (lock.l_type == F_UNLCK)
        return OWNER_NONE;
    return lock.l_pid > 0 ? lock.l_pid : OWNER_UNKNOWN;
}

static int lock_path(const char *run_dir, unsigned device, char *path, size_t size)
{
    return (size_t)snprintf(path, size, "%s/device-%u.lock", run_dir, device) < size ? 0 : -ENAMETOOLONG;
}

/* -EBUSY if this process owns it: to open and close the file would drop the lock that tells. */
static int refuse_own(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && forks_owns(st.st_dev, st.st_ino) ? -EBUSY : 0;
}

static int take(struct owner_lock *lock, long *pid)
{
    struct flock whole = whole_file();
    struct stat st;

    if (flock(lock->fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return -errno;
        *pid = asked_process(lock->fd);
        if (*pid == OWNER_NONE)
            *pid = named_process(lock->fd);
        return -EBUSY;
    }
    if (fstat(lock->fd, &st))
        return -errno;
    lock->owned.dev = st.st_dev;
    lock->owned.ino = st.st_ino;
    /* These two are courtesies: without them the lock still holds. */
    (void)!fcntl(lock->fd, F_SETLK, &whole);
    if (ftruncate(lock->fd, 0) == 0)
        (void)!dprintf(lock->fd, "%ld\n", (long)getpid());
    return 0;
}

void owner_init(struct owner_lock *lock, void (*orphan)(struct owned *owned))
{
    *lock = (struct owner_lock){ .fd = -1, .owned.orphan = orphan };
    list_init(&lock->owned.link);
}

int owner_lock(struct owner_lock *lock, const char *run_dir, unsigned device, long *pid, char *path, size_t path_size)
{
    int err;

    *pid = OWNER_NONE;
    if (mkdir(run_dir, 0755) && errno != EEXIST) {
        snprintf(path, path_size, "%s", run_dir);
        return -errno;
    }
    if ((err = lock_path(run_dir, device, path, path_size)))
        return err;
    if ((err = refuse_own(path))) {
        *pid = getpid();
        return err;
    }
    /* For its owner alone: whoever can open it can lock it, and so keep us out. */
    if ((lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return -errno;
    if ((err = take(lock, pid))) {
        close(lock->fd);
        lock->fd = -1;
        return err;
    }
    forks_add(&lock->owned);
    return 0;
}

long owner_find(const char *run_dir, unsigned device)
{
    char path[256];
    long pid;
    int fd;

    if (lock_path(run_dir, device, path, sizeof path))
        return OWNER_UNKNOWN;
    if (refuse_own(path))
        return getpid();
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return errno == ENOENT ? OWNER_NONE : OWNER_UNKNOWN;
    pid = asked_process(fd);
    close(fd);
    return pid;
}

bool owner_is_kernel(unsigned device)
{
    char path[64];

    snprintf(path, sizeof path, "/sys/bus/xen/devices/vsock-%u/driver", device);
    return access(path, F_OK) == 0;
}

void owner_unlock(struct owner_lock *lock)
{
    if (lock->fd < 0)
        return;
    flock(lock->fd, LOCK_UN);
    close(lock->fd);
    lock->fd = -1;
    forks_remove(&lock->owned);
}

void owner_orphan(struct owner_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

void owner_raise(struct owner_lock *lock, int above)
{
    struct flock whole = whole_file();
    int fd = fcntl(lock->fd, F_DUPFD_CLOEXEC, above + 1);

    if (fd < 0)
        return;
    close(lock->fd);
    lock->fd = fd;
    (void)!fcntl(fd, F_SETLK, &whole);
}
