/* SPDX-License-Identifier: MIT */
/* anydir.c: see anydir.h. */
#include "anydir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"

int any_dir_permit(const struct any_dir *any, const struct settings_sockets *sockets)
{
    struct access wanted = rundir_access(sockets);
    int err = access_set(any->fd, &wanted);

    if (err != -EOPNOTSUPP)
        return err;
    journal(JOURNAL_WARNING, "socket_user of [any] is not let into %.200s: its file system has no ACLs; use socket_group, or a run_dir on "
            "a tmpfs", any->path);
    return 0;
}

int any_dir_open(struct any_dir *any, const struct rundir *r, const struct settings_sockets *sockets, char *why)
{
    int err = 0;

    snprintf(any->path, sizeof any->path, "%.400s/any", r->path);
    if ((mkdirat(r->fd, "any", 0700) && errno != EEXIST) ||
        (any->fd = openat(r->fd, "any", O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        err = -errno;
    if (!err && !(err = any_dir_permit(any, sockets)))
        return 0;
    snprintf(why, RUNDIR_WHY, "cannot make %.160s: %s; remove what has this name, or give --run-dir", any->path, strerror(-err));
    any_dir_close(any);
    return err;
}

void any_dir_close(struct any_dir *any)
{
    if (any->fd >= 0)
        close(any->fd);
    any->fd = -1;
}
