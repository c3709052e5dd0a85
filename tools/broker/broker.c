/* SPDX-License-Identifier: MIT */
/* broker.c: the socket RUN/vsock, and who may use it (brokered.h).
 *
 * Others may be allowed to write in the directory.  It is ours and sticky, so nobody removes or renames what is ours; and the socket is made
 * under a name that nobody can guess, with no rights for anybody, and then renamed over whatever stands at its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "inside.h"
#include "say.h"

#define NAME      "vsock"
#define BACKLOG   1024
#define GREETING  256u
#define LISTENERS 1024u
#define KEPT      512u          /* descriptors for all that is not the broker's */
#define PAUSE     SECOND
#define OPEN_DIR  0755

/* ---- rights ---- */

/* Who may read and write the socket may put sockets beside it. */
static int permit(const struct broker *b)
{
    const struct broker_settings *s = &b->settings;
    struct access socket = { s->mode & 0777, (uid_t)-1, s->group }, dir = { OPEN_DIR, (uid_t)-1, s->group };
    struct stat st;
    int err;

    if ((s->mode & 060) == 060)
        dir.mode |= S_ISVTX | 020;
    if ((s->mode & 06) == 06)
        dir.mode |= S_ISVTX | 02;
    /* While nobody is let in, and nobody was, the directory is as whoever has made it would have it. */
    if (fstat(b->dirfd, &st) < 0)
        return -errno;
    if (((dir.mode | st.st_mode) & S_ISVTX) && (err = access_set(b->dirfd, &dir)))
        return err;
    return access_set(b->name_fd, &socket);
}

/* ---- the socket ---- */

static int open_dir(struct broker *b)
{
    struct stat st;

    if (mkdir(run_dir(), OPEN_DIR) < 0 && errno != EEXIST)
        return -errno;
    if ((b->dirfd = open(run_dir(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 || fstat(b->dirfd, &st) < 0)
        return -errno;
    return st.st_uid == geteuid() ? 0 : -EPERM;
}

/* The name, which is ours to keep since it is bound. */
static int open_name(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (!fstat(fd, &st) && S_ISSOCK(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1)
        return fd;
    close(fd);
    return -ESTALE;
}

/* A directory cannot be renamed over: it gets another name. */
static int make_way(int dirfd, uint64_t number)
{
    char aside[48];

    snprintf(aside, sizeof aside, "." NAME ".aside.%016llx", (unsigned long long)number);
    if (renameat2(dirfd, NAME, dirfd, aside, RENAME_NOREPLACE) < 0)
        return -errno;
    say("broker: what was in the way of %s/" NAME " is %s there now; remove it", run_dir(), aside);
    return 0;
}

static int publish(struct broker *b)
{
    struct sockaddr_un address;
    char working[48];
    uint64_t number = 0;
    mode_t mask;
    int err;

    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return -errno;
    snprintf(working, sizeof working, "." NAME ".%016llx", (unsigned long long)number);
    if ((err = unix_address(b->dirfd, working, &address)))
        return err;
    mask = umask(0177);
    err = bind(b->door.fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    umask(mask);
    if (err)
        return err;
    if (listen(b->door.fd, BACKLOG) < 0)
        err = -errno;
    else if ((b->name_fd = open_name(b->dirfd, working)) < 0)
        err = b->name_fd;
    else if (!(err = permit(b)) && renameat(b->dirfd, working, b->dirfd, NAME) < 0 &&
             (errno != EISDIR || (err = make_way(b->dirfd, number)) || renameat(b->dirfd, working, b->dirfd, NAME) < 0))
        err = err ? err : -errno;
    if (err)
        unlinkat(b->dirfd, working, 0);
    return err;
}

static void remove_name(const struct broker *b)
{
    struct stat ours, now;

    if (b->name_fd >= 0 && !fstat(b->name_fd, &ours) && !fstatat(b->dirfd, NAME, &now, AT_SYMLINK_NOFOLLOW) &&
        ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
        unlinkat(b->dirfd, NAME, 0);
}

static void shut(struct broker *b)
{
    remove_name(b);
    if (b->name_fd >= 0)
        close(b->name_fd);
    if (b->door.fd >= 0)
        close(b->door.fd);
    if (b->dirfd >= 0)
        close(b->dirfd);
    b->name_fd = b->door.fd = b->dirfd = -1;
}

/* ---- open, close ---- */

static void knocked(struct watch *w)
{
    greet_more(container_of(w, struct broker, door));
}

/* Each has a descriptor, and the stream's end at the listener one more; what else the agent does needs some. */
static unsigned most(const struct broker *b)
{
    struct rlimit files;
    rlim_t free = getrlimit(RLIMIT_NOFILE, &files) < 0 ? 1024 : files.rlim_cur;

    free = free > 2 * KEPT ? free - KEPT : free / 2;
    return free < b->settings.max_connections ? (unsigned)free : b->settings.max_connections;
}

static void open_now(struct broker *b);

static void try_again(struct timer *t)
{
    open_now(container_of(t, struct broker, again));
}

static void open_now(struct broker *b)
{
    char why[256];
    int err = open_dir(b);

    if (!err && (b->door.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        err = -errno;
    if (!err)
        err = publish(b);
    if (err) {
        snprintf(why, sizeof why, "%s", err == -EPERM ? "the directory is somebody else's, or a group that is not ours" : errno_words(err));
        if (strcmp(why, b->said) != 0)
            say("broker: cannot make %s/" NAME ": %s; other programs of this guest cannot use the device", run_dir(), why);
        snprintf(b->said, sizeof b->said, "%s", why);
        shut(b);
        timer_set(b->loop, &b->again, clock_ns() + PAUSE, try_again);
        return;
    }
    b->said[0] = '\0';
    b->open = true;
    b->holders.most = most(b);
    watch_add(b->loop, &b->door, b->door.fd, knocked);
    b->door.want = POLLIN;
    ears_begin(b);
}

static void close_now(struct broker *b)
{
    timer_drop(&b->again);
    if (!b->open)
        return;
    b->open = false;
    ears_end(b);
    greet_end(b);
    streams_end(b);
    watch_drop(b->loop, &b->door);
    shut(b);
}

void broker_apply(struct broker *b, const struct broker_settings *settings)
{
    int err;

    b->settings = *settings;
    /* Where the kernel has the device, whoever wants to use it does so by AF_VSOCK. */
    if (settings->off || b->side->ops != &side_guest || b->side->options.device) {
        close_now(b);
        return;
    }
    if (!b->open) {
        timer_drop(&b->again);
        open_now(b);
        return;
    }
    b->holders.most = most(b);
    if ((err = permit(b)))
        say("broker: cannot give %s/" NAME " its mode and group: %s", run_dir(), errno_words(err));
    ears_anew(b);
}

struct broker *broker_new(struct loop *l, struct side *side, bool (*keeps)(void *arg, uint32_t port), void *arg)
{
    struct broker *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->loop = l;
    b->side = side;
    b->keeps = keeps;
    b->keeps_arg = arg;
    b->dirfd = b->name_fd = b->door.fd = b->news.fd = -1;
    holders_init(&b->holders, BROKER_CONNECTIONS);
    holders_init(&b->greeting, GREETING);
    holders_init(&b->listeners, LISTENERS);
    if (edges_begin(&b->edges, l)) {
        free(b);
        return NULL;
    }
    book_begin(&b->book, l, &b->holders);
    list_init(&b->greeted);
    list_init(&b->streams);
    list_init(&b->ears);
    return b;
}

void broker_free(struct broker *b)
{
    if (!b)
        return;
    close_now(b);
    book_free(&b->book);
    edges_end(&b->edges);
    free(b);
}
