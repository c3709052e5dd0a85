/* SPDX-License-Identifier: MIT */
/* farewell.c: see farewell.h. */
#include "farewell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "registry.h"
#include "serve.h"
#include "watchers.h"

#define PIECES 64
#define MOST   (64u << 10)      /* bytes: what the socket may hold, as nobody waits for it to go fast */
#define WORTH  4096u            /* bytes: for less room it is not worth to write */

struct farewell {
    struct xvsd *x;
    struct list link;           /* in xvsd.farewells */
    struct account *account;    /* of the guest whose stream it was */
    uint32_t domid, device;     /* of that guest */
    struct chunks data;
    uint32_t left;              /* bytes in data */
    bool is_cut;                /* data is not all: no end in order comes after it */
    uint64_t give_up_at;        /* ms: when its reader will have taken nothing for long enough */
    struct stream *stays;       /* to a guest: the stream whose turns deliver it; NULL */
    struct source socket;       /* to a host program; fd -1 */
    uint32_t in_socket;         /* bytes (held.h) */
    bool starves;               /* the guest's sockets hold what they may: no event of this one's will tell that there is room */
    bool line_waits;            /* as in struct stream */
    uint32_t number;            /* by which its watchers know it, or 0: its end is known already, */
    enum fate_end end;          /* …what they hear once all is delivered, */
    struct list watchers;       /* …and they */
};

static void wake_at(struct xvsd *x, uint64_t at)
{
    if (at < x->farewell_at)
        x->farewell_at = at;
    xvsd_wake_at(x, x->farewell_at);
}

static void put_off(struct farewell *f)
{
    f->give_up_at = clock_deadline_ms(f->x->settings->farewell_seconds * UINT64_C(1000));
    wake_at(f->x, f->give_up_at);
}

/* NULL if there may be no more of them. */
static struct farewell *make(const struct device *d)
{
    struct xvsd *x = d->x;
    uint32_t own = d->account->users - d->account->devices;
    struct farewell *f;

    if (x->farewell_count + own >= FAREWELLS_MOST || !(f = calloc(1, sizeof *f)))
        return NULL;
    f->x = x;
    f->account = account_join(d->account);
    f->domid = d->id.front;
    f->device = d->id.number;
    f->socket.fd = -1;
    list_init(&f->watchers);
    list_init(&f->link);
    list_append(&x->farewells, &f->link);
    x->farewell_count++;
    put_off(f);
    return f;
}

/* The same, with what is in the inbox of s.  NULL if nothing of it can be kept. */
static struct farewell *make_of_inbox(struct stream *s)
{
    struct device *d = s->device;
    uint32_t lost = s->inbox.bytes;
    struct farewell *f = make(d);

    if (f) {
        f->left = s->inbox.bytes;
        lost = inbox_part(&d->inboxes, &s->inbox, &f->data);
        f->left -= lost;
        f->is_cut = lost > 0;
    }
    if (lost)
        journal_guest(&d->journal, JOURNAL_NOTICE, "%u bytes of a stream that had ended are lost: its reader stands still",
                      lost);
    return f;
}

/* Nobody will have what waits here. */
static void drop_data(struct farewell *f)
{
    f->is_cut |= f->left > 0;
    f->left = 0;
    chunks_drop(&f->data, &f->account->held);
}

/* Its watchers are told, or passed on. */
static void drop(struct farewell *f)
{
    int fd = f->socket.fd;

    drop_data(f);
    held_saw(&f->account->held, &f->in_socket, 0);
    if (fd >= 0) {
        source_remove(&f->x->poller, &f->socket);
        close(fd);
        account_give_file(f->account);
    }
    list_remove(&f->link);
    f->x->farewell_count--;
    account_leave(f->account);
    free(f);
}

/* ---- to a host program ---- */

static void look_into_socket(struct farewell *f)
{
    held_saw(&f->account->held, &f->in_socket, bridge_in_socket(f->socket.fd));
}

/* False when the socket takes no more for now, or nothing is left. */
static bool write_some(struct farewell *f)
{
    struct held *h = &f->account->held;
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov };
    uint32_t room = held_room(h, f->in_socket, MOST, !f->in_socket), least = f->left < WORTH ? f->left : WORTH;
    ssize_t n;
    int used;

    f->starves = f->left && room < least && f->in_socket + least <= MOST;
    if (!f->left || room < least)
        return false;
    chunks_peek(&f->data, room, iov, PIECES, &used);
    msg.msg_iovlen = (size_t)used;
    n = sendmsg(f->socket.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        f->left -= chunks_take(&f->data, h, (uint32_t)n);
        held_wrote(h, &f->in_socket, (uint32_t)n);
        look_into_socket(f);
        return true;
    }
    if (errno != EAGAIN && errno != EINTR)
        drop_data(f);           /* it reads no more */
    return errno == EINTR;
}

/* Tells how the stream ended, once. */
static void end_as(struct farewell *f, enum fate_end end)
{
    /* A daemon that stops has no more devices, and nobody to ask it. */
    struct device *d = end == FATE_STOPPED ? NULL : registry_find(f->x, f->domid, f->device);
    char newline;

    if (!f->number)
        return;
    if (d)
        fates_note(&d->fates, f->number, end);
    if (f->line_waits && end == FATE_ORDER)
        (void)!recv(f->socket.fd, &newline, 1, MSG_DONTWAIT);
    if (end == FATE_ORDER)
        shutdown(f->socket.fd, SHUT_WR);
    watchers_tell(&f->watchers, f->number, end);
    f->number = 0;
}

static void advance(struct farewell *f)
{
    while (write_some(f))
        ;
    if (!f->left)
        end_as(f, f->is_cut ? FATE_HOST_LEFT : f->end);
    if (f->starves)
        wake_at(f->x, clock_deadline_ms(SERVE_FEED_MS));
    else if (!f->left && !f->in_socket)
        drop(f);
}

/* Its reader has read something, or has gone. */
static void on_writable(struct source *source, uint32_t events)
{
    struct farewell *f = container_of(source, struct farewell, socket);
    uint32_t before = f->in_socket;

    (void)events;
    look_into_socket(f);
    if (f->in_socket < before)
        put_off(f);
    advance(f);
}

/* False if the socket must stay the stream's; f is gone then. */
static bool take_socket(struct farewell *f, struct stream *s)
{
    struct xvsd *x = f->x;
    int fd = s->socket.fd;

    source_remove(&x->poller, &s->socket);
    if (source_add(&x->poller, &f->socket, fd, EPOLLOUT | EPOLLET, on_writable)) {
        s->socket.fd = fd;      /* the caller's to close */
        drop(f);
        return false;
    }
    f->in_socket = s->in_socket;        /* it stays counted */
    s->in_socket = 0;
    f->line_waits = s->line_waits;
    return true;
}

/* The host program may send no more; whoever waits to do so hears of it.  'keep' is as for bridge_drop_queue(). */
static void shut_reading(struct stream *s, bool keep)
{
    shutdown(s->socket.fd, SHUT_RD);
    while (bridge_drop_queue(s->socket.fd, keep || s->line_waits))
        s->line_waits = false;
}

bool farewell_to_host(struct stream *s, enum fate_end end)
{
    struct farewell *f = make_of_inbox(s);

    if (!f)
        return false;
    shut_reading(s, end != FATE_ORDER);
    if (!take_socket(f, s))
        return false;
    f->number = fate_number(&s->fate);
    f->end = end;
    fate_close(&s->device->fates, &s->fate);
    watchers_pass(&s->fate.watchers, &f->watchers);
    look_into_socket(f);
    advance(f);
    return true;
}

void farewell_to_socket(struct stream *s, bool order)
{
    struct farewell *f = make(s->device);

    if (!f)
        return;
    shut_reading(s, !order);
    if (order)
        shutdown(s->socket.fd, SHUT_WR);
    take_socket(f, s);
}

struct list *farewell_watchers(const struct device *d, uint32_t number)
{
    for (struct list *l = d->x->farewells.next; l != &d->x->farewells; l = l->next) {
        struct farewell *f = container_of(l, struct farewell, link);

        if (f->number == number && f->domid == d->id.front && f->device == d->id.number)
            return &f->watchers;
    }
    return NULL;
}

/* ---- to another guest ---- */

bool farewell_to_guest(struct stream *stays, struct stream *gone)
{
    struct farewell *f = make_of_inbox(gone);

    if (!f)
        return false;
    f->stays = stays;
    stays->farewell = f;
    stays->host_deaf = true;
    vmux_shutdown(stays->device->mux, &stays->v, VSOCKIF_SHUTDOWN_RCV, clock_deadline_ms(0));
    stream_discard(stays);
    stream_wake(stays);
    return true;
}

static enum stream_again deliver(struct stream *s)
{
    struct farewell *f = s->farewell;
    struct device *d = s->device;
    struct iovec to[PIECES], from[PIECES];
    struct vsockif_hdr hdr;
    uint32_t room = vconn_room(&s->v.c), len;
    int used;

    if (!room) {
        vmux_want_room(d->mux, &s->v);
        return STREAM_WAITS;
    }
    if (!link_back_can_send(&d->back))
        return STREAM_THIRSTS;
    len = chunks_peek(&f->data, room < VSOCKIF_MAX_PACKET ? room : VSOCKIF_MAX_PACKET, from, PIECES, &used);
    len = link_back_room(&d->back, len, to, PIECES, &used);
    stream_copy(to, from, len);
    vmux_send(d->mux, &s->v, len, &hdr);
    link_back_send(&d->back, &hdr);
    d->moved = true;
    f->left -= chunks_take(&f->data, &f->account->held, len);
    put_off(f);
    return STREAM_MORE;
}

enum stream_again farewell_turn(struct stream *s)
{
    struct device *d = s->device;

    if (!stream_is_closed(s) && !vconn_is_send_shut(&s->v.c)) {
        if (s->farewell->left)
            return deliver(s);
        if (s->farewell->is_cut)
            vmux_abort(d->mux, &s->v, ECONNRESET);
        else
            vmux_shutdown(d->mux, &s->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
    }
    stream_end(s);              /* after an orderly close the table sees to the rest */
    return STREAM_ENDED;
}

void farewell_end(struct stream *s)
{
    if (s->farewell)
        drop(s->farewell);
    s->farewell = NULL;
}

/* ---- deadlines, and the end ---- */

static void give_up(struct farewell *f)
{
    drop_data(f);
    put_off(f);
    if (f->stays) {
        stream_wake(f->stays);
        return;
    }
    end_as(f, FATE_HOST_LEFT);
    if (!f->in_socket || !f->account->devices)
        drop(f);
}

void farewell_due(struct xvsd *x, uint64_t now)
{
    uint64_t lost = 0;
    uint32_t count = 0;

    x->farewell_at = UINT64_MAX;
    for (struct list *link = x->farewells.next, *next; link != &x->farewells; link = next) {
        struct farewell *f = container_of(link, struct farewell, link);

        next = link->next;
        if (f->give_up_at > now) {
            wake_at(x, f->give_up_at);
            if (f->starves)
                advance(f);
            continue;
        }
        lost += f->left;
        count += f->left > 0;
        give_up(f);
    }
    if (count)
        journal(JOURNAL_NOTICE, "%u streams whose guests are gone are given up: their readers took nothing for %u s; %llu bytes "
                "are lost", count, x->settings->farewell_seconds, (unsigned long long)lost);
}

void farewell_drop_all(struct xvsd *x)
{
    for (struct list *link = x->farewells.next, *next; link != &x->farewells; link = next) {
        struct farewell *f = container_of(link, struct farewell, link);

        next = link->next;
        if (f->stays)
            continue;           /* its stream's */
        end_as(f, FATE_STOPPED);
        drop(f);
    }
}
