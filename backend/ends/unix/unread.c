/* SPDX-License-Identifier: MIT */
/* unread.c: see unread.h. */
#include "unread.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "farewell.h"
#include "hostsock.h"
#include "serve.h"
#include "watchers.h"

#define PIECES 64
#define MOST   (64u << 10)      /* bytes: what the socket may hold, as nobody waits for it to go fast */

struct unread {
    struct farewell f;          /* first */
    struct hostside *host;      /* NULL once it is gone */
    struct list of_host;        /* in hostside.unread */
    struct source socket;
    uint32_t in_socket;         /* bytes (held.h) */
    bool starves;               /* the guest's sockets hold what they may: no event of this one's will tell that there is room */
    bool line_waits;            /* unread_parts */
    bool is_open;               /* its end is to come, and is asked for by the number of… */
    struct fate fate;
    uint32_t number;
    enum fate_end end;          /* …if all is delivered */
};

static struct unread *unread_of(struct farewell *f)
{
    return container_of(f, struct unread, f);
}

static struct poller *poller_of(const struct unread *u)
{
    return &u->f.all->lanes->loop->poller;
}

static void drop(struct unread *u)
{
    int fd = u->socket.fd;

    held_saw(&u->f.account->held, &u->in_socket, 0);
    if (fd >= 0) {
        source_remove(poller_of(u), &u->socket);
        close(fd);
        account_give_file(u->f.account);
    }
    list_remove(&u->of_host);
    farewell_free(&u->f);
}

/* What goes to the socket in one system call, at least: a message goes whole.  0: nothing is left. */
static uint32_t least_of(struct farewell *f)
{
    uint32_t ends, len;

    if (!f->of_messages)
        return f->left < HOSTSOCK_WORTH ? f->left : HOSTSOCK_WORTH;
    len = chunks_message(&f->data, &ends);
    if (ends || !f->left)
        return len;
    f->left = 0;                /* its end will not come: it was never sent */
    chunks_drop(&f->data, &f->account->held);
    return 0;
}

/* …and from where. */
static void peek(struct farewell *f, uint32_t len, struct iovec *iov, int *used)
{
    static uint8_t whole[STREAM_MESSAGE];       /* a message in more pieces than that takes */

    if (chunks_peek(&f->data, len, iov, PIECES, used) == len || !f->of_messages)
        return;
    chunks_copy(&f->data, whole, len);
    *iov = (struct iovec){ .iov_base = whole, .iov_len = len };
    *used = 1;
}

static void look_into_socket(struct unread *u)
{
    held_saw(&u->f.account->held, &u->in_socket, hostsock_holds(u->socket.fd));
}

/* False when the socket takes no more for now, or nothing is left. */
static bool write_some(struct unread *u)
{
    struct farewell *f = &u->f;
    struct held *h = &f->account->held;
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov };
    uint32_t least = least_of(f), most = least > MOST ? least : MOST;
    uint32_t room = held_room(h, u->in_socket, most, !u->in_socket);
    ssize_t n;
    int used;

    u->starves = f->left && room < least && u->in_socket + least <= most;
    if (!f->left || room < least)
        return false;
    peek(f, f->of_messages ? least : room, iov, &used);
    msg.msg_iovlen = (size_t)used;
    n = sendmsg(u->socket.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        f->left -= chunks_take(&f->data, h, (uint32_t)n);
        held_wrote(h, &u->in_socket, (uint32_t)n);
        look_into_socket(u);
        return true;
    }
    if (errno != EAGAIN && errno != EINTR)
        farewell_drop_data(f);  /* it reads no more */
    return errno == EINTR;
}

/* Nobody finds it by its number any more. */
static void forget_number(struct unread *u)
{
    if (u->host)
        fate_close(&u->host->fates, &u->fate);
}

/* Tells how the stream ended, once. */
static void end_as(struct unread *u, enum fate_end end)
{
    if (!u->is_open)
        return;
    u->is_open = false;
    forget_number(u);
    if (u->host)
        fates_note(&u->host->fates, u->number, end, REASON(NONE));
    if (u->line_waits && end == FATE_ORDER)
        hostsock_take_line(u->socket.fd);
    if (end == FATE_ORDER)
        shutdown(u->socket.fd, SHUT_WR);
    watchers_tell(&u->fate.watched, u->number, end, REASON(NONE));
}

static void advance(struct unread *u)
{
    while (write_some(u))
        ;
    if (!u->f.left)
        end_as(u, u->f.is_cut ? FATE_HOST_LEFT : u->end);
    if (u->starves)
        farewell_look_at(&u->f, clock_deadline_ms(SERVE_FEED_MS));
    else if (!u->f.left && !u->in_socket)
        drop(u);
}

/* Its reader has read something, or has gone. */
static void on_writable(struct source *source, uint32_t events)
{
    struct unread *u = container_of(source, struct unread, socket);
    uint32_t before = u->in_socket;

    (void)events;
    look_into_socket(u);
    if (u->in_socket < before)
        farewell_put_off(&u->f);
    advance(u);
}

/* ---- kinds of farewell ---- */

static void look(struct farewell *f)
{
    if (unread_of(f)->starves)
        advance(unread_of(f));
}

static void give_up(struct farewell *f)
{
    struct unread *u = unread_of(f);

    end_as(u, FATE_HOST_LEFT);
    if (!u->in_socket || !f->account->devices)
        drop(u);
}

static void stop(struct farewell *f)
{
    end_as(unread_of(f), FATE_STOPPED);
    drop(unread_of(f));
}

static const struct farewell_kind kind = { .size = sizeof(struct unread), .look = look, .give_up = give_up, .stop = stop };

/* ---- the beginning ---- */

static struct unread *begin(struct farewell *f, struct hostside *host)
{
    struct unread *u = unread_of(f);

    u->host = host;
    u->socket.fd = -1;
    list_init(&u->of_host);
    list_append(&host->unread, &u->of_host);
    fate_init(&u->fate, NULL);
    return u;
}

/* False if the socket must stay the stream's; u is gone then. */
static bool take_socket(struct unread *u, struct unread_parts *parts)
{
    int fd = parts->socket->fd;

    source_remove(poller_of(u), parts->socket);
    if (source_add(poller_of(u), &u->socket, fd, EPOLLOUT | EPOLLET, on_writable)) {
        parts->socket->fd = fd; /* the caller's to close */
        drop(u);
        return false;
    }
    u->in_socket = *parts->in_socket;   /* it stays counted */
    *parts->in_socket = 0;
    u->line_waits = parts->line_waits;
    return true;
}

/* The host program may send no more; whoever waits to do so hears of it.  'keep' is as for hostsock_drop_queue(). */
static void shut_reading(struct unread_parts *parts, bool keep)
{
    shutdown(parts->socket->fd, SHUT_RD);
    while (hostsock_drop_queue(parts->socket->fd, keep || parts->line_waits))
        parts->line_waits = false;
}

bool unread_keep(struct stream *s, struct unread_parts parts, struct fate *fate, enum fate_end end)
{
    struct hostside *host = s->lane->host;
    struct farewell *f = farewell_new_of(&kind, s);
    uint32_t number = fate_number(fate);
    struct unread *u;

    if (!f)
        return false;
    u = begin(f, host);
    shut_reading(&parts, end != FATE_ORDER);
    if (!take_socket(u, &parts))
        return false;
    u->is_open = true;
    u->number = number;
    u->end = end;
    fate_close(&host->fates, fate);
    fate_open(&host->fates, &u->fate, number);
    watchers_pass(&fate->watched, &u->fate.watched);
    look_into_socket(u);
    advance(u);
    return true;
}

void unread_keep_socket(struct stream *s, struct unread_parts parts, bool order)
{
    struct farewell *f = farewell_new(&kind, s->lane);

    if (!f)
        return;
    shut_reading(&parts, !order);
    if (order)
        shutdown(parts.socket->fd, SHUT_WR);
    take_socket(begin(f, s->lane->host), &parts);
}

void unread_orphan(struct hostside *host)
{
    struct list *link;

    while ((link = list_take(&host->unread))) {
        struct unread *u = container_of(link, struct unread, of_host);

        forget_number(u);
        u->host = NULL;
    }
}
