/* SPDX-License-Identifier: MIT */
/* called.c: see called.h.
 *
 * Whoever calls for a guest has a name, which says who (vouch.h).  A listener for all guests hears it in the first line as well (from.h), with
 * the name of the guest's directory, where the daemon is asked how the stream ended: so nobody is taken before he has said it. */
#include "called.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "door.h"
#include "files.h"
#include "find.h"
#include "from.h"
#include "say.h"
#include "vouch.h"

struct called {
    struct listening *listening;
    struct door door;
    struct watch watch, news;   /* of the socket; of what becomes of its name */
    struct from from;
    uint64_t cid;               /* of the guest, 0 if it is not known */
    bool for_all;
    bool in_guest;              /* it is the agent's directory: a caller's name has this guest's CID in place of a guest's name */
};

/* ---- the socket ---- */

static void knocked(struct watch *w)
{
    struct called *c = container_of(w, struct called, watch);

    c->listening->ready(c->listening);
}

static void one_has_come(void *arg)
{
    struct called *c = arg;

    c->listening->ready(c->listening);
}

static void some_name_has_gone(struct watch *w)
{
    struct called *c = container_of(w, struct called, news);

    w->want = POLLIN;
    if (!door_is_there(&c->door))
        listening_lost(c->listening);
}

/* What the guest's programs see as the caller's address; best effort. */
static uint64_t cid_of(const char *peer, unsigned device)
{
    char why[WHY];
    json_t *answer = NULL;
    uint64_t cid = 0;

    if (control_ask(json_pack("{s:s}", "verb", "ls"), &answer, why) == 0)
        cid = (uint64_t)json_integer_value(json_object_get(find_record(answer, peer, device), "cid"));
    json_decref(answer);
    return cid;
}

/* Why the socket cannot be put there, and the errno whose exit status says so. */
static int explain(struct listening *l, const char *of, int err)
{
    switch (-err) {
    case EADDRINUSE:
        snprintf(l->why, sizeof l->why, "port %u of %s is in use: another program listens at vsock_%u in its directory", l->port, of,
                 l->port);
        return err;
    case EEXIST:
        snprintf(l->why, sizeof l->why, "vsock_%u in the directory of %s is no socket; remove it", l->port, of);
        return err;
    case ETIMEDOUT:
        snprintf(l->why, sizeof l->why, "another program holds the lock of the directory of %s", of);
        return -EDEADLK;
    case ENOENT:                /* it was removed meanwhile */
        snprintf(l->why, sizeof l->why, "the directory of %s is gone", of);
        return err;
    default:
        snprintf(l->why, sizeof l->why, "cannot listen at vsock_%u in the directory of %s: %s", l->port, of, errno_words(err));
        return err == -EACCES ? err : -EIO;
    }
}

/* Who may use every guest's socket: to promise to vouch for streams, and not to be able to, is to have them all reset. */
static bool may_vouch_for_all(int dirfd)
{
    struct stat st;

    return !geteuid() || (!fstat(dirfd, &st) && st.st_uid == geteuid());
}

static int find(struct listening *l, bool for_all)
{
    if (!l->peer) {
        snprintf(l->why, sizeof l->why, "in dom0 a guest is needed, behind PORT");
        return -EINVAL;
    }
    if (for_all && l->side->options.has_device) {
        snprintf(l->why, sizeof l->why, CALLED_ANY " is every device of every guest: no --device belongs to it");
        return -EINVAL;
    }
    return for_all ? find_any(l->why) : find_guest(l->peer, l->side->options.device, l->why);
}

/* Takes dirfd. */
static int begin(struct listening *l, int dirfd, const char *of, bool for_all, bool in_guest)
{
    struct called *c = calloc(1, sizeof *c);
    bool sticky;
    int err;

    if (!c) {
        close(dirfd);
        return -ENOMEM;
    }
    c->listening = l;
    c->for_all = for_all;
    c->in_guest = in_guest;
    sticky = in_guest || (l->vouches && (!for_all || may_vouch_for_all(dirfd)));
    if ((err = door_open(&c->door, dirfd, l->port, sticky, l->messages))) {
        free(c);
        return explain(l, of, err);
    }
    if (!for_all && !in_guest)
        c->cid = cid_of(l->peer, l->side->options.device);
    from_init(&c->from, l->side->loop, one_has_come, c);
    watch_add(l->side->loop, &c->watch, c->door.fd, knocked);
    c->watch.want = POLLIN;
    if (c->door.news >= 0) {
        watch_add(l->side->loop, &c->news, c->door.news, some_name_has_gone);
        c->news.want = POLLIN;
    }
    l->own = c;
    return 0;
}

int called_listen(struct listening *l)
{
    bool for_all = l->peer && strcmp(l->peer, CALLED_ANY) == 0;
    int dirfd = find(l, for_all);

    return dirfd < 0 ? dirfd : begin(l, dirfd, for_all ? "all guests" : l->peer, for_all, false);
}

int called_begin(struct listening *l, int dirfd, const char *of)
{
    return begin(l, dirfd, of, false, true);
}

void called_unlisten(struct listening *l)
{
    struct called *c = l->own;

    watch_drop(l->side->loop, &c->watch);
    watch_drop(l->side->loop, &c->news);
    from_close(&c->from);
    door_close(&c->door);
    free(c);
}

/* ---- callers ---- */

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

/* Takes fd and dirfd, unless there is no memory: NULL. */
static struct end *vouched_end(struct loop *l, int fd, int dirfd, uint32_t number)
{
    struct end *end = dirfd < 0 ? NULL : vouched_socket(l, fd, dirfd, number);

    if (!end && dirfd >= 0)
        close(dirfd);
    return end;
}

static struct end *guests_end(struct called *c, int fd, struct caller *caller)
{
    struct loop *loop = c->listening->side->loop;
    struct vouch_name name = { 0 };

    caller->cid = c->cid;
    if (vouch_name(fd, &name)) {
        caller->cid = name.cid;
        caller->port = name.port;
        caller->has_port = true;
        if (c->in_guest)
            (void)!parse_number(name.guest, UINT32_MAX, &caller->local_cid);
        else
            snprintf(caller->name, sizeof caller->name, "%s", name.guest);
    }
    if ((c->listening->vouches || c->in_guest) && (name.number || is_daemon(fd, c->door.dirfd)))
        return vouched_end(loop, fd, fcntl(c->door.dirfd, F_DUPFD_CLOEXEC, 0), name.number);
    return fdend_socket(loop, fd);
}

/* If its number is known, and we may ask there. */
static struct end *anybodys_end(struct called *c, int fd, const struct from_line *from, struct caller *caller)
{
    struct loop *loop = c->listening->side->loop;
    struct vouch_name name = { 0 };
    int dirfd = c->listening->vouches && vouch_name(fd, &name) ? find_directory(from->name) : -EACCES;
    struct end *end = dirfd < 0 ? fdend_socket(loop, fd) : vouched_end(loop, fd, dirfd, name.number);

    caller->cid = from->cid;
    caller->port = from->port;
    caller->has_port = true;
    snprintf(caller->name, sizeof caller->name, "%s", from->name);
    return end;
}

/* From the socket: a descriptor or a negative errno. */
static int take(struct called *c)
{
    int fd;

    do
        fd = accept4(c->door.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd >= 0)
        return fd;
    if (errno == EAGAIN)
        c->watch.want = POLLIN;
    return -errno;
}

/* The next of those who have said who they are; the others are heard meanwhile. */
static int take_anybody(struct called *c, struct from_line *from)
{
    int fd = from_take(&c->from, from), new;

    while (fd == -EAGAIN && !from_is_full(&c->from)) {
        if ((new = take(c)) < 0)
            return new;
        if (from_add(&c->from, new)) {
            close(new);
            return -ENOMEM;
        }
    }
    return fd;
}

/* A caller's own descriptor, and what asking how his stream ends needs: a directory's, a name's in it (control.c) and a connection.
 * He can wait before he is accepted; behind it nobody would tell him from one whose stream broke. */
#define DESCRIPTORS 4u

int called_accept(struct listening *l, struct end **end, struct caller *caller)
{
    struct called *c = l->own;
    struct from_line from;
    int err = l->vouches || c->in_guest ? files_left(DESCRIPTORS) : 0, fd;

    if (err)
        return err;
    if ((fd = c->for_all ? take_anybody(c, &from) : take(c)) < 0)
        return fd;
    caller->local_cid = c->in_guest ? 0 : 2;
    *end = c->for_all ? anybodys_end(c, fd, &from, caller) : guests_end(c, fd, caller);
    if (*end)
        return 0;
    close(fd);
    return -ENOMEM;
}
