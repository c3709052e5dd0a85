/* SPDX-License-Identifier: MIT */
/* rundir.c: see rundir.h. */
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

/* ---- addresses ---- */

/* dir/name as an address: the path itself where it fits, so that ss(8) shows it; else through the descriptor. */
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

static int socket_new(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

static int connect_to(const struct sockaddr_un *a)
{
    int fd = socket_new(), err;

    if (fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a)) {
        err = -errno;           /* EAGAIN: the backlog is full; on a UNIX socket there is no EINPROGRESS */
        close(fd);
        return err;
    }
    return fd;
}

/* A socket that nobody listens at any more is removed; anything else is left alone: -EADDRINUSE. */
static int remove_stale(int dir_fd, const char *name, const struct sockaddr_un *a)
{
    struct stat st;
    int fd;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EADDRINUSE;
    fd = connect_to(a);
    if (fd >= 0)
        close(fd);
    if (fd != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlinkat(dir_fd, name, 0) ? -errno : 0;
}

static int listen_at(const char *dir, int dir_fd, const char *name)
{
    struct sockaddr_un a;
    mode_t mask;
    int fd, err;

    if ((err = address_of(&a, dir, dir_fd, name)) || (err = remove_stale(dir_fd, name, &a)))
        return err;
    if ((fd = socket_new()) < 0)
        return fd;
    mask = umask(0177);
    err = bind(fd, (struct sockaddr *)&a, sizeof a) ? -errno : 0;
    umask(mask);
    if (!err && listen(fd, BACKLOG))
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

/* ---- the daemon's directory ---- */

static int make_dir(int at, const char *path, mode_t mode)
{
    if (mkdirat(at, path, mode) && errno != EEXIST)
        return -errno;
    return fchmodat(at, path, mode, 0) ? -errno : 0;
}

static int make_parents(const char *path)
{
    char copy[RUNDIR_PATH];

    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

static int take_lock(struct rundir *r, char *why)
{
    char pid[16] = "";
    ssize_t n;

    r->lock_fd = openat(r->fd, "xvsd.pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (r->lock_fd < 0) {
        snprintf(why, RUNDIR_WHY, "cannot open %.200s/xvsd.pid: %m", r->path);
        return -errno;
    }
    if (flock(r->lock_fd, LOCK_EX | LOCK_NB)) {
        n = read(r->lock_fd, pid, sizeof pid - 1);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        snprintf(why, RUNDIR_WHY, "another xvsd (pid %s) serves %.160s; stop it, or give --run-dir", *pid ? pid : "?",
                 r->path);
        return -EBUSY;
    }
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(r->lock_fd, 0) || write(r->lock_fd, pid, strlen(pid)) < 0)
        return -errno;
    return 0;
}

int rundir_open(struct rundir *r, const char *path, bool shared, char *why)
{
    mode_t mode = shared ? 0711 : 0700;
    int err;

    memset(r, 0, sizeof *r);
    r->fd = r->lock_fd = -1;
    if ((size_t)snprintf(r->path, sizeof r->path, "%s", path) > RUNDIR_PATH - 200) {
        snprintf(why, RUNDIR_WHY, "the run directory's path is too long");
        return -ENAMETOOLONG;
    }
    *why = '\0';
    if (!(err = make_parents(path)) && !(err = make_dir(AT_FDCWD, path, mode)) &&
        (r->fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0)
        err = -errno;
    if (!err)
        err = take_lock(r, why);
    if (!err && !(err = make_dir(r->fd, "guest", mode)))
        err = make_dir(r->fd, "cid", mode);
    if (err) {
        if (!*why)
            snprintf(why, RUNDIR_WHY, "cannot make %.160s: %s; run as root, or give --run-dir", path, strerror(-err));
        rundir_close(r);
    }
    return err;
}

void rundir_close(struct rundir *r)
{
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    if (r->fd >= 0)
        close(r->fd);
    r->fd = r->lock_fd = -1;
}

int rundir_listen(const struct rundir *r, const char *name, char *why)
{
    int fd = listen_at(r->path, r->fd, name);

    if (fd < 0)
        snprintf(why, RUNDIR_WHY, "cannot listen at %.160s/%.40s: %s", r->path, name, strerror(-fd));
    return fd;
}

/* ---- a guest's directory ---- */

/* Whoever may use the socket may enter; whoever may use it as a group may also put sockets beside it. */
static mode_t dir_mode(mode_t socket_mode)
{
    mode_t mode = 0700;

    if ((socket_mode & 060) == 060)
        mode |= 070;
    if ((socket_mode & 06) == 06)
        mode |= 05;
    return mode;
}

int guest_dir_permit(const struct guest_dir *g, const struct settings_sockets *sockets)
{
    if (fchmod(g->fd, dir_mode(sockets->mode)) || fchmodat(g->fd, "vsock", sockets->mode, 0))
        return -errno;
    if (sockets->user == (uid_t)-1 && sockets->group == (gid_t)-1)
        return 0;
    if (fchown(g->fd, sockets->user, sockets->group) || fchownat(g->fd, "vsock", sockets->user, sockets->group, 0))
        return -errno;
    return 0;
}

int guest_dir_open(struct guest_dir *g, const struct rundir *r, const char *name,
                   const struct settings_sockets *sockets, char *why)
{
    char below[RUNDIR_NAME + 8];
    int err;

    memset(g, 0, sizeof *g);
    g->fd = g->listen_fd = -1;
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(below, sizeof below, "guest/%s", g->name);
    snprintf(g->path, sizeof g->path, "%.400s/%s", r->path, below);
    if ((err = make_dir(r->fd, below, 0700)))
        goto fail;
    if ((g->fd = openat(r->fd, below, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
        err = -errno;
        goto fail;
    }
    if ((g->listen_fd = err = listen_at(g->path, g->fd, "vsock")) < 0)
        goto fail;
    if ((err = guest_dir_permit(g, sockets)))
        goto fail;
    return 0;
fail:
    snprintf(why, RUNDIR_WHY, "cannot make the socket %.160s/vsock: %s%s", g->path, strerror(-err),
             err == -EADDRINUSE ? "; another program listens there" : "");
    guest_dir_close(g, r);
    return err;
}

int guest_dir_link(struct guest_dir *g, const struct rundir *r, uint64_t cid)
{
    char link[40], target[RUNDIR_NAME + 12];

    if (g->cid && g->cid != cid) {
        snprintf(link, sizeof link, "cid/%llu", (unsigned long long)g->cid);
        unlinkat(r->fd, link, 0);
        g->cid = 0;
    }
    if (!cid || g->cid == cid)
        return 0;
    snprintf(link, sizeof link, "cid/%llu", (unsigned long long)cid);
    snprintf(target, sizeof target, "../guest/%s", g->name);
    unlinkat(r->fd, link, 0);
    if (symlinkat(target, r->fd, link))
        return -errno;
    g->cid = cid;
    return 0;
}

void guest_dir_close(struct guest_dir *g, const struct rundir *r)
{
    char below[RUNDIR_NAME + 8];

    if (!*g->name)
        return;
    guest_dir_link(g, r, 0);
    if (g->listen_fd >= 0) {
        unlinkat(g->fd, "vsock", 0);
        close(g->listen_fd);
    }
    if (g->fd >= 0)
        close(g->fd);
    snprintf(below, sizeof below, "guest/%s", g->name);
    unlinkat(r->fd, below, AT_REMOVEDIR);       /* stays while host programs have sockets in it */
    memset(g, 0, sizeof *g);
    g->fd = g->listen_fd = -1;
}

int guest_dir_connect(const struct guest_dir *g, uint32_t port)
{
    struct sockaddr_un a;
    char name[24];
    int err;

    snprintf(name, sizeof name, "vsock_%u", port);
    if ((err = address_of(&a, g->path, g->fd, name)))
        return err;
    return connect_to(&a);
}
