/* SPDX-License-Identifier: MIT */
/* sidedir.c: see sidedir.h. */
#include "sidedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME  "channel"
#define TRIES 6                 /* somebody may put something there as often as we move it aside */

/* A descriptor of the directory that has the name, if it is ours; -EEXIST: something else has it. */
static int open_ours(int guest_fd)
{
    int fd = openat(guest_fd, NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? -EEXIST : -errno;
    if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
        return fd;
    close(fd);
    return -EEXIST;
}

/* What a daemon before us has left. */
static void empty(int fd)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry;

    if (!dir && again >= 0)
        close(again);
    while (dir && (entry = readdir(dir)))
        unlinkat(fd, entry->d_name, 0);
    if (dir)
        closedir(dir);
}

int sidedir_open(const struct guest_dir *g, int *fd)
{
    int err = -EEXIST;

    for (int i = 0; err == -EEXIST && i < TRIES; i++) {
        if (mkdirat(g->fd, NAME, 0700) && errno != EEXIST)
            return -errno;
        if ((err = open_ours(g->fd)) == -EEXIST && (err = sockfile_move_aside(g->path, g->fd, NAME)) == 0)
            err = -EEXIST;      /* again */
    }
    if (err < 0)
        return err;
    *fd = err;
    empty(*fd);
    if (!fchmod(*fd, 0711))
        return 0;
    err = -errno;
    close(*fd);
    *fd = -1;
    return err;
}

int sidedir_listen(const struct guest_dir *g, int fd, const struct settings_channel *c, const struct settings_sockets *sockets,
                   struct sockfile *out)
{
    struct access access = { sockets->mode, sockets->user, sockets->group };
    char path[RUNDIR_PATH + sizeof NAME + 1];
    bool closed = false;
    int err;

    snprintf(path, sizeof path, "%s/" NAME, g->path);
    if ((err = sockfile_open_as(out, c->messages ? SOCK_SEQPACKET : SOCK_STREAM, path, fd, c->name, &closed)))
        return err;
    err = access_set(out->name_fd, &access);
    if (!err || err == -EOPNOTSUPP)     /* that was said of the guest's own socket */
        return 0;
    sockfile_close(out, fd, c->name);
    return err;
}

void sidedir_close(const struct guest_dir *g, int fd)
{
    if (fd < 0)
        return;
    close(fd);
    unlinkat(g->fd, NAME, AT_REMOVEDIR);
}

void sidedir_forget(const struct guest_dir *g)
{
    int fd = open_ours(g->fd);

    if (fd < 0)
        return;
    empty(fd);
    sidedir_close(g, fd);
}
