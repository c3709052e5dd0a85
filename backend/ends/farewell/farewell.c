/* SPDX-License-Identifier: MIT */
/* farewell.c: see farewell.h. */
#include "farewell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "registry.h"
#include "serve.h"
#include "watchers.h"

#define PIECES 64

struct farewell {
    struct xvsd *x;
    struct list link;           /* in xvsd.farewells */
    uint32_t domid, device;     /* of the guest that is gone */
    uint32_t len, at;           /* bytes in all, and delivered */
    struct source socket;       /* to a host program; fd -1 for one to a guest */
    struct list watchers;       /* likewise: those who wait for its end, */
    uint32_t number;            /* …the number by which they know it, */
    enum fate_end end;          /* …what they hear once all is delivered, */
    bool line_waits;            /* …and as in struct stream */
    uint8_t data[];
};

static uint64_t bytes_of(const struct xvsd *x, uint32_t domid)
{
    uint64_t bytes = 0;

    for (struct list *l = x->farewells.next; l != &x->farewells; l = l->next) {
        const struct farewell *f = container_of(l, struct farewell, link);

        bytes += f->domid == domid ? f->len : 0;
    }
    return bytes;
}

/* Copies the inbox out; the inbox stays as it is.  NULL if there is no room, which is logged. */
static struct farewell *copy_inbox(struct stream *s)
{
    struct device *d = s->device;
    uint32_t len = s->inbox.bytes;
    struct farewell *f = NULL;

    if (bytes_of(d->x, d->id.front) + len <= d->x->settings->held_spill_bytes)
        f = malloc(sizeof *f + len);
    if (!f) {
        journal_guest(&d->journal, JOURNAL_NOTICE, "%u bytes of a stream that had ended are lost: its reader stands still", len);
        return NULL;
    }
    memset(f, 0, sizeof *f);
    f->x = d->x;
    f->domid = d->id.front;
    f->device = d->id.number;
    f->socket.fd = -1;
    list_init(&f->link);
    list_init(&f->watchers);
    while (f->len < len) {
        struct iovec iov[PIECES];
        int used;
        uint32_t n = inbox_peek(&d->inboxes, &s->inbox, len - f->len, iov, PIECES, &used);

        for (int i = 0; i < used; i++) {
            memcpy(f->data + f->len, iov[i].iov_base, iov[i].iov_len);
            f->len += (uint32_t)iov[i].iov_len;
        }
        inbox_take(&d->inboxes, &s->inbox, n);
    }
    list_append(&d->x->farewells, &f->link);
    return f;
}

static void drop(struct farewell *f)
{
    list_remove(&f->link);
    free(f);
}

/* ---- to a host program ---- */

static void end_as(struct farewell *f, enum fate_end end)
{
    /* A daemon that stops has no more devices, and nobody to ask it. */
    struct device *d = end == FATE_STOPPED ? NULL : registry_find(f->x, f->domid, f->device);
    int fd = f->socket.fd;
    char newline;

    if (d)
        fates_note(&d->fates, f->number, end);
    source_remove(&f->x->poller, &f->socket);
    if (f->line_waits && end == FATE_ORDER)
        (void)!recv(fd, &newline, 1, MSG_DONTWAIT);
    close(fd);
    watchers_tell(&f->watchers, f->number, end);
    drop(f);
}

static void on_writable(struct source *source, uint32_t events)
{
    struct farewell *f = container_of(source, struct farewell, socket);
    ssize_t n;

    (void)events;
    while (f->at < f->len) {
        n = send(f->socket.fd, f->data + f->at, f->len - f->at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno != EINTR)
            break;              /* it reads no more */
        f->at += n > 0 ? (uint32_t)n : 0;
    }
    end_as(f, f->at < f->len ? FATE_HOST_LEFT : f->end);
}

bool farewell_to_host(struct stream *s, enum fate_end end)
{
    struct xvsd *x = s->device->x;
    struct farewell *f = copy_inbox(s);
    int fd = s->socket.fd;

    if (!f)
        return false;
    source_remove(&x->poller, &s->socket);
    if (source_add(&x->poller, &f->socket, fd, EPOLLOUT | EPOLLET, on_writable)) {
        s->socket.fd = fd;      /* the caller's to close */
        drop(f);
        return false;
    }
    f->number = fate_number(&s->fate);
    f->end = end;
    f->line_waits = s->line_waits;
    fate_close(&s->device->fates, &s->fate);
    watchers_pass(&s->fate.watchers, &f->watchers);
    on_writable(&f->socket, 0);
    return true;
}

struct list *farewell_watchers(const struct device *d, uint32_t number)
{
    for (struct list *l = d->x->farewells.next; l != &d->x->farewells; l = l->next) {
        struct farewell *f = container_of(l, struct farewell, link);

        if (f->domid == d->id.front && f->device == d->id.number && f->number == number && f->socket.fd >= 0)
            return &f->watchers;
    }
    return NULL;
}

/* ---- to another guest ---- */

bool farewell_to_guest(struct stream *stays, struct stream *gone)
{
    stays->farewell = copy_inbox(gone);
    if (!stays->farewell)
        return false;
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
    struct iovec to[PIECES];
    struct vsockif_hdr hdr;
    uint32_t want = f->len - f->at, room = vconn_room(&s->v.c), done = 0;
    int used;

    if (!room) {
        vmux_want_room(d->mux, &s->v);
        return STREAM_WAITS;
    }
    if (!link_back_can_send(&d->back))
        return STREAM_THIRSTS;
    if (want > VSOCKIF_MAX_PACKET)
        want = VSOCKIF_MAX_PACKET;
    want = link_back_room(&d->back, want < room ? want : room, to, PIECES, &used);
    for (int i = 0; i < used; done += (uint32_t)to[i++].iov_len)
        memcpy(to[i].iov_base, f->data + f->at + done, to[i].iov_len);
    vmux_send(d->mux, &s->v, want, &hdr);
    link_back_send(&d->back, &hdr);
    d->moved = true;
    f->at += want;
    return STREAM_MORE;
}

enum stream_again farewell_turn(struct stream *s)
{
    if (stream_is_closed(s) || vconn_is_send_shut(&s->v.c)) {
        stream_end(s);
        return STREAM_ENDED;
    }
    if (s->farewell->at < s->farewell->len)
        return deliver(s);
    vmux_shutdown(s->device->mux, &s->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
    stream_end(s);              /* an orderly close: the table sees to the rest */
    return STREAM_ENDED;
}

void farewell_end(struct stream *s)
{
    if (s->farewell)
        drop(s->farewell);
    s->farewell = NULL;
}

void farewell_drop_all(struct xvsd *x)
{
    struct list *link, *next;

    for (link = x->farewells.next; link != &x->farewells; link = next) {
        next = link->next;
        if (container_of(link, struct farewell, link)->socket.fd >= 0)
            end_as(container_of(link, struct farewell, link), FATE_STOPPED);
    }
}
