/* SPDX-License-Identifier: MIT */
/* rundir.c: see rundir.h. */
#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"

#define SEARCH 0111             /* what others get of RUN, guest and cid */
#define LOCK   "xvsd.pid"
#define STREAMS  "vsock"
#define MESSAGES "vsock.seqpacket"
#define NAMES  1000             /* looked at in a guest's directory at a time: others may have filled it */

bool rundir_lets_in(const struct settings_sockets *sockets)
{
    return sockets->mode & 066 || (sockets->user != (uid_t)-1 && sockets->user != geteuid());
}

/* ---- is it fit? ---- */

/* What belongs here: our own names, and the locks of the library (frontend/owner/), where dom0 has a device itself. */
static bool is_known(const char *name)
{
    static const char *const ours[] = { ".", "..", LOCK, "control.sock", "status.sock", "guest", "any", "cid" };

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcmp(name, ours[i]))
            return true;
    return !strncmp(name, "device-", 7);
}

/* 0, or -ENOTEMPTY with a name that is somebody else's. */
static int look_for_strangers(int dir_fd, char *name, size_t size)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        err = -errno;
        if (fd >= 0)
            close(fd);
        return err;
    }
    while (!err && (entry = readdir(dir)))
        if (!is_known(entry->d_name)) {
            snprintf(name, size, "%.40s", entry->d_name);
            err = -ENOTEMPTY;
        }
    closedir(dir);
    return err;
}

static int judge(const struct rundir *r, const struct stat *st, char *why)
{
    char name[64];
    struct stat lock;

    if (st->st_uid != geteuid()) {
        snprintf(why, RUNDIR_WHY, "%.120s belongs to user %u, not to us; give another --run-dir", r->path, st->st_uid);
        return -EPERM;
    }
    if (st->st_mode & 022) {
        snprintf(why, RUNDIR_WHY, "others may write in %.120s (mode %04o); give a --run-dir that does not exist yet, or is "
                 "ours alone", r->path, st->st_mode & 07777);
        return -EPERM;
    }
    if (!fstatat(r->fd, LOCK, &lock, AT_SYMLINK_NOFOLLOW) && S_ISREG(lock.st_mode) && lock.st_uid == geteuid())
        return 0;               /* it served us before */
    if (look_for_strangers(r->fd, name, sizeof name) != -ENOTEMPTY)
        return 0;
    snprintf(why, RUNDIR_WHY, "%.100s is not empty: it has \"%.40s\", which is not ours; give a --run-dir that is empty or "
             "does not exist yet", r->path, name);
    return -ENOTEMPTY;
}

/* ---- the lock ---- */

static struct flock whole(short type)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

/* A lock of the open file (OFD), as that can be asked for without being taken.  The file has two lines: our pid, and
 * the mode that the directory has while nobody else is let in, for the daemon after us: it may find the directory
 * open. */
static int take_lock(struct rundir *r, mode_t found, char *why)
{
    struct flock lock = whole(F_WRLCK);
    char text[40] = "";
    unsigned mode;
    struct stat st;
    ssize_t n;
    int err;

    /* Whoever can open it can lock it, and so keep us out. */
    if (!fstatat(r->fd, LOCK, &st, AT_SYMLINK_NOFOLLOW) && st.st_mode & 077)
        unlinkat(r->fd, LOCK, 0);
    r->lock_fd = openat(r->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->lock_fd < 0) {
        snprintf(why, RUNDIR_WHY, "cannot open %.200s/" LOCK ": %m", r->path);
        return -errno;
    }
    n = pread(r->lock_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    err = fcntl(r->lock_fd, F_OFD_SETLK, &lock) ? -errno : 0;
    if (err && err != -EAGAIN && err != -EACCES) {
        snprintf(why, RUNDIR_WHY, "cannot lock %.200s/" LOCK ": %s", r->path, strerror(-err));
        return err;
    }
    if (err) {
        text[strcspn(text, "\n")] = '\0';
        snprintf(why, RUNDIR_WHY, "another xvsd (pid %s) serves %.160s; stop it, or give --run-dir", *text ? text : "?",
                 r->path);
        return -EBUSY;
    }
    if (sscanf(text, "%*d\nmode %o", &mode) == 1 && (mode | SEARCH) == found)
        r->mode = mode;
    n = snprintf(text, sizeof text, "%d\nmode %04o\n", (int)getpid(), r->mode);
    return pwrite(r->lock_fd, text, (size_t)n, 0) < 0 || ftruncate(r->lock_fd, n) ? -errno : 0;
}

int rundir_is_in_use(const char *path, const struct rundir *r, long *pid)
{
    struct flock lock = whole(F_WRLCK);
    char file[RUNDIR_PATH + 16], text[16] = "";
    struct stat theirs, ours;
    int fd, in_use;

    snprintf(file, sizeof file, "%s/" LOCK, path);
    if ((fd = open(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return -errno;
    if (r && (fstat(fd, &theirs) || fstat(r->lock_fd, &ours)))
        in_use = -errno;        /* ours, or another's? */
    else if (r && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
        in_use = 0;
    else
        in_use = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
    *pid = pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
    close(fd);
    return in_use;
}

/* ---- the daemon's directory ---- */

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

/* A directory of ours within RUN, where only we may write. */
static int permit_below(const struct rundir *r, const char *name, mode_t mode)
{
    struct stat st;
    int fd, err = 0;

    if (mkdirat(r->fd, name, 0700) && errno != EEXIST)
        return -errno;
    if ((fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return -errno;
    if (fstat(fd, &st) || ((st.st_mode & 07777) != mode && fchmod(fd, mode)))
        err = -errno;
    else if (st.st_uid != geteuid())
        err = -EPERM;
    close(fd);
    return err;
}

int rundir_permit(const struct rundir *r, bool shared)
{
    mode_t mode = shared ? r->mode | SEARCH : r->mode, below = shared ? 0700 | SEARCH : 0700;
    struct stat st;
    int err;

    if ((err = permit_below(r, "guest", below)) || (err = permit_below(r, "cid", below)))
        return err;
    if (fstat(r->fd, &st))
        return -errno;
    return (st.st_mode & 07777) != mode && fchmod(r->fd, mode) ? -errno : 0;
}

int rundir_open(struct rundir *r, const char *path, bool shared, char *why)
{
    struct stat st;
    bool made;
    int err;

    memset(r, 0, sizeof *r);
    r->fd = r->lock_fd = -1;
    if ((size_t)snprintf(r->path, sizeof r->path, "%s", path) > RUNDIR_PATH - 200) {
        snprintf(why, RUNDIR_WHY, "the run directory's path is too long");
        return -ENAMETOOLONG;
    }
    *why = '\0';
    if ((err = make_parents(path)))
        goto fail;
    made = !mkdir(path, 0700);
    if ((!made && errno != EEXIST) || (r->fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0 || fstat(r->fd, &st)) {
        err = -errno;
        goto fail;
    }
    r->mode = st.st_mode & 07777;
    if ((!made && (err = judge(r, &st, why))) || (err = take_lock(r, r->mode, why)))
        goto fail;
    if (!(err = rundir_permit(r, shared)))
        return 0;
    snprintf(why, RUNDIR_WHY, "cannot make guest and cid in %.120s: %s; remove what has these names, or give --run-dir", path,
             strerror(-err));
fail:
    if (!*why)
        snprintf(why, RUNDIR_WHY, "cannot make %.160s: %s; run as root, or give --run-dir", path, strerror(-err));
    rundir_close(r);
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
    struct sockfile s;
    bool closed;
    int err = sockfile_open(&s, r->path, r->fd, name, &closed);

    if (err) {
        snprintf(why, RUNDIR_WHY, "cannot listen at %.160s/%.40s: %s", r->path, name, strerror(-err));
        return err;
    }
    close(s.name_fd);
    return s.listen_fd;
}

/* ---- a guest's directory ---- */

/* Whoever may use the socket may enter its directory; the user and the group that may use it may also put sockets
 * there, and then nobody may remove what is another's. */
struct access rundir_access(const struct settings_sockets *sockets)
{
    struct access dir = { 0700, (uid_t)-1, sockets->group };

    if ((sockets->mode & 0600) == 0600)
        dir.user = sockets->user;
    if ((sockets->mode & 060) == 060)
        dir.mode |= 070;
    if ((sockets->mode & 06) == 06)
        dir.mode |= 05;
    if (dir.mode & 020 || dir.user != (uid_t)-1)
        dir.mode |= S_ISVTX;
    return dir;
}

int guest_dir_permit(const struct guest_dir *g, const struct settings_sockets *sockets)
{
    struct access socket = { sockets->mode, sockets->user, sockets->group }, dir = rundir_access(sockets);
    int err = access_set(g->vsock.name_fd, &socket), err2 = access_set(g->messages.name_fd, &socket), err3 = access_set(g->fd, &dir);

    return err ? err : err2 ? err2 : err3;
}

static void forget(struct guest_dir *g)
{
    *g = (struct guest_dir){ .fd = -1, .vsock = { -1, -1 }, .messages = { -1, -1 } };
}

int guest_dir_open(struct guest_dir *g, const struct rundir *r, const char *name,
                   const struct settings_sockets *sockets, char *why)
{
    char below[RUNDIR_NAME + 8];
    const char *wanted = STREAMS;
    bool closed = false;
    int err;

    forget(g);
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(below, sizeof below, "guest/%s", g->name);
    snprintf(g->path, sizeof g->path, "%.400s/%s", r->path, below);
    if ((mkdirat(r->fd, below, 0700) && errno != EEXIST) ||
        (g->fd = openat(r->fd, below, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
        err = -errno;
        goto fail;
    }
    if ((err = sockfile_open_as(&g->vsock, SOCK_STREAM, g->path, g->fd, STREAMS, &closed)))
        goto fail;
    wanted = MESSAGES;
    if ((err = sockfile_open_as(&g->messages, SOCK_SEQPACKET, g->path, g->fd, MESSAGES, &closed)))
        goto fail;
    if ((err = guest_dir_permit(g, sockets)) == -EOPNOTSUPP) {
        journal(JOURNAL_WARNING, "socket_user is let into none of %.200s: its file system has no ACLs; use socket_group, or a "
                "run_dir on a tmpfs", g->path);
        err = 0;
    }
    if (err)
        goto fail;
    return 0;
fail:
    snprintf(why, RUNDIR_WHY, "cannot make the socket %.160s/%s: %s%s", g->path, wanted, strerror(-err),
             err == -EADDRINUSE ? "; another program listens there" : "");
    guest_dir_close(g, r);
    return err;
}

/* ---- the link of a CID ---- */

#define LINK     40
#define TARGET   (RUNDIR_NAME + 12)
#define NEW_LINK "cid/.new"

static void name_link(const struct guest_dir *g, uint64_t cid, char link[LINK], char target[TARGET])
{
    snprintf(link, LINK, "cid/%llu", (unsigned long long)cid);
    snprintf(target, TARGET, "../guest/%s", g->name);
}

/* In the place of one that is there: whoever looks finds either. */
static int make_link(const struct guest_dir *g, const struct rundir *r, uint64_t cid)
{
    char link[LINK], target[TARGET];
    int err = 0;

    name_link(g, cid, link, target);
    unlinkat(r->fd, NEW_LINK, 0);       /* a daemon before us was killed */
    if (symlinkat(target, r->fd, NEW_LINK))
        return -errno;
    if (renameat(r->fd, NEW_LINK, r->fd, link)) {
        err = -errno;
        unlinkat(r->fd, NEW_LINK, 0);
    }
    return err;
}

/* Unless another directory has got it since. */
static void drop_link(const struct guest_dir *g, const struct rundir *r)
{
    char link[LINK], target[TARGET], now[TARGET];
    ssize_t n;

    name_link(g, g->cid, link, target);
    n = readlinkat(r->fd, link, now, sizeof now);
    if (n < 0 || ((size_t)n == strlen(target) && !memcmp(now, target, (size_t)n)))
        unlinkat(r->fd, link, 0);
}

int guest_dir_link(struct guest_dir *g, const struct rundir *r, uint64_t cid)
{
    int err;

    if (g->cid == cid)
        return 0;
    err = cid ? make_link(g, r, cid) : 0;
    if (g->cid)
        drop_link(g, r);
    g->cid = err ? 0 : cid;
    return err;
}

/* ---- and its end ---- */

void guest_dir_close(struct guest_dir *g, const struct rundir *r)
{
    char below[RUNDIR_NAME + 8];

    if (!*g->name)
        return;
    guest_dir_link(g, r, 0);
    sockfile_close(&g->vsock, g->fd, STREAMS);
    sockfile_close(&g->messages, g->fd, MESSAGES);
    if (g->fd >= 0)
        close(g->fd);
    snprintf(below, sizeof below, "guest/%s", g->name);
    unlinkat(r->fd, below, AT_REMOVEDIR);       /* stays while host programs have sockets in it */
    forget(g);
}

/* From where the last look ended: at a socket that is alive, so that it is the first to be asked again, or at the limit. */
bool guest_dir_is_used(struct guest_dir *g)
{
    int fd = openat(g->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool alive = false;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return true;            /* no descriptors: look again later */
    }
    seekdir(dir, g->looked_at);
    for (n = 0; n < NAMES && !alive; n++) {
        const struct dirent *entry = readdir(dir);

        if (!entry && !g->looked_from_middle)
            break;
        if (!entry) {
            rewinddir(dir);
            g->looked_from_middle = false;
        }
        alive = entry && !strncmp(entry->d_name, "vsock_", 6) && sockfile_is_in_use(g->fd, entry->d_name);
        if (!alive)
            g->looked_at = telldir(dir);
    }
    closedir(dir);
    if (alive)
        g->looked_from_middle = true;
    else if (n < NAMES)
        g->looked_at = 0;
    return alive || n == NAMES;
}
