/* SPDX-License-Identifier: MIT */
/* greet.c: see greet.h. */
#include "greet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "connect_line.h"
#include "watchers.h"

#define ACCEPT_BATCH    64
#define ACCEPT_AGAIN_MS 1000u   /* after the process had no descriptor left */
#define SHARE_AGAIN_MS  100u    /* after the guest had its share of them */

struct client {
    struct list link;
    struct source source;
    struct device *device;
    uint16_t mark;              /* door.h */
    uint64_t deadline;          /* ms; the list is in the order of it */
};

void greet_look(struct device *d)
{
    bool may = d->client_count < GREET_CLIENTS && d->listen_again_at == UINT64_MAX;

    for (struct list *l = d->doors.next; l != &d->doors; l = l->next)
        source_change(&d->x->poller, &container_of(l, struct door, link)->listener, may ? EPOLLIN : 0);
}

/* Forgets the client and returns its descriptor, which stays counted to the guest.  Its mark is the caller's. */
static int let_go(struct client *c)
{
    struct device *d = c->device;
    int fd = c->source.fd;

    source_remove(&d->x->poller, &c->source);
    list_remove(&c->link);
    free(c);
    d->client_count--;
    greet_look(d);
    return fd;
}

static void close_client(struct client *c)
{
    struct device *d = c->device;
    uint16_t mark = c->mark;

    close(let_go(c));
    account_give_file(d->account);
    door_leave(d, mark);
}

static void refuse(struct client *c, const char *why)
{
    struct device *d = c->device;

    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(&d->journal, JOURNAL_DEBUG, "a host program was refused: %s", why);
    close_client(c);
}

static void connect_to_guest(struct device *d, int fd, uint32_t port, bool vouched, uint16_t mark)
{
    int err = bridge_request(d, fd, port, vouched, mark);

    if (!err)
        return;
    door_leave(d, mark);
    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(&d->journal, JOURNAL_DEBUG, "a host program was refused port %u: %s", port, strerror(-err));
    bridge_refuse(d, fd, vouched, err);
}

/* The line is whole: takes it out of the socket, but for the newline before a stream, see bridge.c. */
static void obey(struct client *c, enum connect_verb verb, uint32_t number, int line)
{
    struct device *d = c->device;
    char sink[CONNECT_LINE_MAX];
    uint16_t mark = c->mark;
    bool connects = verb == CONNECT_STREAM || verb == CONNECT_CALL;
    int len = connects ? line - 1 : line, fd;

    if (recv(c->source.fd, sink, (size_t)len, MSG_DONTWAIT) != len) {
        refuse(c, "its line went away");
        return;
    }
    fd = let_go(c);
    if (connects) {
        connect_to_guest(d, fd, number, verb == CONNECT_CALL, mark);
    } else {
        watchers_add(d, fd, number, verb == CONNECT_VOUCH);
        door_leave(d, mark);
    }
}

/* The line is looked at where it is, in the socket, and taken out only as a whole. */
static void on_client(struct source *source, uint32_t events)
{
    struct client *c = container_of(source, struct client, source);
    char bytes[CONNECT_LINE_MAX];
    enum connect_verb verb;
    uint32_t number;
    ssize_t n = recv(source->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    int line;

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(events & (EPOLLHUP | EPOLLERR)))
        return;
    if (n <= 0)
        refuse(c, "it closed without a word");
    else if ((line = connect_line_parse(bytes, (size_t)n, &verb, &number)) < 0)
        refuse(c, "its line is none of ours");
    else if (line > 0)
        obey(c, verb, number, line);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        refuse(c, "it closed within its line");
}

static int greet(struct door *door, int fd)
{
    struct client *c = calloc(1, sizeof *c);
    struct device *d = door->device;
    int err;

    if (!c)
        return -ENOMEM;
    c->device = d;
    c->deadline = clock_deadline_ms(GREET_MS);
    if ((err = source_add(&d->x->poller, &c->source, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_client))) {
        free(c);
        return err;
    }
    c->mark = door_enter(door);
    list_init(&c->link);
    list_append(&d->clients, &c->link);
    d->client_count++;
    xvsd_wake_at(d->x, c->deadline);
    return 0;
}

static void listen_again_in(struct device *d, uint64_t ms)
{
    d->listen_again_at = clock_deadline_ms(ms);
    xvsd_wake_at(d->x, d->listen_again_at);
}

/* False if that is all for now. */
static bool accept_one(struct door *door)
{
    struct device *d = door->device;
    int fd;

    if (!account_take_file(d->account)) {
        listen_again_in(d, SHARE_AGAIN_MS);
        return false;
    }
    fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && !greet(door, fd))
        return true;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        xvsd_out_of_files(d->x);
        listen_again_in(d, ACCEPT_AGAIN_MS);
    }
    account_give_file(d->account);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void on_listener(struct source *source, uint32_t events)
{
    struct door *door = container_of(source, struct door, listener);
    struct device *d = door->device;

    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && d->client_count < GREET_CLIENTS && accept_one(door); i++)
        ;
    greet_look(d);
}

int greet_open(struct door *door)
{
    int err = source_add(&door->device->x->poller, &door->listener, door->dir.vsock.listen_fd, EPOLLIN, on_listener);

    greet_look(door->device);
    return err;
}

void greet_shut(struct door *door)
{
    source_remove(&door->device->x->poller, &door->listener);
}

void greet_stop(struct device *d)
{
    while (!list_is_empty(&d->clients))
        close_client(container_of(d->clients.next, struct client, link));
}

uint64_t greet_deadline(const struct device *d)
{
    uint64_t at = d->listen_again_at;

    if (!list_is_empty(&d->clients)) {
        uint64_t first = container_of(d->clients.next, struct client, link)->deadline;

        at = first < at ? first : at;
    }
    return at;
}

void greet_due(struct device *d, uint64_t now)
{
    if (d->listen_again_at <= now) {
        d->listen_again_at = UINT64_MAX;
        greet_look(d);
    }
    while (!list_is_empty(&d->clients)) {
        struct client *c = container_of(d->clients.next, struct client, link);

        if (c->deadline > now)
            return;
        refuse(c, "it said nothing in time");
    }
}
