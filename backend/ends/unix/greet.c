/* SPDX-License-Identifier: MIT */
/* greet.c: see greet.h. */
#include "greet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admit.h"
#include "bridge.h"
#include "clock.h"
#include "connect_line.h"
#include "door.h"
#include "unread.h"
#include "watchers.h"

#define ACCEPT_BATCH    64
#define ACCEPT_AGAIN_MS 1000u   /* after the process had no descriptor left */
#define SHARE_AGAIN_MS  100u    /* after the guest had its share of them */

struct client {
    struct list link;
    struct source source;
    struct hostside *host;
    uint16_t mark;              /* door.h */
    bool messages;              /* its line is one */
    uint64_t deadline;          /* ms; the list is in the order of it */
};

static struct loop *loop_of(const struct hostside *host)
{
    return host->all->loop;
}

static struct client *client_at(struct list *l)
{
    return container_of(l, struct client, link);
}

/* Listens if another client may come. */
static void look(struct hostside *host)
{
    bool listens = host->client_count < GREET_CLIENTS && host->listen_again_at == UINT64_MAX;

    if (listens == host->listens)
        return;
    host->listens = listens;
    doors_listen(host);
}

/* Forgets the client and returns its descriptor, which stays counted to the guest.  Its mark is the caller's. */
static int let_go(struct client *c)
{
    struct hostside *host = c->host;
    int fd = c->source.fd;

    source_remove(&loop_of(host)->poller, &c->source);
    list_remove(&c->link);
    free(c);
    host->client_count--;
    look(host);
    return fd;
}

static void close_client(struct client *c)
{
    struct hostside *host = c->host;
    uint16_t mark = c->mark;

    close(let_go(c));
    account_give_file(host->lane->account);
    door_leave(host, mark);
}

static void refuse(struct client *c, const char *why)
{
    struct hostside *host = c->host;

    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(host->lane->journal, JOURNAL_DEBUG, "a host program was refused: %s", why);
    close_client(c);
}

static void connect_to_guest(struct hostside *host, const struct bridge_caller *caller)
{
    uint32_t port = caller->port;
    int err = admit_client(host->lane, caller->fd, port);

    if (!err)
        err = bridge_request(host, caller);
    if (!err)
        return;
    door_leave(host, caller->mark);
    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(host->lane->journal, JOURNAL_DEBUG, "a host program was refused port %u: %s", port, strerror(-err));
    bridge_refuse(host, caller->fd, port, caller->says == BRIDGE_CALL, err);
}

/* Of what stands before a stream the newline stays in the socket, and of messages all of it, see bridge.h. */
static void connect_client(struct client *c, enum bridge_says says, uint32_t port, int line)
{
    struct hostside *host = c->host;
    struct bridge_caller caller = { .port = port, .says = says, .messages = c->messages, .line = c->messages ? (uint8_t)line : 1, .mark = c->mark };

    caller.fd = let_go(c);
    connect_to_guest(host, &caller);
}

/* The line is whole: takes it out of the socket. */
static void obey(struct client *c, enum connect_verb verb, uint32_t number, int line)
{
    struct hostside *host = c->host;
    char sink[CONNECT_LINE_MAX];
    uint16_t mark = c->mark;
    bool connects = verb == CONNECT_STREAM || verb == CONNECT_CALL;
    int len = connects ? line - 1 : line, fd;

    if (!(connects && c->messages) && recv(c->source.fd, sink, (size_t)len, MSG_DONTWAIT) != len) {
        refuse(c, "its line went away");
        return;
    }
    if (connects) {
        connect_client(c, verb == CONNECT_CALL ? BRIDGE_CALL : BRIDGE_CONNECT, number, line);
        return;
    }
    fd = let_go(c);
    if (verb == CONNECT_WHY)
        bridge_tell_why(host, fd, number);
    else
        watchers_add(host, fd, number, verb == CONNECT_VOUCH);
    door_leave(host, mark);
}

/* Where there are messages, the first one is the line, whole and nothing else; how a stream ends is asked where there are none. */
static int parse(const struct client *c, const char *bytes, size_t len, enum connect_verb *verb, uint32_t *number)
{
    int line = len > CONNECT_LINE_MAX && c->messages ? -EINVAL : connect_line_parse(bytes, len, verb, number);

    if (!c->messages || line < 0)
        return line;
    return (size_t)line == len && (*verb == CONNECT_STREAM || *verb == CONNECT_CALL) ? line : -EINVAL;
}

/* The line is looked at where it is, in the socket, and taken out only as a whole. */
static void on_client(struct source *source, uint32_t events)
{
    struct client *c = container_of(source, struct client, source);
    char bytes[CONNECT_LINE_MAX];
    enum connect_verb verb;
    uint32_t number;
    ssize_t n = recv(source->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT | (c->messages ? MSG_TRUNC : 0));
    int line;

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(events & (EPOLLHUP | EPOLLERR)))
        return;
    if (n <= 0)
        refuse(c, "it closed without a word");
    else if ((line = parse(c, bytes, (size_t)n, &verb, &number)) < 0)
        refuse(c, "its line is none of ours");
    else if (line > 0)
        obey(c, verb, number, line);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        refuse(c, "it closed within its line");
}

static int greet(struct door *door, int fd)
{
    struct hostside *host = door->host;
    struct client *c;
    int err;

    if (door->is_channel) {
        const struct bridge_caller caller = { .fd = fd, .port = door->port, .says = BRIDGE_CHANNEL, .messages = door->messages,
                                              .mark = door_enter(door) };

        connect_to_guest(host, &caller);
        return 0;
    }
    if (!(c = calloc(1, sizeof *c)))
        return -ENOMEM;
    c->host = host;
    c->messages = door->messages;
    c->deadline = clock_deadline_ms(GREET_MS);
    if ((err = source_add(&loop_of(host)->poller, &c->source, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_client))) {
        free(c);
        return err;
    }
    c->mark = door_enter(door);
    list_init(&c->link);
    list_append(&host->clients, &c->link);
    host->client_count++;
    alarm_at(loop_of(host), &host->alarm, c->deadline);
    return 0;
}

static void listen_again_in(struct hostside *host, uint64_t ms)
{
    host->listen_again_at = clock_deadline_ms(ms);
    alarm_at(loop_of(host), &host->alarm, host->listen_again_at);
}

/* False if that is all for now. */
static bool accept_one(struct door *door)
{
    struct hostside *host = door->host;
    int fd;

    if (!account_take_file(host->lane->account)) {
        listen_again_in(host, SHARE_AGAIN_MS);
        return false;
    }
    fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && !greet(door, fd))
        return true;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        loop_out_of_files(loop_of(host));
        listen_again_in(host, ACCEPT_AGAIN_MS);
    }
    account_give_file(host->lane->account);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void on_listener(struct source *source, uint32_t events)
{
    struct door *door = container_of(source, struct door, listener);
    struct hostside *host = door->host;

    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && host->client_count < GREET_CLIENTS && accept_one(door); i++)
        ;
    look(host);
}

/* When on_alarm() has something to do. */
static uint64_t deadline(const struct hostside *host)
{
    uint64_t at = host->listen_again_at;

    if (!list_is_empty(&host->clients) && client_at(host->clients.next)->deadline < at)
        at = client_at(host->clients.next)->deadline;
    return at;
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct hostside *host = container_of(alarm, struct hostside, alarm);

    if (host->listen_again_at <= now) {
        host->listen_again_at = UINT64_MAX;
        look(host);
    }
    while (!list_is_empty(&host->clients) && client_at(host->clients.next)->deadline <= now)
        refuse(client_at(host->clients.next), "it said nothing in time");
    alarm_at(loop_of(host), alarm, deadline(host));
}

int greet_begin(struct hostside *host, struct hostsides *all, struct lane *lane)
{
    *host = (struct hostside){ .all = all, .lane = lane, .on_listener = on_listener };
    lane->host = host;
    list_init(&host->doors);
    list_init(&host->clients);
    list_init(&host->unread);
    host->listens = true;
    host->door_mark = 1;
    host->listen_again_at = UINT64_MAX;
    alarm_init(&host->alarm, on_alarm);
    return fates_init(&host->fates);
}

void greet_end(struct hostside *host)
{
    if (!host->all)
        return;
    while (!list_is_empty(&host->clients))
        close_client(client_at(host->clients.next));
    doors_close(host);
    unread_orphan(host);
    fates_free(&host->fates);
    alarm_stop(&host->alarm);
}
