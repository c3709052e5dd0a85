/* SPDX-License-Identifier: MIT */
/* wall.c: see wall.h. */
#include "wall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define BATCH    64             /* messages heard in one round: a worker that floods costs the keeper no more */
#define AGAIN_MS 10u            /* after the kernel had no memory */
#define MOST     65536u         /* messages that wait; whoever does not listen to so many is not there any more */

#define HEAD offsetof(struct wall_msg, number)
#define SIZE(part) (HEAD + sizeof ((struct wall_msg *)0)->part)

enum by { KEEPER, WORKER };

static const struct {
    size_t size;
    enum by by;
} kinds[] = {
#define X(name, part, by) { SIZE(part), by },
    WALL_KINDS(X)
#undef X
};

/* ---- judging ---- */

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

#define TEXT(member) is_text(member, sizeof member)

static bool has_good_texts(const struct wall_msg *m)
{
    switch (m->kind) {
    case WALL_SETTINGS: return TEXT(m->settings.path);
    case WALL_GUEST:    return TEXT(m->guest.name) && TEXT(m->guest.uuid) && TEXT(m->guest.error);
    case WALL_DOOR:     return TEXT(m->door.name) && TEXT(m->door.path);
    case WALL_ANY:      return TEXT(m->any.path);
    case WALL_UPPED:
    case WALL_BROKE:    return TEXT(m->result.why);
    case WALL_DIAL:     return TEXT(m->dial.own);
    case WALL_DIALED:   return TEXT(m->dialed.why) && TEXT(m->dialed.dir);
    case WALL_ASK:      return TEXT(m->ask.domain);
    case WALL_ANSWER:   return TEXT(m->answer.why);
    default:            return true;
    }
}

const char *wall_judge(const struct wall_msg *m, size_t len, bool from_worker)
{
    if (len < HEAD || m->kind >= WALL_COUNT || kinds[m->kind].by != (from_worker ? WORKER : KEEPER))
        return "a message of no kind";
    if (len != kinds[m->kind].size)
        return "a message of the wrong size";
    if (!has_good_texts(m))
        return "a text without an end";
    if (m->kind == WALL_ASK && m->ask.verb >= WALL_VERBS)
        return "no verb";
    return NULL;
}

/* ---- sending ---- */

struct parcel {
    struct list link;
    int fd;
    size_t len;
    char bytes[];
};

static void drop(struct wall *w, struct parcel *p)
{
    list_remove(&p->link);
    w->waiting--;
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

void wall_close(struct wall *w)
{
    int fd = w->source.fd;

    if (fd < 0)
        return;
    source_remove(&w->loop->poller, &w->source);
    close(fd);
    alarm_stop(&w->again);
    while (!list_is_empty(&w->out))
        drop(w, container_of(w->out.next, struct parcel, link));
}

static void lose(struct wall *w, const char *why)
{
    wall_close(w);
    w->gone(w, why);
}

/* 0, or a negative errno. */
static int send_one(int socket, const void *bytes, size_t len, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { (void *)(uintptr_t)bytes, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof control);
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    while (sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* It is tried again, whatever it was: if the other end is gone, the reading side says so. */
static void wait_until(struct wall *w, int err)
{
    source_change(&w->loop->poller, &w->source, EPOLLIN | EPOLLOUT);
    if (err != -EAGAIN)
        alarm_at(w->loop, &w->again, clock_deadline_ms(AGAIN_MS));
}

/* Sends what waits, as far as it goes. */
static void flush(struct wall *w)
{
    while (!list_is_empty(&w->out)) {
        struct parcel *p = container_of(w->out.next, struct parcel, link);
        int err = send_one(w->source.fd, p->bytes, p->len, p->fd);

        if (err) {
            wait_until(w, err);
            return;
        }
        drop(w, p);
    }
    source_change(&w->loop->poller, &w->source, EPOLLIN);
}

static void on_again(struct alarm *alarm, uint64_t now)
{
    (void)now;
    flush(container_of(alarm, struct wall, again));
}

void wall_send(struct wall *w, const struct wall_msg *m, int fd)
{
    size_t len = kinds[m->kind].size;
    struct parcel *p;
    int err = 0;

    if (wall_is_open(w))
        err = list_is_empty(&w->out) ? send_one(w->source.fd, m, len, fd) : -EAGAIN;
    if (!err) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (w->waiting == MOST || !(p = malloc(sizeof *p + len))) {
        if (fd >= 0)
            close(fd);
        lose(w, "the other end does not listen, or there is no memory for what it is to hear");
        return;
    }
    p->fd = fd;
    p->len = len;
    memcpy(p->bytes, m, len);
    list_init(&p->link);
    list_append(&w->out, &p->link);
    w->waiting++;
    wait_until(w, err);
}

/* ---- hearing ---- */

/* The descriptor of a message, -1 for none; more than one cannot be: there is no room for them. */
static int descriptor_of(struct msghdr *msg)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* False if that is all for now. */
static bool hear_one(struct wall *w)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct wall_msg m;
    struct iovec iov = { &m, sizeof m };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t n = recvmsg(w->source.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const char *why;
    int fd;

    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
        return false;
    fd = n < 0 ? -1 : descriptor_of(&msg);      /* an empty message may have one, too */
    if (n <= 0) {
        if (fd >= 0)
            close(fd);
        lose(w, NULL);
        return false;
    }
    why = msg.msg_flags & MSG_TRUNC ? "a message that is too long" : wall_judge(&m, (size_t)n, w->hears_worker);
    if (why) {
        if (fd >= 0)
            close(fd);
        lose(w, why);
        return false;
    }
    w->hear(w, &m, fd);
    return wall_is_open(w);
}

static void on_source(struct source *source, uint32_t events)
{
    struct wall *w = container_of(source, struct wall, source);

    if (events & EPOLLOUT)
        flush(w);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        for (int i = 0; i < BATCH && hear_one(w); i++)
            ;
}

int wall_open(struct wall *w, struct loop *loop, int fd, bool hears_worker)
{
    int err;

    w->loop = loop;
    w->hears_worker = hears_worker;
    w->waiting = 0;
    list_init(&w->out);
    alarm_init(&w->again, on_again);
    if ((err = source_add(&loop->poller, &w->source, fd, EPOLLIN, on_source)))
        close(fd);
    return err;
}
