/* SPDX-License-Identifier: MIT */
/* ears.c: programs that listen at RUN/vsock_PORT, and calls for them (inside.h).
 *
 * As long as somebody has the socket of such a name, the broker listens at the port for him; that nobody has it any more it finds out when the
 * name goes, or when the next call finds nobody.  What stands at a name is opened and never followed, and connected to with the rights of
 * its owner (common/sockets/dial.h).  A port below 1024 is root's alone, as it is with AF_VSOCK.  Who has the name of a port that is kept has an
 * ear that hears nothing, so that he is told of once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dial.h"
#include "files.h"
#include "inside.h"
#include "inuse.h"
#include "refusal.h"
#include "say.h"

#define PREFIX     "vsock_"
#define PRIVILEGED 1024u
#define LOOK_FIRST (SECOND / 100)
#define LOOK_LAST  (60 * SECOND)
#define OWN_TRIES  8            /* nobody can guess a number, but a name may still be taken; without one it goes on as well */

struct ear {
    struct list link;
    struct broker *broker;
    struct holder *holder;
    struct listening listening; /* not open: the port is kept */
    char name[24];
};

static bool look_at(struct broker *b, const char *name);
static void look_due(struct timer *t);

static void look_after(struct broker *b, int64_t pause)
{
    b->pause = pause < LOOK_LAST ? pause : LOOK_LAST;
    timer_set(b->loop, &b->look, clock_ns() + b->pause, look_due);
}

/* ---- one call ---- */

static int connect_to(struct ear *e, const struct caller *caller, uint32_t *number, unsigned *wishes)
{
    char own[DIAL_OWN], why[DIAL_WHY];
    int fd = -EADDRINUSE;

    for (int i = 0; i <= OWN_TRIES && fd == -EADDRINUSE; i++) {
        *number = book_number(&e->broker->book);
        snprintf(own, sizeof own, "xvs/%llu/%llu:%u/%u", (unsigned long long)caller->local_cid, (unsigned long long)caller->cid, caller->port,
                 *number);
        fd = dial_at(e->broker->dirfd, e->name, SOCK_STREAM, i < OWN_TRIES ? own : "", wishes, why);
    }
    if (*why)
        say("broker: a call is refused: %s", why);
    return fd;
}

/* Takes the end. */
static void put_through(struct ear *e, struct end *far, const struct caller *caller)
{
    struct broker *b = e->broker;
    struct holder *holder = NULL;
    unsigned wishes = 0;
    uint32_t number;
    int fd = connect_to(e, caller, &number, &wishes);

    if (fd >= 0 && !(holder = holder_take(&b->holders, stream_user(fd)))) {
        close(fd);
        fd = -EDQUOT;
    }
    if (fd >= 0) {
        stream_take(b, fd, holder, far, number, wishes & DIAL_VOUCHED);
        return;
    }
    end_blame(far, refusal_of_errno(fd));
    far->ops->close(far, true);
}

static void ready(struct listening *l)
{
    struct ear *e = l->arg;
    struct broker *b = e->broker;
    struct caller caller;
    struct end *far;
    char name[sizeof e->name];

    while (!listening_accept(l, &far, &caller))
        put_through(e, far, &caller);
    /* Whoever has left his name behind is found out by the call that he did not take. */
    strcpy(name, e->name);
    if (look_at(b, name))
        look_after(b, LOOK_FIRST);
}

/* ---- who listens ---- */

static void ear_close(struct ear *e)
{
    struct broker *b = e->broker;

    listening_close(&e->listening);
    holder_give(&b->listeners, e->holder);
    list_remove(&e->link);
    free(e);
}

static bool is_kept(const struct broker *b, uint32_t port)
{
    return b->keeps(b->keeps_arg, port);
}

static void ear_open(struct broker *b, const char *name, uint32_t port, struct holder *holder)
{
    struct ear *e = calloc(1, sizeof *e);

    if (!e) {
        holder_give(&b->listeners, holder);
        return;
    }
    e->broker = b;
    e->holder = holder;
    snprintf(e->name, sizeof e->name, "%s", name);
    e->listening = (struct listening){ .side = b->side, .port = port, .quiet = true, .ready = ready, .arg = e,
                                       .buffer = stream_is_one_of_many(holder) ? BROKER_BUFFER : 0 };
    list_append(&b->ears, &e->link);
    if (is_kept(b, port))
        say("broker: port %u is the agent's own (port 1, or a forward of agent.conf): who listens at %s/%s is not called", port, run_dir(), name);
    else if (listening_open(&e->listening))
        ear_close(e);
}

static struct ear *ear_at(struct broker *b, uint32_t port)
{
    for (struct list *l = b->ears.next; l != &b->ears; l = l->next)
        if (container_of(l, struct ear, link)->listening.port == port)
            return container_of(l, struct ear, link);
    return NULL;
}

/* Whose the socket of that name is that some program has; (uid_t)-1: there is none.  may_come: it is a socket that nobody has.  False:
 * that cannot be found out now. */
static bool find_user(int dirfd, const char *name, uid_t *user, bool *may_come)
{
    int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    uid_t uid = (uid_t)-1;
    struct stat st;

    *user = uid;
    if (fd < 0)
        return !is_short(-errno);
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (st.st_nlink == 1 && socket_is_in_use(fd))
            uid = st.st_uid;
        else
            *may_come = true;
    }
    close(fd);
    *user = uid;
    return true;
}

static bool parse_name(const char *name, uint32_t *port)
{
    char again[24];
    uint64_t number;

    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || !parse_number(name + strlen(PREFIX), UINT32_MAX - 1, &number))
        return false;
    *port = (uint32_t)number;
    snprintf(again, sizeof again, PREFIX "%u", *port);
    return strcmp(again, name) == 0;
}

/* True: what stands there may become somebody's, and no news will tell of it.  bind() makes the name first, and the socket its
 * program's after that. */
static bool look_at(struct broker *b, const char *name)
{
    struct holder *holder;
    bool may_come = false;
    struct ear *e;
    uint32_t port;
    uid_t uid;

    if (!parse_name(name, &port))
        return false;
    if (!find_user(b->dirfd, name, &uid, &may_come))
        return true;
    if (port < PRIVILEGED && uid != 0 && uid != geteuid())
        uid = (uid_t)-1;
    e = ear_at(b, port);
    if (e && e->holder->uid != uid) {
        ear_close(e);
        e = NULL;
    }
    if (!e && uid != (uid_t)-1 && (holder = holder_take(&b->listeners, uid)))
        ear_open(b, name, port, holder);
    return may_come;
}

/* ---- the directory ---- */

static bool look_at_all(struct broker *b)
{
    bool may_come = false;
    int fd = openat(b->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    for (struct list *l = b->ears.next, *next; l != &b->ears; l = next) {
        char name[24];

        next = l->next;
        strcpy(name, container_of(l, struct ear, link)->name);
        look_at(b, name);
    }
    while (dir && (entry = readdir(dir)))
        may_come |= look_at(b, entry->d_name);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return may_come || !dir;
}

/* A name that a dead program has left behind looks the same: seldomer and seldomer. */
static void look_due(struct timer *t)
{
    struct broker *b = container_of(t, struct broker, look);

    if (look_at_all(b))
        look_after(b, 2 * b->pause);
}

/* A part of the news; the rest in the next turn. */
static void some_name_changed(struct watch *w)
{
    struct broker *b = container_of(w, struct broker, news);
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(w->fd, events, sizeof events);

    w->want = POLLIN;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);

        if (event->mask & IN_Q_OVERFLOW)
            look_after(b, SECOND);
        else if (event->len && look_at(b, event->name))
            look_after(b, LOOK_FIRST);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

void ears_begin(struct broker *b)
{
    char path[40];
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    snprintf(path, sizeof path, "/proc/self/fd/%d", b->dirfd);
    if (fd < 0 || inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0) {
        say("broker: cannot watch %s: %s; programs that listen there are found when the agent starts alone", run_dir(), errno_words(-errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    b->news.fd = fd;
    if (fd >= 0) {
        watch_add(b->loop, &b->news, fd, some_name_changed);
        b->news.want = POLLIN;
    }
    look_after(b, LOOK_FIRST);
}

/* The look is later because the ports that are kept no more may still be somebody's. */
void ears_anew(struct broker *b)
{
    for (struct list *l = b->ears.next, *next; l != &b->ears; l = next) {
        struct ear *e = container_of(l, struct ear, link);

        next = l->next;
        if (!e->listening.own || is_kept(b, e->listening.port))
            ear_close(e);
    }
    look_after(b, LOOK_FIRST);
}

void ears_end(struct broker *b)
{
    timer_drop(&b->look);
    if (b->news.fd >= 0) {
        watch_drop(b->loop, &b->news);
        close(b->news.fd);
    }
    b->news.fd = -1;
    while (!list_is_empty(&b->ears))
        ear_close(container_of(b->ears.next, struct ear, link));
}
