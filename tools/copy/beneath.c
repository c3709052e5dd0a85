/* SPDX-License-Identifier: MIT */
/* beneath.c: see beneath.h. */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIRECTORY (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void beneath_open(struct beneath *b, int root)
{
    *b = (struct beneath){ .root = root, .fd = -1 };
}

void beneath_close(struct beneath *b)
{
    if (b->fd >= 0)
        close(b->fd);
    if (b->root >= 0)
        close(b->root);
    b->fd = b->root = -1;
}

static int open_at_once(const struct beneath *b, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, b->root, path, &how, sizeof how);

    return fd < 0 ? -errno : fd;
}

static int open_step(int dirfd, const char *name, bool make)
{
    int fd = openat(dirfd, name, DIRECTORY);

    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(dirfd, name, 0777) < 0 && errno != EEXIST)
            return -errno;
        fd = openat(dirfd, name, DIRECTORY);
    }
    return fd < 0 ? -errno : fd;
}

static int walk(const struct beneath *b, const char *path, bool make)
{
    int at = b->root;

    while (*path) {
        char part[NAME_PART + 1];
        size_t len = strcspn(path, "/");
        int next;

        memcpy(part, path, len);
        part[len] = '\0';
        next = open_step(at, part, make);
        if (at != b->root)
            close(at);
        if (next < 0)
            return next;
        at = next;
        path += len + (path[len] == '/');
    }
    return at;
}

int beneath_parent(struct beneath *b, const char *name, bool make, const char **last)
{
    const char *slash = strrchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : 0;
    char path[NAME_ROOM];
    int fd;

    *last = slash ? slash + 1 : name;
    if (!len)
        return b->root;
    if (b->fd >= 0 && strncmp(b->path, name, len) == 0 && !b->path[len])
        return b->fd;
    memcpy(path, name, len);
    path[len] = '\0';
    fd = b->walks ? -ENOSYS : open_at_once(b, path);
    b->walks |= fd == -ENOSYS || fd == -EPERM;
    if (fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN || (fd == -ENOENT && make))
        fd = walk(b, path, make);
    if (fd < 0)
        return fd;
    if (b->fd >= 0)
        close(b->fd);
    b->fd = fd;
    memcpy(b->path, path, len + 1);
    return fd;
}
