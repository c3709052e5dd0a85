/* SPDX-License-Identifier: MIT */
/* host.c: connections in dom0, over the UNIX sockets of the daemon (Firecracker's convention).
 *
 *     calling       connect to RUN/guest/NAME/vsock, say "CONNECT <port>\n", read "OK <number>\n" and not a byte more; no answer is a
 *                   refusal
 *     being called  listen at RUN/guest/NAME/vsock_<port>
 *
 * Either way the stream has a number, by which the daemon is asked how it ended (vouch.h): then the word is CALL, which is refused with a
 * word, too, and the listening socket has the sticky bit.
 *
 * A listening socket gets its name when it already listens (bound under another name, then renamed), so one that
 * refuses is a left-over for certain; a lock on the directory keeps two of us from removing each other's.  Others may
 * be allowed to listen in the directory, and may be hostile: what stands at a name is looked at before it is used,
 * and the lock is not waited for longer than LOCK_PATIENCE. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "side.h"
#include "vouch.h"

#define LINE_MAX_OK 32          /* "OK <u32>\n" is shorter */
#define BACKLOG     128
#define LOCK_PATIENCE (5 * SECOND)

/* ---- finding a guest ---- */

/* ":5", the name of domain 5 where it has no other. */
static bool is_domid_name(const char *name)
{
    uint64_t domid;

    return *name == ':' && parse_number(name + 1, 0x7fff, &domid);
}

/* What the daemon takes for the name of a directory. */
static bool is_plain_name(const char *name)
{
    if (!*name || *name == '.')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.+-", *name))
            return false;
    return true;
}

/* The name of its directory below guest/. */
static const char *dir_name(char *out, size_t size, const char *peer, unsigned device)
{
    if (device)
        snprintf(out, size, "%s:%u", peer, device);
    else
        snprintf(out, size, "%s", peer);
    return out;
}

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* The daemon's record of a guest, borrowed from the answer; NULL if it has none.  Of several domains of one name it is the one
 * whose directory has the name, or else the newest, which comes last. */
static json_t *record_of(const json_t *answer, const char *peer, unsigned device)
{
    json_t *guest, *found = NULL;
    char wanted[512];
    uint64_t domid = 0, cid = 0;
    bool by_domid = parse_number(peer + (*peer == ':'), 0x7fff, &domid);
    bool by_cid = strncmp(peer, "cid:", 4) == 0 && parse_number(peer + 4, UINT32_MAX, &cid);
    size_t i;

    json_array_foreach(json_object_get(answer, "guests"), i, guest) {
        const char *name = json_string_value(json_object_get(guest, "name"));
        const char *dir = json_string_value(json_object_get(guest, "dir"));

        if (by_cid) {
            if ((uint64_t)json_integer_value(json_object_get(guest, "cid")) == cid)
                return guest;
        } else if (json_integer_value(json_object_get(guest, "device")) == (json_int_t)device &&
                   (by_domid ? (uint64_t)json_integer_value(json_object_get(guest, "domid")) == domid
                             : name && strcmp(name, peer) == 0)) {
            found = guest;
            if (by_domid || (dir && strrchr(dir, '/') &&
                             !strcmp(strrchr(dir, '/') + 1, dir_name(wanted, sizeof wanted, peer, device))))
                return guest;
        }
    }
    return found;
}

/* The guest's directory, open: a descriptor, or a negative errno with why.  Names and CIDs are found without the
 * daemon, so that who may use a guest's sockets needs no right to the control socket. */
static int find_guest(const char *peer, unsigned device, char *why)
{
    char path[4096], name[512], asked[WHY];
    const char *dir;
    uint64_t number;
    json_t *answer, *record;
    int fd = -ENOENT, err;

    if (strncmp(peer, "cid:", 4) == 0) {
        if (!parse_number(peer + 4, UINT32_MAX, &number)) {
            snprintf(why, WHY, "'%s' is no CID: write cid:NUMBER", peer);
            return -EINVAL;
        }
        snprintf(path, sizeof path, "%s/cid/%s", run_dir(), peer + 4);
        fd = open_dir(path);
    } else if (is_domid_name(peer) || (!parse_number(peer, UINT64_MAX, &number) && is_plain_name(peer))) {
        snprintf(path, sizeof path, "%s/guest/%s", run_dir(), dir_name(name, sizeof name, peer, device));
        fd = open_dir(path);
    }
    if (fd == -EACCES)
        snprintf(why, WHY, "no permission for %.300s; become root, or have xvsd.conf give its sockets to your group",
                 path);
    else if (fd < 0 && fd != -ENOENT)
        snprintf(why, WHY, "cannot open %.300s: %s", path, errno_words(fd));
    if (fd != -ENOENT)
        return fd;

    if ((err = control_ask(json_pack("{s:s}", "verb", "ls"), &answer, asked))) {
        snprintf(why, WHY, "%.500s", asked);
        return err;
    }
    record = record_of(answer, peer, device);
    dir = json_string_value(json_object_get(record, "dir"));
    if (!record) {
        snprintf(why, WHY, "no guest %s with device %u is attached; see 'xvs ls', or attach it with 'xvs attach %s'", peer,
                 device, peer);
        fd = -ENXIO;
    } else if (!dir || (fd = open_dir(dir)) < 0) {
        snprintf(why, WHY, "guest %s has no directory: %s", peer, dir ? errno_words(fd) : "the daemon names none");
        fd = dir ? fd : -ENOENT;
    }
    json_decref(answer);
    return fd;
}

/* ---- calling ---- */

struct attempt {
    struct dial *dial;
    struct watch watch;
    int fd, dirfd;              /* to the daemon; the guest's directory */
    bool calls;                 /* CALL was said */
    char line[LINE_MAX_OK + 1]; /* of the answer, so far */
    size_t len;
};

static void attempt_free(struct attempt *a, bool with_fd)
{
    watch_drop(a->dial->side->loop, &a->watch);
    if (with_fd)
        close(a->fd);
    close(a->dirfd);
    a->dial->attempt = NULL;
    free(a);
}

/* The daemon closes without a word; its record of the guest may tell why. */
static int explain(struct dial *d)
{
    char asked[WHY];
    json_t *answer = NULL, *record;
    const char *state, *error;
    int err = -ECONNREFUSED;

    snprintf(d->why, sizeof d->why, "nobody listens at port %u in %s, or does not answer", d->port, d->peer);
    if (control_ask(json_pack("{s:s}", "verb", "ls"), &answer, asked) == 0 &&
        (record = record_of(answer, d->peer, d->side->options.device)) &&
        (state = json_string_value(json_object_get(record, "state"))) && strcasecmp(state, "connected") != 0) {
        error = json_string_value(json_object_get(record, "error"));
        snprintf(d->why, sizeof d->why, "%s is not connected (%s)%s%s; is a program with libxvs running there?", d->peer,
                 state, error && *error ? ": " : "", error ? error : "");
        err = -ENETDOWN;
    }
    json_decref(answer);
    return err;
}

static int knock(struct dial *d, int dirfd, bool calls);

static void fail_attempt(struct attempt *a, int err)
{
    struct dial *d = a->dial;

    attempt_free(a, true);
    if (!d->why[0])
        snprintf(d->why, sizeof d->why, "the daemon's socket: %s", errno_words(err));
    dial_end(d, err, NULL);
}

/* Without a word: CONNECT is refused so, and CALL by a daemon that is older than the word. */
static void closed(struct attempt *a)
{
    struct dial *d = a->dial;
    int dirfd = a->calls ? fcntl(a->dirfd, F_DUPFD_CLOEXEC, 0) : -1, err;

    if (dirfd < 0) {
        fail_attempt(a, explain(d));
        return;
    }
    attempt_free(a, true);
    if ((err = knock(d, dirfd, false)))
        dial_end(d, err, NULL);
}

static int refused(struct dial *d, const char *by)
{
    int err;

    if (strcmp(by, "time") == 0) {
        snprintf(d->why, sizeof d->why, "%s has not answered in time at port %u", d->peer, d->port);
        return -ETIMEDOUT;
    }
    if (strcmp(by, "daemon") == 0) {
        snprintf(d->why, sizeof d->why, "xvsd has no room for one more connection to %s: its log says what it is short of", d->peer);
        return -ECONNREFUSED;
    }
    if ((err = explain(d)) == -ECONNREFUSED && strcmp(by, "guest") == 0) {
        snprintf(d->why, sizeof d->why, "%s was not connected at that moment", d->peer);
        err = -ENETDOWN;
    }
    return err;
}

static bool is_ok_line(const char *line, uint64_t *number)
{
    return strncmp(line, "OK ", 3) == 0 && parse_number(line + 3, UINT32_MAX, number);
}

/* The line is looked at first and then taken up to its newline: what follows belongs to the conversation. */
static void answered(struct watch *w)
{
    struct attempt *a = container_of(w, struct attempt, watch);
    struct dial *d = a->dial;
    char *at = a->line + a->len, *newline;
    struct loop *loop = d->side->loop;
    uint64_t number;
    struct end *end;
    ssize_t n = recv(a->fd, at, LINE_MAX_OK - a->len, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        w->want = POLLIN;
        return;
    }
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
        closed(a);
        return;
    }
    if (n < 0) {
        fail_attempt(a, -errno);
        return;
    }
    newline = memchr(at, '\n', (size_t)n);
    n = recv(a->fd, at, newline ? (size_t)(newline - at) + 1 : (size_t)n, MSG_DONTWAIT);
    a->len += n > 0 ? (size_t)n : 0;
    if (!newline && a->len < LINE_MAX_OK) {
        w->want = POLLIN;
        return;
    }
    if (newline)
        *newline = '\0';
    if (newline && a->calls && strncmp(a->line, "REFUSED ", 8) == 0) {
        fail_attempt(a, refused(d, a->line + 8));
        return;
    }
    if (!newline || !is_ok_line(a->line, &number)) {
        snprintf(d->why, sizeof d->why, "the daemon's socket answered '%.32s' in place of 'OK <number>'", a->line);
        fail_attempt(a, -EPROTO);
        return;
    }
    end = d->vouches ? vouched_socket(loop, a->fd, a->dirfd, (uint32_t)number) : fdend_socket(loop, a->fd);
    if (!end) {
        fail_attempt(a, -ENOMEM);
        return;
    }
    attempt_free(a, false);
    dial_end(d, 0, end);
}

/* Takes dirfd.  0 or a negative errno, with why if that does not say it all. */
static int knock(struct dial *d, int dirfd, bool calls)
{
    int fd = unix_connect(dirfd, "vsock", SOCK_NONBLOCK), n;
    struct attempt *a;
    char line[32];

    if (fd < 0)
        close(dirfd);
    if (fd == -ENOENT || fd == -ECONNREFUSED) {
        snprintf(d->why, sizeof d->why, "%s is not attached, or xvsd is not running; see 'xvs ls'", d->peer);
        return -ENOENT;
    }
    if (fd == -ENOTSOCK) {
        snprintf(d->why, sizeof d->why, "xvsd is not running, and what is at vsock in the directory of %s is not its socket; "
                 "remove it, and start xvsd", d->peer);
        return -ENOENT;
    }
    if (fd == -EAGAIN)
        return -ETIMEDOUT;      /* its backlog is full: may_change() */
    if (fd < 0) {
        snprintf(d->why, sizeof d->why, "cannot connect to the daemon's socket of %s: %s", d->peer, errno_words(fd));
        return fd;
    }
    n = snprintf(line, sizeof line, "%s %u\n", calls ? "CALL" : "CONNECT", d->port);
    if (!(a = calloc(1, sizeof *a)) || send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
        int err = a ? -ECONNREFUSED : -ENOMEM;

        free(a);
        close(fd);
        close(dirfd);
        snprintf(d->why, sizeof d->why, "the daemon's socket of %s: %s", d->peer, strerror(-err));
        return err;
    }
    *a = (struct attempt){ .dial = d, .fd = fd, .dirfd = dirfd, .calls = calls };
    d->attempt = a;
    watch_add(d->side->loop, &a->watch, fd, answered);
    a->watch.want = POLLIN;
    return 0;
}

static int host_dial(struct dial *d)
{
    int dirfd;

    if (!d->peer) {
        snprintf(d->why, sizeof d->why, "in dom0 a guest is needed");
        return -EINVAL;
    }
    dirfd = find_guest(d->peer, d->side->options.device, d->why);
    return dirfd < 0 ? dirfd : knock(d, dirfd, d->vouches);
}

static int host_dial_abort(struct dial *d, int err)
{
    if (d->attempt)
        attempt_free(d->attempt, true);
    snprintf(d->why, sizeof d->why, "%s has not answered in time at port %u", d->peer, d->port);
    return err;
}

/* ---- being called ---- */

struct door {
    struct listening *listening;
    struct watch watch;
    int fd, dirfd;
    char name[24];              /* vsock_<port> */
    ino_t inode;                /* of our socket: we remove no other */
    uint64_t cid;
};

/* 1 if some program has the socket open, 0 if it is a left-over, or a negative errno.  A connection of the wrong type
 * tells without anybody noticing: a listener who waits for one caller would take a knock for that caller. */
static int is_alive(int dirfd, const char *name)
{
    struct sockaddr_un address;
    int fd, err = unix_address(dirfd, name, &address);

    if (err)
        return err;
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        err = -errno;
    close(fd);
    return err == -ECONNREFUSED ? 0 : err && err != -EPROTOTYPE ? err : 1;
}

/* Whether 'name' is free; a left-over is removed.  The caller holds the directory's lock. */
static int make_room(int dirfd, const char *name)
{
    struct stat st;
    int alive;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if ((alive = is_alive(dirfd, name)))
        return alive < 0 ? alive : -EADDRINUSE;
    return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

/* One name at every moment: the daemon does not connect to a socket with two. */
static int rename_new(int dirfd, const char *from, const char *to)
{
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    /* A file system that cannot do that.  We hold the lock, so it is free if all keep to that. */
    return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

static int publish(struct door *door)
{
    struct sockaddr_un address;
    struct stat st;
    char working[64];
    int err;

    snprintf(working, sizeof working, ".%s.%ld", door->name, (long)getpid());
    if ((err = unix_address(door->dirfd, working, &address)))
        return err;
    unlinkat(door->dirfd, working, 0);
    if (bind(door->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    if (listen(door->fd, BACKLOG) < 0 || fstatat(door->dirfd, working, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (door->listening->vouches && fchmodat(door->dirfd, working, (st.st_mode & 07777) | S_ISVTX, 0) < 0))
        err = -errno;
    else if (!(err = make_room(door->dirfd, door->name)))
        err = rename_new(door->dirfd, working, door->name);
    if (!err)
        door->inode = st.st_ino;
    else
        unlinkat(door->dirfd, working, 0);
    return err;
}

/* Whoever may read the directory may lock it, for ever. */
static int lock_dir(int dirfd)
{
    int64_t end = clock_ns() + LOCK_PATIENCE;

    while (flock(dirfd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_ns() >= end)
            return -ETIMEDOUT;
        poll(NULL, 0, 10);
    }
    return 0;
}

static void door_free(struct door *door)
{
    struct stat st;

    watch_drop(door->listening->side->loop, &door->watch);
    if (door->inode && fstatat(door->dirfd, door->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == door->inode)
        unlinkat(door->dirfd, door->name, 0);
    if (door->fd >= 0)
        close(door->fd);
    close(door->dirfd);
    free(door);
}

static void knocked(struct watch *w)
{
    struct door *door = container_of(w, struct door, watch);

    door->listening->ready(door->listening);
}

/* What the guest's programs see as the caller's address; best effort. */
static uint64_t cid_of(const char *peer, unsigned device)
{
    char why[WHY];
    json_t *answer = NULL;
    uint64_t cid = 0;

    if (control_ask(json_pack("{s:s}", "verb", "ls"), &answer, why) == 0)
        cid = (uint64_t)json_integer_value(json_object_get(record_of(answer, peer, device), "cid"));
    json_decref(answer);
    return cid;
}

/* Why the socket cannot be put there, and the errno whose exit status says so. */
static int explain_listen(struct listening *l, int err)
{
    switch (-err) {
    case EADDRINUSE:
        snprintf(l->why, sizeof l->why, "port %u of %s is in use: another program listens at vsock_%u in its directory", l->port,
                 l->peer, l->port);
        return err;
    case EEXIST:
        snprintf(l->why, sizeof l->why, "vsock_%u in the directory of %s is no socket; remove it", l->port, l->peer);
        return err;
    case ETIMEDOUT:
        snprintf(l->why, sizeof l->why, "another program holds the lock of the directory of %s", l->peer);
        return -EDEADLK;
    default:
        snprintf(l->why, sizeof l->why, "cannot listen at vsock_%u in the directory of %s: %s", l->port, l->peer, errno_words(err));
        return err == -EACCES ? err : -EIO;
    }
}

static int host_listen(struct listening *l)
{
    struct door *door;
    int err, dirfd;

    if (!l->peer) {
        snprintf(l->why, sizeof l->why, "in dom0 a guest is needed, behind PORT");
        return -EINVAL;
    }
    if ((dirfd = find_guest(l->peer, l->side->options.device, l->why)) < 0)
        return dirfd;
    if (!(door = calloc(1, sizeof *door))) {
        close(dirfd);
        return -ENOMEM;
    }
    *door = (struct door){ .listening = l, .fd = -1, .dirfd = dirfd };
    snprintf(door->name, sizeof door->name, "vsock_%u", l->port);
    if ((door->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        err = -errno;
    else if (!(err = lock_dir(door->dirfd)))
        err = publish(door);
    flock(door->dirfd, LOCK_UN);
    if (err) {
        door_free(door);
        return explain_listen(l, err);
    }
    door->cid = cid_of(l->peer, l->side->options.device);
    watch_add(l->side->loop, &door->watch, door->fd, knocked);
    door->watch.want = POLLIN;
    l->own = door;
    return 0;
}

static pid_t peer_pid(int fd)
{
    struct ucred cred = { 0 };
    socklen_t len = sizeof cred;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

/* A caller without a name: the daemon, if it is older than we are, or another program of this host, between which and us nobody
 * stands who could lose something. */
static bool is_daemon(int fd, int dirfd)
{
    int own = unix_connect(dirfd, "vsock", SOCK_NONBLOCK);
    bool is = own < 0 || peer_pid(own) == peer_pid(fd);

    if (own >= 0)
        close(own);
    return is;
}

static struct end *caller_end(struct door *door, int fd, struct caller *caller)
{
    struct listening *l = door->listening;
    struct vouch_name name = { 0 };

    caller->cid = door->cid;
    caller->local_cid = 2;
    if (vouch_name(fd, &name)) {
        caller->cid = name.cid;
        caller->port = name.port;
        caller->has_port = true;
    }
    if (l->vouches && (name.number || is_daemon(fd, door->dirfd)))
        return vouched_socket(l->side->loop, fd, door->dirfd, name.number);
    return fdend_socket(l->side->loop, fd);
}

static int host_accept(struct listening *l, struct end **end, struct caller *caller)
{
    struct door *door = l->own;
    int fd;

    do
        fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        if (errno != EAGAIN)
            return -errno;
        door->watch.want = POLLIN;
        return -EAGAIN;
    }
    if (!(*end = caller_end(door, fd, caller))) {
        close(fd);
        return -ENOMEM;
    }
    return 0;
}

static void host_unlisten(struct listening *l)
{
    door_free(l->own);
}

static int host_open(struct side *s, char *why)
{
    (void)s;
    (void)why;
    return 0;
}

static void host_close(struct side *s)
{
    (void)s;
}

const struct side_ops side_host = {
    .open = host_open,
    .close = host_close,
    .dial = host_dial,
    .dial_abort = host_dial_abort,
    .listen = host_listen,
    .accept = host_accept,
    .unlisten = host_unlisten,
};
