/* SPDX-License-Identifier: MIT */
/* greet.c: programs that have come in and have not said where to (inside.h).
 *
 * They are bounded in number, each user has a share, and who says nothing in time is closed.  What is no line is closed without a word. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect_line.h"
#include "inside.h"
#include "line.h"
#include "say.h"
#include "sworn.h"

#define PATIENCE (5 * SECOND)
#define BATCH    64             /* that come in within one turn */
#define HOST     2u

struct client {
    struct list link;
    struct broker *broker;
    struct watch watch;
    struct timer limit;
    struct holder *greeting;
    uid_t uid;
    struct line line;
};

/* Its descriptor is the caller's then. */
static int let_go(struct client *c)
{
    struct broker *b = c->broker;
    int fd = c->watch.fd;

    watch_drop(b->loop, &c->watch);
    timer_drop(&c->limit);
    list_remove(&c->link);
    holder_give(&b->greeting, c->greeting);
    free(c);
    if (!timer_is_set(&b->again))
        b->door.want = POLLIN;
    return fd;
}

static void turn_away(struct client *c)
{
    close(let_go(c));
}

static void too_late(struct timer *t)
{
    turn_away(container_of(t, struct client, limit));
}

static void obey(struct client *c, enum connect_verb verb, uint32_t cid, uint32_t number)
{
    struct broker *b = c->broker;
    bool connects = verb == CONNECT_STREAM || verb == CONNECT_CALL;
    struct holder *holder = verb == CONNECT_WHY ? NULL : holder_take(&b->holders, c->uid);

    if (!connects)
        sworn_take_newline(c->watch.fd);
    if (verb == CONNECT_WHY)
        stream_tell_why(b, c->watch.fd, cid, number);
    else if (connects && !holder)
        stream_refuse(b, c->watch.fd, cid, number, verb == CONNECT_CALL, "daemon", REASON(LIMIT));
    if (!holder)
        turn_away(c);
    else if (connects)
        stream_call(b, let_go(c), holder, cid, number, verb == CONNECT_CALL);
    else
        book_ask(&b->book, let_go(c), holder, number, verb == CONNECT_VOUCH);
}

static void heard(struct watch *w)
{
    struct client *c = container_of(w, struct client, watch);
    int got = line_read_short(&c->line, w->fd, CONNECT_LINE_MAX);
    enum connect_verb verb;
    uint32_t cid = HOST, number;

    if (got == 0) {
        w->want = POLLIN;
        return;
    }
    if (got > 0) {
        c->line.text[c->line.len] = '\n';      /* as it came: there is room for it */
        if (connect_line_parse_cid(c->line.text, c->line.len + 1, &verb, &cid, &number) == (int)c->line.len + 1) {
            obey(c, verb, cid, number);
            return;
        }
        sworn_take_newline(w->fd);
    }
    turn_away(c);
}

static void welcome(struct broker *b, int fd)
{
    uid_t uid = stream_user(fd);
    struct client *c = uid == (uid_t)-1 ? NULL : calloc(1, sizeof *c);

    if (!c || !(c->greeting = holder_take(&b->greeting, uid))) {
        free(c);
        close(fd);
        return;
    }
    c->broker = b;
    c->uid = uid;
    list_append(&b->greeted, &c->link);
    watch_add(b->loop, &c->watch, fd, heard);
    timer_set(b->loop, &c->limit, clock_ns() + PATIENCE, too_late);
    heard(&c->watch);
}

static void pause_over(struct timer *t)
{
    greet_more(container_of(t, struct broker, again));
}

void greet_more(struct broker *b)
{
    for (int i = 0; i < BATCH; i++) {
        int fd;

        if (b->greeting.count >= b->greeting.most) {
            b->door.want = 0;   /* until one has gone */
            return;
        }
        if ((fd = accept4(b->door.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
            welcome(b, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            b->door.want = 0;
            timer_set(b->loop, &b->again, clock_ns() + SECOND / 4, pause_over);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
    b->door.want = POLLIN;
}

void greet_end(struct broker *b)
{
    while (!list_is_empty(&b->greeted))
        turn_away(container_of(b->greeted.next, struct client, link));
}
