/* SPDX-License-Identifier: MIT */
/* sockfile.c: see sockfile.h. */
#include "sockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "inuse.h"
#include "journal.h"

#define BACKLOG 1024
#define TRIES   6               /* seen and removed, taken again, closed, cleared: four at most */

/* ---- addresses ---- */

static int address_of(struct sockaddr_un *a, const char *dir, int dir_fd, const char *name)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    if (strlen(dir) + strlen(name) + 2 <= sizeof a->sun_path) {
        char *end = stpcpy(a->sun_path, dir);

        *end++ = '/';
        strcpy(end, name);
        return 0;
    }
    if ((size_t)snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dir_fd, name) >= sizeof a->sun_path)
        return -ENAMETOOLONG;
    return 0;
}

static int bind_at(const struct sockaddr_un *a, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
    mode_t mask;

    if (fd < 0)
        return -errno;
    mask = umask(0177);
    if (bind(fd, (const struct sockaddr *)a, sizeof *a))
        err = -errno;
    umask(mask);
    if (!err)
        return fd;
    close(fd);
    return err;
}

/* ---- what is in the way ---- */

/* Takes the directory for us alone.  Descriptors that others have of it are of no use to them then. */
static int shut(int dir_fd)
{
    if (fchown(dir_fd, geteuid(), (gid_t)-1))
        return -errno;
    return fchmod(dir_fd, 0700) ? -errno : 0;   /* with an ACL this is its mask: nobody that it names may do anything */
}

/* *shared: others than we may write in the directory, or could until it was closed.  It is closed if what is ours would not be safe there. */
static int look_at_dir(int dir_fd, bool *shared, bool *closed)
{
    struct stat st;
    int err = 0;

    if (fstat(dir_fd, &st))
        return -errno;
    *shared = *closed || st.st_uid != geteuid() || st.st_mode & 022;
    if (*closed)
        return 0;
    if (st.st_uid != geteuid() || (*shared && !(st.st_mode & S_ISVTX)))
        err = shut(dir_fd);
    *closed = *shared && !err && (st.st_uid != geteuid() || !(st.st_mode & S_ISVTX));
    return err;
}

int sockfile_move_aside(const char *dir, int dir_fd, const char *name)
{
    char aside[64];
    uint64_t number;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
        number = (uint64_t)getpid();
    snprintf(aside, sizeof aside, ".%.32s.%016llx", name, (unsigned long long)number);
    if (renameat2(dir_fd, name, dir_fd, aside, RENAME_NOREPLACE))
        return -errno;
    journal(JOURNAL_WARNING, "what was in the way of %.200s/%s is %s there now; remove it", dir, name, aside);
    return 0;
}

/* Nobody but we can change the directory now.  'shared': others could until now. */
static int clear(const char *dir, int dir_fd, const char *name, int name_fd, mode_t type, bool shared)
{
    if (S_ISSOCK(type) && socket_is_in_use(name_fd))
        return shared ? sockfile_move_aside(dir, dir_fd, name) : -EADDRINUSE;
    if (!unlinkat(dir_fd, name, S_ISDIR(type) ? AT_REMOVEDIR : 0))
        return 0;
    return errno == ENOTEMPTY || errno == EEXIST ? sockfile_move_aside(dir, dir_fd, name) : -errno;
}

/* 0: bind again.  What an earlier one of ours left behind is gone at once; all else waits until the directory is
 * closed, and so does a name that comes and goes, or this would go on for as long as somebody likes. */
static int make_way(const char *dir, int dir_fd, const char *name, bool shared, bool *closed)
{
    int name_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
    struct stat st;

    if (name_fd < 0 && (errno != ENOENT || !shared || *closed))
        return errno == ENOENT ? 0 : -errno;
    if (name_fd < 0) {
        err = shut(dir_fd);
        *closed = !err;
        return err;
    }
    if (fstat(name_fd, &st)) {
        err = -errno;
    } else if (!*closed && !(S_ISSOCK(st.st_mode) && st.st_uid == geteuid() && !socket_is_in_use(name_fd))) {
        err = shut(dir_fd);
        *closed = !err;
    } else if (!*closed) {
        err = unlinkat(dir_fd, name, 0) ? -errno : 0;
    } else {
        err = clear(dir, dir_fd, name, name_fd, st.st_mode, shared);
    }
    close(name_fd);
    return err;
}

/* ---- open, close ---- */

/* The name, which is ours to keep since it is bound. */
static int open_name(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (!fstat(fd, &st) && S_ISSOCK(st.st_mode) && st.st_uid == geteuid())
        return fd;
    close(fd);
    return -ESTALE;
}

int sockfile_open(struct sockfile *s, const char *dir, int dir_fd, const char *name, bool *closed)
{
    *closed = false;
    return sockfile_open_as(s, SOCK_STREAM, dir, dir_fd, name, closed);
}

int sockfile_open_as(struct sockfile *s, int type, const char *dir, int dir_fd, const char *name, bool *closed)
{
    struct sockaddr_un a;
    bool shared = false;
    int err, fd;

    s->listen_fd = s->name_fd = -1;
    if ((err = address_of(&a, dir, dir_fd, name)) || (err = look_at_dir(dir_fd, &shared, closed)))
        return err;
    for (int i = 0; (fd = bind_at(&a, type)) == -EADDRINUSE && i < TRIES; i++)
        if ((err = make_way(dir, dir_fd, name, shared, closed)))
            return err;
    if (fd < 0)
        return fd;
    s->listen_fd = fd;
    if ((s->name_fd = err = open_name(dir_fd, name)) >= 0 && !listen(s->listen_fd, BACKLOG))
        return 0;
    if (err >= 0)
        err = -errno;
    sockfile_close(s, dir_fd, name);
    return err;
}

void sockfile_close(struct sockfile *s, int dir_fd, const char *name)
{
    struct stat bound, now;

    if (s->name_fd >= 0) {
        if (!fstat(s->name_fd, &bound) && !fstatat(dir_fd, name, &now, AT_SYMLINK_NOFOLLOW) &&
            bound.st_ino == now.st_ino && bound.st_dev == now.st_dev)
            unlinkat(dir_fd, name, 0);
        close(s->name_fd);
    }
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    s->listen_fd = s->name_fd = -1;
}

bool sockfile_is_in_use(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    bool in_use;

    if (fd < 0)
        return errno != ENOENT;
    in_use = fstat(fd, &st) || (S_ISSOCK(st.st_mode) && st.st_nlink == 1 && socket_is_in_use(fd));
    close(fd);
    return in_use;
}
