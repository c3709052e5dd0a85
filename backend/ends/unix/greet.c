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
    bool waits;                 /* it has said its line: in hostside.waiting */
    uint64_t deadline;          /* ms; the list is in the order of it */
    enum connect_verb verb;     /* its line, */
    uint32_t number;
    int line;                   /* …and how long it is */
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

/* Forgets the client and returns its descriptor, which stays counted to the guest as it was.  Its mark is the caller's. */
static int let_go(struct client *c)
{
    struct hostside *host = c->host;
    int fd = c->source.fd;

    source_remove(&loop_of(host)->poller, &c->source);
    list_remove(&c->link);
    host->client_count -= !c->waits;
    free(c);
    look(host);
    return fd;
}

static void close_client(struct client *c)
{
    struct hostside *host = c->host;
    uint16_t mark = c->mark;

    close(let_go(c));
    account_turn_out(host->lane->account);
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

static void refuse_port(struct hostside *host, int fd, uint32_t port, bool vouched, int err)
{
    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(host->lane->journal, JOURNAL_DEBUG, "a host program was refused port %u: %s", port, strerror(-err));
    bridge_refuse(host, fd, port, vouched, err);
}

static void connect_to_guest(struct hostside *host, const struct bridge_caller *caller)
{
    bool calls = caller->says == BRIDGE_CALL;
    int err = admit_client(host->lane, caller->fd, caller->port);

    if (!err)
        err = bridge_request(host, caller);
    if (!err)
        return;
    door_leave(host, caller->mark);
    if (calls)
        account_give_kept(host->lane->account);
    refuse_port(host, caller->fd, caller->port, calls, err);
}

/* Of what stands before a stream the newline stays in the socket, and of messages all of it, see bridge.h. */
static void connect_client(struct client *c)
{
    struct hostside *host = c->host;
    struct bridge_caller caller = { .port = c->number, .says = c->verb == CONNECT_CALL ? BRIDGE_CALL : BRIDGE_CONNECT,
                                    .messages = c->messages, .line = c->messages ? (uint8_t)c->line : 1, .mark = c->mark };

    caller.fd = let_go(c);
    connect_to_guest(host, &caller);
}

static bool connects(const struct client *c)
{
    return c->verb == CONNECT_STREAM || c->verb == CONNECT_CALL;
}

/* The client has a place. */
static void obey(struct client *c)
{
    struct hostside *host = c->host;
    enum connect_verb verb = c->verb;
    uint32_t number = c->number;
    uint16_t mark = c->mark;
    int fd;

    if (connects(c)) {
        connect_client(c);
        return;
    }
    fd = let_go(c);
    if (verb == CONNECT_WHY)
        bridge_tell_why(host, fd, number);
    else
        watchers_add(host, fd, number, verb == CONNECT_VOUCH);
    door_leave(host, mark);
}

/* ---- a place in the guest's share ---- */

/* Finds one: false if the client is to wait, as it is behind others that do. */
static bool find_place(const struct client *c)
{
    struct hostside *host = c->host;
    struct account *account = host->lane->account;

    if (c->verb == CONNECT_VOUCH && watchers_take_place(host, c->number)) {
        account_let_in_kept(account);
        return true;
    }
    return (c->waits || list_is_empty(&host->waiting)) && account_let_in(account, c->verb == CONNECT_CALL);
}

/* There is none for the client, and it does not wait any longer. */
static void turn_out(struct client *c)
{
    struct hostside *host = c->host;
    bool calls = c->verb == CONNECT_CALL;
    uint32_t port = c->number;

    if (!connects(c)) {
        refuse(c, "there is no place for it");
        return;
    }
    door_leave(host, c->mark);
    account_turn_out(host->lane->account);
    refuse_port(host, let_go(c), port, calls, -EMFILE);
}

static void let_in_again(struct hostside *host)
{
    host->let_in_again_at = clock_deadline_ms(SHARE_AGAIN_MS);
    alarm_at(loop_of(host), &host->alarm, host->let_in_again_at);
}

static void be_patient(struct client *c)
{
    struct hostside *host = c->host;

    c->waits = true;
    host->client_count--;
    list_remove(&c->link);
    list_append(&host->waiting, &c->link);
    if (host->let_in_again_at == UINT64_MAX)
        let_in_again(host);
    look(host);
}

/* Those that wait, as far as there are places now. */
static void let_in_waiting(struct hostside *host)
{
    host->let_in_again_at = UINT64_MAX;
    while (!list_is_empty(&host->waiting)) {
        struct client *c = client_at(host->waiting.next);

        if (!find_place(c)) {
            let_in_again(host);
            return;
        }
        obey(c);
    }
}

/* Who is refused that another one can be greeted, see greet.h; NULL for nobody. */
static struct client *one_too_many(const struct hostside *host)
{
    return host->lane->account->kept && !list_is_empty(&host->waiting) ? client_at(host->waiting.prev) : NULL;
}

/* ---- its line ---- */

/* The line is whole: takes it out of the socket. */
static void take_line(struct client *c)
{
    char sink[CONNECT_LINE_MAX];
    int len = connects(c) ? c->line - 1 : c->line;

    if (!(connects(c) && c->messages) && recv(c->source.fd, sink, (size_t)len, MSG_DONTWAIT) != len)
        refuse(c, "its line went away");
    else if (find_place(c))
        obey(c);
    else if (c->verb == CONNECT_CALL && c->host->lane->account->most < 2)
        turn_out(c);            /* there never is one for who vouches */
    else
        be_patient(c);
}

/* Where there are messages, the first one is the line, whole and nothing else; how a stream ends is asked where there are none. */
static int parse(struct client *c, const char *bytes, size_t len)
{
    int line = len > CONNECT_LINE_MAX && c->messages ? -EINVAL : connect_line_parse(bytes, len, &c->verb, &c->number);

    if (!c->messages || line < 0)
        return line;
    return (size_t)line == len && connects(c) ? line : -EINVAL;
}

/* The line is looked at where it is, in the socket, and taken out only as a whole. */
static void hear(struct client *c, uint32_t events)
{
    char bytes[CONNECT_LINE_MAX];
    ssize_t n = recv(c->source.fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT | (c->messages ? MSG_TRUNC : 0));

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(events & (EPOLLHUP | EPOLLERR)))
        return;
    if (n <= 0)
        refuse(c, "it closed without a word");
    else if ((c->line = parse(c, bytes, (size_t)n)) < 0)
        refuse(c, "its line is none of ours");
    else if (c->line > 0)
        take_line(c);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        refuse(c, "it closed within its line");
}

static void on_client(struct source *source, uint32_t events)
{
    struct client *c = container_of(source, struct client, source);

    if (!c->waits)
        hear(c, events);
    else if (events & (EPOLLHUP | EPOLLERR))
        refuse(c, "it went while it waited");
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

/* Counts one more that comes in by this door; 'instead' of another, if need be.  Who comes by a channel has nothing to say, and no
 * stream waits for him: he is let in at once. */
static bool count_in(const struct door *door, bool instead)
{
    struct account *account = door->host->lane->account;

    return door->is_channel ? account_take_file(account) : account_greet(account, instead);
}

static void count_out(const struct door *door)
{
    struct account *account = door->host->lane->account;

    if (!door->is_channel)
        account_turn_out(account);
    account_give_file(account);
}

/* False if that is all for now. */
static bool accept_one(struct door *door)
{
    struct hostside *host = door->host;
    struct client *goes = NULL;
    int fd;

    if (!count_in(door, false) && (door->is_channel || !(goes = one_too_many(host)))) {
        listen_again_in(host, SHARE_AGAIN_MS);
        return false;
    }
    fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (goes && fd >= 0) {
        count_in(door, true);
        turn_out(goes);
    }
    if (fd >= 0 && !greet(door, fd))
        return true;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        loop_out_of_files(loop_of(host));
        listen_again_in(host, ACCEPT_AGAIN_MS);
    }
    if (fd >= 0 || !goes)
        count_out(door);
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
    uint64_t at = host->listen_again_at < host->let_in_again_at ? host->listen_again_at : host->let_in_again_at;

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
    if (host->let_in_again_at <= now)
        let_in_waiting(host);
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
    list_init(&host->waiting);
    list_init(&host->unread);
    host->listens = true;
    host->door_mark = 1;
    host->listen_again_at = host->let_in_again_at = UINT64_MAX;
    alarm_init(&host->alarm, on_alarm);
    return fates_init(&host->fates);
}

void greet_end(struct hostside *host)
{
    if (!host->all)
        return;
    while (!list_is_empty(&host->clients))
        close_client(client_at(host->clients.next));
    while (!list_is_empty(&host->waiting))
        close_client(client_at(host->waiting.next));
    doors_close(host);
    unread_orphan(host);
    fates_free(&host->fates);
    alarm_stop(&host->alarm);
}
