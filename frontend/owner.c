/* SPDX-License-Identifier: MIT */
/* owner.c: one process owns a device.  A lock on RUN/device-N.lock says so: the kernel drops it with the process,
 * however that ends, so there is no stale lock; the file's text names the owner for whoever comes second. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static long read_pid(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    if (n <= 0)
        return 0;
    text[n] = 0;
    return strtol(text, NULL, 10);
}

int owner_lock(const char *run_dir, unsigned device, long *pid, char *path, size_t path_size)
{
    int fd, err;

    *pid = 0;
    if (mkdir(run_dir, 0755) && errno != EEXIST) {
        snprintf(path, path_size, "%s", run_dir);
        return -errno;
    }
    if ((size_t)snprintf(path, path_size, "%s/device-%u.lock", run_dir, device) >= path_size)
        return -ENAMETOOLONG;
    /* For its owner alone: whoever can open it can lock it, and so keep us out. */
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        err = errno == EWOULDBLOCK ? -EBUSY : -errno;
        *pid = read_pid(fd);
        close(fd);
        return err;
    }
    /* The text is a courtesy: without it the lock still holds. */
    if (ftruncate(fd, 0) == 0)
        (void)!dprintf(fd, "%ld\n", (long)getpid());
    return fd;
}
