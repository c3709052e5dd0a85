/* SPDX-License-Identifier: MIT */
/* service.c: see service.h. */
#include "service.h"

#include <errno.h>
#include <string.h>

#include "serve.h"

#define PIECES 32

int service_connect(struct stream *s)
{
    uint32_t port = s->v.local.port;

    if (!s->device->x->settings->services ||
        (port != SERVICE_ECHO && port != SERVICE_DISCARD && port != SERVICE_SOURCE))
        return -ECONNREFUSED;
    s->service = (uint8_t)port;
    s->open = true;
    vmux_answer(s->device->mux, &s->v);
    stream_wake(s);
    return 0;
}

/* Room for up to want bytes of the guest's, as link_back_room(); 0 with *again saying what to wait for. */
static uint32_t room_for(struct stream *s, uint32_t want, struct iovec *iov, int *used, enum stream_again *again)
{
    struct device *d = s->device;
    uint32_t room = vconn_room(&s->v.c);

    *again = STREAM_WAITS;
    if (!room) {
        vmux_want_room(d->mux, &s->v);
        return 0;
    }
    if (!link_back_can_send(&d->back)) {
        *again = STREAM_THIRSTS;
        return 0;
    }
    *again = STREAM_MORE;
    return link_back_room(&d->back, want < room ? want : room, iov, PIECES, used);
}

static void send_to_guest(struct stream *s, uint32_t len)
{
    struct vsockif_hdr hdr;

    vmux_send(s->device->mux, &s->v, len, &hdr);
    link_back_send(&s->device->back, &hdr);
    s->device->moved = true;
}

/* The service has read so much. */
static void read_bytes(struct stream *s, uint32_t len)
{
    bool changed = stream_delivered(s, len);

    vmux_consumed(s->device->mux, &s->v, len);
    if (changed)
        vmux_set_buf_alloc(s->device->mux, &s->v, s->promise.bytes);
}

static enum stream_again echo(struct stream *s)
{
    struct iovec from, to[PIECES];
    struct device *d = s->device;
    enum stream_again again;
    uint32_t len;
    int used;

    if (inbox_is_empty(&s->inbox))
        return STREAM_WAITS;
    s->stuck = true;
    len = inbox_peek(&d->inboxes, &s->inbox, VSOCKIF_MAX_PACKET, &from, 1, &used);
    if (!(len = room_for(s, len, to, &used, &again)))
        return again;
    stream_copy(to, &from, len);
    send_to_guest(s, len);
    s->stuck = false;
    read_bytes(s, len);
    return inbox_is_empty(&s->inbox) ? STREAM_WAITS : STREAM_MORE;
}

static enum stream_again discard(struct stream *s)
{
    if (!inbox_is_empty(&s->inbox))
        read_bytes(s, s->inbox.bytes);
    return STREAM_WAITS;
}

static enum stream_again source(struct stream *s)
{
    enum stream_again again = STREAM_WAITS;
    struct iovec to[PIECES];
    uint32_t len;
    int used;

    stream_discard(s);
    if (s->guest_eof || vconn_is_send_shut(&s->v.c) || !(len = room_for(s, VSOCKIF_MAX_PACKET, to, &used, &again)))
        return again;
    for (int i = 0; i < used; i++)
        memset(to[i].iov_base, '.', to[i].iov_len);
    send_to_guest(s, len);
    return again;
}

static enum stream_again serve(struct stream *s)
{
    if (s->service == SERVICE_ECHO)
        return echo(s);
    if (s->service == SERVICE_SOURCE)
        return source(s);
    return discard(s);
}

enum stream_again service_turn(struct stream *s)
{
    enum stream_again again = STREAM_WAITS;

    if (!stream_is_closed(s))
        again = serve(s);
    if (!stream_is_closed(s) && s->guest_eof && !s->told_eof && inbox_is_empty(&s->inbox)) {
        s->told_eof = true;
        vmux_shutdown(s->device->mux, &s->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
    }
    if (stream_is_closed(s)) {
        stream_end(s);
        return STREAM_ENDED;
    }
    return again;
}
