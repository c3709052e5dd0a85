/* SPDX-License-Identifier: MIT */
/* appear.c: see appear.h. */
#include "appear.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 16                /* of a name that nobody has */

static int invent(char name[APPEAR_TEMPORARY])
{
    uint64_t number;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -EIO;
    snprintf(name, APPEAR_TEMPORARY, ".xvs-%016" PRIx64, number);
    return 0;
}

/* Something that was made under a name of its own replaces what has the name. */
static int replace(int dirfd, const char *temporary, const char *name)
{
    int err = renameat(dirfd, temporary, dirfd, name) < 0 ? -errno : 0;

    /* Between two names of one file rename() does nothing, and says 0. */
    unlinkat(dirfd, temporary, 0);
    return err;
}

/* ---- files ---- */

static int begin_named(struct appear *a, unsigned mode)
{
    int err = -EEXIST;

    for (int i = 0; i < TRIES && err == -EEXIST; i++) {
        if ((err = invent(a->temporary)))
            return err;
        a->fd = openat(a->dirfd, a->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        err = a->fd < 0 ? -errno : 0;
    }
    a->named = !err;
    return err;
}

static bool has_no_such_files(int err)
{
    return err == -EOPNOTSUPP || err == -EISDIR || err == -EINVAL || err == -ENOENT;
}

int appear_begin(struct appear *a, int dirfd, unsigned mode)
{
    int err = 0;

    *a = (struct appear){ .dirfd = dirfd };
    a->fd = openat(dirfd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
    if (a->fd < 0 && (err = -errno, has_no_such_files(err)))
        err = begin_named(a, mode);
    return err;
}

/* The file gets a name that nobody has.  By its descriptor alone that takes a privilege, in older kernels; by /proc it does not. */
static int give_name(const struct appear *a, const char *name)
{
    char path[32];

    if (linkat(a->fd, "", a->dirfd, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", a->fd);
    return linkat(AT_FDCWD, path, a->dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int appear_finish(struct appear *a, const char *name)
{
    int err;

    if (a->named) {
        err = renameat(a->dirfd, a->temporary, a->dirfd, name) < 0 ? -errno : 0;
        a->named = err != 0;
        return err;
    }
    err = give_name(a, name);
    for (int i = 0; i < TRIES && err == -EEXIST; i++)
        if (!(err = invent(a->temporary)) && !(err = give_name(a, a->temporary)))
            return replace(a->dirfd, a->temporary, name);
    return err;
}

void appear_drop(struct appear *a)
{
    if (a->named)
        unlinkat(a->dirfd, a->temporary, 0);
    if (a->fd >= 0)
        close(a->fd);
    *a = (struct appear){ .fd = -1, .dirfd = -1 };
}

/* ---- links ---- */

int appear_symlink(const char *target, int dirfd, const char *name)
{
    char temporary[APPEAR_TEMPORARY];
    int err = symlinkat(target, dirfd, name) < 0 ? -errno : 0;

    for (int i = 0; i < TRIES && err == -EEXIST; i++)
        if (!(err = invent(temporary)) && !(err = symlinkat(target, dirfd, temporary) < 0 ? -errno : 0))
            return replace(dirfd, temporary, name);
    return err;
}

int appear_hardlink(int olddirfd, const char *old, int dirfd, const char *name)
{
    char temporary[APPEAR_TEMPORARY];
    struct stat st;
    int err;

    if (fstatat(olddirfd, old, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EPERM;
    err = linkat(olddirfd, old, dirfd, name, 0) < 0 ? -errno : 0;
    for (int i = 0; i < TRIES && err == -EEXIST; i++)
        if (!(err = invent(temporary)) && !(err = linkat(olddirfd, old, dirfd, temporary, 0) < 0 ? -errno : 0))
            return replace(dirfd, temporary, name);
    return err;
}
