/* SPDX-License-Identifier: MIT */
/* dial.c: see dial.h. */
#include "dial.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- rights ---- */

#ifdef SYS_setresuid32          /* where the plain ones know 16 bits only */
#define SETGROUPS SYS_setgroups32
#define SETRESGID SYS_setresgid32
#define SETRESUID SYS_setresuid32
#else
#define SETGROUPS SYS_setgroups
#define SETRESGID SYS_setresgid
#define SETRESUID SYS_setresuid
#endif
#define NONE (uid_t)-1

struct rights {
    uid_t uid;                  /* effective ones, to come back to */
    gid_t gid;
    int dumpable;
};

/* Undoes become(), or a part of it.  Root has no use for the groups that are gone. */
static void come_back(const struct rights *own)
{
    if (syscall(SETRESUID, NONE, own->uid, NONE) || syscall(SETRESGID, NONE, own->gid, NONE))
        abort();                /* it cannot be refused; and to go on as somebody else would be worse */
    if (own->dumpable == 1)
        prctl(PR_SET_DUMPABLE, 1);      /* the kernel has taken that away */
}

/* The effective ids of this thread, and with them capabilities and the rights on files, become another's. */
static int become(uid_t uid, gid_t gid, struct rights *own)
{
    int err;

    own->uid = geteuid();
    own->gid = getegid();
    own->dumpable = prctl(PR_GET_DUMPABLE);
    if (!syscall(SETGROUPS, 0, NULL) && !syscall(SETRESGID, NONE, gid, NONE) && !syscall(SETRESUID, NONE, uid, NONE))
        return 0;
    err = -errno;
    come_back(own);
    return err;
}

/* ---- what stands there ---- */

static bool is_acceptable(const struct stat *st, const char *name, char *why)
{
    if (!S_ISSOCK(st->st_mode))
        snprintf(why, DIAL_WHY, "%s is %s and no socket; remove it", name,
                 S_ISLNK(st->st_mode) ? "a symbolic link" : S_ISDIR(st->st_mode) ? "a directory" :
                 S_ISFIFO(st->st_mode) ? "a FIFO" : "a file");
    else if (st->st_nlink != 1)
        snprintf(why, DIAL_WHY, "%s has %lu names, so it may be from elsewhere; remove it", name,
                 (unsigned long)st->st_nlink);
    return !*why;
}

static bool is_bound_as(int fd, const char *name, char *why)
{
    struct sockaddr_un a;
    socklen_t len = sizeof a;
    char path[sizeof a.sun_path + 1] = "";
    const char *last, *at;

    if (!getpeername(fd, (struct sockaddr *)&a, &len) && len > offsetof(struct sockaddr_un, sun_path))
        memcpy(path, a.sun_path, len - offsetof(struct sockaddr_un, sun_path) < sizeof path ?
               len - offsetof(struct sockaddr_un, sun_path) : sizeof path - 1);
    last = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    at = strstr(last, name);
    if (at && !isdigit((unsigned char)at[strlen(name)]))
        return true;
    snprintf(why, DIAL_WHY, "%s is from elsewhere: it was bound as \"%.60s\"; remove it", name, last);
    return false;
}

/* ---- connecting ---- */

/* Gives the socket a name in the abstract namespace. */
static int bind_as(int fd, const char *own)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t len = strlen(own);

    memcpy(a.sun_path + 1, own, len);
    return bind(fd, (const struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) ? -errno : 0;
}

static int connect_as(int name_fd, const char *name, int type, const struct stat *st, const char *own_name, char *why)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    bool other = st->st_uid != geteuid() && geteuid() == 0;     /* not being root, there is nothing to give up */
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
    struct rights own;

    if (fd < 0)
        return -errno;
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d", name_fd);
    if (*own_name && (err = bind_as(fd, own_name))) {
        close(fd);
        return err;
    }
    if (other && (err = become(st->st_uid, st->st_gid, &own))) {
        snprintf(why, DIAL_WHY, "%s belongs to user %u, and we cannot connect as him: %s", name, st->st_uid, strerror(-err));
        err = -EACCES;
    } else {
        if (connect(fd, (const struct sockaddr *)&a, sizeof a))
            err = -errno;       /* EAGAIN: the backlog is full; on a UNIX socket there is no EINPROGRESS */
        if (other)
            come_back(&own);
    }
    if (!err)
        return fd;
    close(fd);
    return err;
}

int dial_at(int dir_fd, const char *name, int type, const char *own, unsigned *wishes, char *why)
{
    int name_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -EACCES;
    struct stat st;

    *why = '\0';
    *wishes = 0;
    if (name_fd < 0)
        return -errno;
    if (fstat(name_fd, &st))
        fd = -errno;
    else if (is_acceptable(&st, name, why))
        fd = connect_as(name_fd, name, type, &st, own, why);
    if (fd >= 0 && !is_bound_as(fd, name, why)) {
        close(fd);
        fd = -EACCES;
    }
    close(name_fd);
    if (fd >= 0 && st.st_mode & S_ISVTX)
        *wishes = DIAL_VOUCHED;
    return fd;
}

int dial_port(int dir_fd, uint32_t port, int type, const char *own, unsigned *wishes, char *why)
{
    char name[24];

    snprintf(name, sizeof name, "vsock_%u", port);
    return dial_at(dir_fd, name, type, own, wishes, why);
}
