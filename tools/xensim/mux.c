/* SPDX-License-Identifier: MIT */
/* mux.c: many client processes of a domain on its one xenstore ring, as Linux's
 * /dev/xen/xenbus does it.
 *
 * Requests get ids of our own, so that replies find their client; watch tokens get
 * the client's number in front, so that events do.  A client that goes leaves no
 * watch and no transaction behind: they count against the domain's quota. */
#define _GNU_SOURCE
#include "mux.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
#define QUEUE_FULL  (16 * MESSAGE_MAX) /* stop reading clients: the ring is behind */
#define CLIENT_FULL (1u << 22)         /* a client that lets its events pile up is dropped */

struct bytes {
    char *data;
    size_t len, cap;
};

struct message {
    struct xsd_sockmsg hdr;
    char body[XENSTORE_PAYLOAD_MAX + 1];
};

/* A watch (path, token, as the client wrote them) or a transaction (id). */
struct held {
    LIST_ENTRY(held) link;
    uint32_t tx;
    size_t len;
    char body[];
};

struct client {
    LIST_ENTRY(client) link;
    int fd;                            /* -1: gone, but requests are under way */
    uint32_t id, under_way, wanted;    /* wanted: what epoll waits for */
    size_t in;                         /* bytes of 'msg' that arrived */
    struct message msg;
    struct bytes out;
    LIST_HEAD(, held) watches;
    LIST_HEAD(, held) transactions;
};

struct request {
    LIST_ENTRY(request) link;
    uint32_t id, theirs, type, tx;
    struct client *client;             /* NULL: our own */
    size_t len;
    char body[];                       /* of a WATCH or an UNWATCH */
};

static struct {
    struct ring *ring;
    int epoll, listener;
    struct bytes out;                  /* towards the ring */
    struct message in;                 /* from the ring, 'got' bytes so far */
    size_t got;
    uint32_t next_request, next_client;
    LIST_HEAD(, client) clients;
    LIST_HEAD(, request) requests;
} mux;

static void append(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        if (!(b->data = realloc(b->data, b->cap)))
            abort();
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void consume(struct bytes *b, size_t len)
{
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}

/* ---- towards xenstored ---- */

/* 'body' is what is sent; 'keep' what the reply's handler needs of it. */
static void request(struct client *client, uint32_t theirs, uint32_t type, uint32_t tx,
                    const char *body, size_t len, const char *keep, size_t keep_len)
{
    struct request *r = calloc(1, sizeof *r + keep_len);
    struct xsd_sockmsg hdr = { .type = type, .tx_id = tx, .len = (uint32_t)len };

    if (!r)
        abort();
    r->id = hdr.req_id = ++mux.next_request;
    r->theirs = theirs;
    r->type = type;
    r->tx = tx;
    r->client = client;
    r->len = keep_len;
    if (keep_len)
        memcpy(r->body, keep, keep_len);
    if (client)
        client->under_way++;
    LIST_INSERT_HEAD(&mux.requests, r, link);
    append(&mux.out, &hdr, sizeof hdr);
    append(&mux.out, body, len);
}

/* The body of WATCH and UNWATCH with our prefix before the token.  0 if it is no
 * such body or grows too long. */
static size_t prefixed(uint32_t client, const char *body, size_t len, char *out, size_t size)
{
    const char *end = memchr(body, 0, len);
    size_t path = end ? (size_t)(end - body) + 1 : 0;
    int n;

    if (!path || path == len || body[len - 1])
        return 0;
    memcpy(out, body, path);
    n = snprintf(out + path, size - path, "%x:%s", client, body + path);
    return n < 0 || path + (size_t)n + 1 > size ? 0 : path + (size_t)n + 1;
}

static void unwatch(uint32_t client, const char *body, size_t len)
{
    char out[XENSTORE_PAYLOAD_MAX];
    size_t n = prefixed(client, body, len, out, sizeof out);

    request(NULL, 0, XS_UNWATCH, 0, out, n, NULL, 0);
}

static void abort_transaction(uint32_t tx)
{
    request(NULL, 0, XS_TRANSACTION_END, tx, "F", 2, NULL, 0);
}

/* ---- clients ---- */

static void want(struct client *c)
{
    struct epoll_event ev = { .data.ptr = c };

    ev.events = (mux.out.len < QUEUE_FULL ? EPOLLIN : 0) | (c->out.len ? EPOLLOUT : 0);
    if (c->fd >= 0 && ev.events != c->wanted)
        epoll_ctl(mux.epoll, EPOLL_CTL_MOD, c->fd, &ev);
    c->wanted = ev.events;
}

static void client_gone(struct client *c)
{
    struct held *h;

    while ((h = LIST_FIRST(&c->watches))) {
        unwatch(c->id, h->body, h->len);
        LIST_REMOVE(h, link);
        free(h);
    }
    while ((h = LIST_FIRST(&c->transactions))) {
        abort_transaction(h->tx);
        LIST_REMOVE(h, link);
        free(h);
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* Frees what is gone and has no request under way: between batches only. */
static void sweep(void)
{
    struct client *c = LIST_FIRST(&mux.clients), *next;

    for (; c; c = next) {
        next = LIST_NEXT(c, link);
        if (c->fd >= 0) {
            want(c);
        } else if (!c->under_way) {
            LIST_REMOVE(c, link);
            free(c->out.data);
            free(c);
        }
    }
}

static void flush(struct client *c)
{
    ssize_t n;

    while (c->out.len && c->fd >= 0) {
        n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && c->out.len < CLIENT_FULL)
            return;
        if (n < 0)
            client_gone(c);
        else
            consume(&c->out, (size_t)n);
    }
}

static void reply(struct client *c, uint32_t type, uint32_t req_id, uint32_t tx, const char *body,
                  size_t len)
{
    struct xsd_sockmsg hdr = { type, req_id, tx, (uint32_t)len };

    append(&c->out, &hdr, sizeof hdr);
    append(&c->out, body, len);
    flush(c);
}

static void serve(struct client *c)
{
    struct xsd_sockmsg *h = &c->msg.hdr;
    char out[XENSTORE_PAYLOAD_MAX];
    size_t n;

    switch (h->type) {
    case XS_WATCH:
    case XS_UNWATCH:
        if ((n = prefixed(c->id, c->msg.body, h->len, out, sizeof out)))
            request(c, h->req_id, h->type, h->tx_id, out, n, c->msg.body, h->len);
        else
            reply(c, XS_ERROR, h->req_id, h->tx_id, "EINVAL", sizeof "EINVAL");
        break;
    case XS_RESET_WATCHES:     /* would take the other clients' as well */
        reply(c, XS_ERROR, h->req_id, h->tx_id, "ENOSYS", sizeof "ENOSYS");
        break;
    default:
        request(c, h->req_id, h->type, h->tx_id, c->msg.body, h->len, NULL, 0);
    }
}

static void client_read(struct client *c)
{
    ssize_t n;

    while (c->fd >= 0 && mux.out.len < QUEUE_FULL) {
        size_t need = sizeof c->msg.hdr + (c->in < sizeof c->msg.hdr ? 0 : c->msg.hdr.len);

        if (c->in >= sizeof c->msg.hdr && c->in == need) {
            serve(c);
            c->in = 0;
            continue;
        }
        n = recv(c->fd, (char *)&c->msg + c->in, need - c->in, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            client_gone(c);
            return;
        }
        c->in += (size_t)n;
        if (c->in == sizeof c->msg.hdr && c->msg.hdr.len > XENSTORE_PAYLOAD_MAX)
            client_gone(c);
    }
}

static void client_new(void)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int fd = accept4(mux.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);

    if (!c) {
        if (fd >= 0)
            close(fd);
        return;
    }
    c->fd = fd;
    c->id = ++mux.next_client;
    c->wanted = EPOLLIN;
    LIST_INIT(&c->watches);
    LIST_INIT(&c->transactions);
    LIST_INSERT_HEAD(&mux.clients, c, link);
    ev.data.ptr = c;
    epoll_ctl(mux.epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* ---- from xenstored ---- */

static struct held *hold(uint32_t tx, const char *body, size_t len)
{
    struct held *h = calloc(1, sizeof *h + len);

    if (!h)
        abort();
    h->tx = tx;
    h->len = len;
    if (len)
        memcpy(h->body, body, len);
    return h;
}

static void remember(struct client *c, const struct request *r)
{
    struct held *h;

    switch (r->type) {
    case XS_WATCH:
        if (c->fd < 0) {
            unwatch(c->id, r->body, r->len);
            break;
        }
        h = hold(0, r->body, r->len);
        LIST_INSERT_HEAD(&c->watches, h, link);
        break;
    case XS_UNWATCH:
        LIST_FOREACH(h, &c->watches, link)
            if (h->len == r->len && !memcmp(h->body, r->body, h->len)) {
                LIST_REMOVE(h, link);
                free(h);
                break;
            }
        break;
    case XS_TRANSACTION_START:
        mux.in.body[mux.in.hdr.len] = '\0';
        if (c->fd < 0) {
            abort_transaction((uint32_t)strtoul(mux.in.body, NULL, 10));
            break;
        }
        h = hold((uint32_t)strtoul(mux.in.body, NULL, 10), NULL, 0);
        LIST_INSERT_HEAD(&c->transactions, h, link);
        break;
    }
}

/* A transaction ends with the reply to its end, whatever that says. */
static void forget_transaction(struct client *c, uint32_t tx)
{
    struct held *h;

    LIST_FOREACH(h, &c->transactions, link)
        if (h->tx == tx) {
            LIST_REMOVE(h, link);
            free(h);
            return;
        }
}

static void event(void)
{
    char *body = mux.in.body, *path_end, *token, *colon = NULL;
    size_t len = mux.in.hdr.len, path;
    struct client *c;
    uint32_t id;

    if (!(path_end = memchr(body, 0, len)))
        return;
    path = (size_t)(path_end - body) + 1;
    token = body + path;
    id = (uint32_t)strtoul(token, &colon, 16);
    if (!colon || *colon != ':')
        return;
    LIST_FOREACH(c, &mux.clients, link)
        if (c->id == id && c->fd >= 0) {
            size_t skip = (size_t)(colon + 1 - token);

            memmove(token, colon + 1, len - path - skip);
            reply(c, XS_WATCH_EVENT, 0, 0, body, len - skip);
            return;
        }
}

static void message(void)
{
    struct request *r;
    struct client *c;

    if (mux.in.hdr.type == XS_WATCH_EVENT) {
        event();
        return;
    }
    LIST_FOREACH(r, &mux.requests, link)
        if (r->id == mux.in.hdr.req_id)
            break;
    if (!r)
        return;
    LIST_REMOVE(r, link);
    if ((c = r->client)) {
        c->under_way--;
        if (mux.in.hdr.type != XS_ERROR)
            remember(c, r);
        if (r->type == XS_TRANSACTION_END)
            forget_transaction(c, r->tx);
        if (c->fd >= 0)
            reply(c, mux.in.hdr.type, r->theirs, mux.in.hdr.tx_id, mux.in.body, mux.in.hdr.len);
    }
    free(r);
}

static bool from_ring(void)
{
    bool moved = false;

    for (;;) {
        size_t need = sizeof mux.in.hdr, n;

        if (mux.got >= sizeof mux.in.hdr) {
            if (mux.in.hdr.len > XENSTORE_PAYLOAD_MAX)
                abort();
            need += mux.in.hdr.len;
        }
        if (mux.got == need && mux.got >= sizeof mux.in.hdr) {
            message();
            mux.got = 0;
            continue;
        }
        if (!(n = ring_read(mux.ring, (char *)&mux.in + mux.got, need - mux.got)))
            return moved;
        mux.got += n;
        moved = true;
    }
}

static bool to_ring(void)
{
    size_t n = mux.out.len ? ring_write(mux.ring, mux.out.data, mux.out.len) : 0;

    if (n)
        consume(&mux.out, n);
    return n;
}

/* ---- the loop ---- */

int mux_listen(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(fd, 128) < 0)
        return -errno;
    return fd;
}

int mux_serve(struct ring *ring, int listener)
{
    struct epoll_event ev = { .events = EPOLLIN }, events[64];

    mux.ring = ring;
    mux.listener = listener;
    if ((mux.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -errno;
    ev.data.ptr = &mux.listener;
    epoll_ctl(mux.epoll, EPOLL_CTL_ADD, listener, &ev);
    ev.data.ptr = ring;
    epoll_ctl(mux.epoll, EPOLL_CTL_ADD, ring_fd(ring), &ev);
    for (;;) {
        int n = epoll_wait(mux.epoll, events, 64, -1);
        bool moved = false;

        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;

            if (what == &mux.listener) {
                client_new();
            } else if (what == ring) {
                ring_events(ring);
            } else {
                if (events[i].events & EPOLLOUT)
                    flush(what);
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    client_read(what);
            }
        }
        moved |= from_ring();
        moved |= to_ring();
        if (moved)
            ring_notify(ring);
        sweep();
    }
}
