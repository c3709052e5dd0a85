/* SPDX-License-Identifier: MIT */
/* stream.c: what bridged and relayed streams have in common; see stream.h. */
#include "stream.h"

#include <errno.h>

#include "bridge.h"
#include "farewell.h"
#include "relay.h"
#include "serve.h"
#include "service.h"

void stream_init(struct stream *s, struct device *d)
{
    s->device = d;
    s->socket.fd = -1;
    list_init(&s->turn);
    list_init(&s->holding);
    list_init(&s->fate.watchers);
}

void stream_wake(struct stream *s)
{
    list_remove(&s->turn);
    list_append(&s->device->streams_turn, &s->turn);
    device_wake(s->device);
}

enum stream_again stream_turn(struct stream *s)
{
    if (s->service)
        return service_turn(s);
    if (s->farewell)
        return farewell_turn(s);
    return s->twin ? relay_turn(s) : bridge_turn(s);
}

void stream_offered(struct stream *s)
{
    struct device *d = s->device;
    int err;

    vmux_set_buf_alloc(d->mux, &s->v, promise_make(&d->promises, &s->promise));
    if (s->v.local.cid != VSOCKIF_CID_HOST)
        err = relay_connect(s);
    else if ((err = service_connect(s)))
        err = bridge_connect(s);
    if (err) {
        vmux_abort(d->mux, &s->v, ECONNREFUSED);
        stream_end(s);
    }
}

bool stream_event(struct stream *s, unsigned now, const struct link_request *packet)
{
    struct device *d = s->device;
    bool kept = false;

    if (now & VCONN_NOW_DATA && !s->host_deaf) {
        if (inbox_is_empty(&s->inbox))
            list_append(&d->holding, &s->holding);
        inbox_add(&d->inboxes, &s->inbox, packet->id, packet->data, packet->hdr.len);
        kept = true;
    } else if (now & VCONN_NOW_DATA) {
        vmux_consumed(d->mux, &s->v, packet->hdr.len);
    }
    s->host_left |= (now & (VCONN_NOW_DATA | VCONN_NOW_DROP)) && !kept;
    s->guest_eof |= (now & VCONN_NOW_EOF) != 0;
    if (s->service || s->farewell)
        stream_wake(s);
    else if (s->twin)
        relay_event(s, now);
    else
        bridge_event(s, now);
    return kept;
}

bool stream_delivered(struct stream *s, uint32_t len)
{
    s->stuck = false;
    s->device->delivered += len;
    inbox_take(&s->device->inboxes, &s->inbox, len);
    s->device->moved = true;
    if (inbox_is_empty(&s->inbox))
        list_remove(&s->holding);
    return promise_taken(&s->device->promises, &s->promise, len);
}

void stream_discard(struct stream *s)
{
    uint32_t len = inbox_drop(&s->device->inboxes, &s->inbox);

    list_remove(&s->holding);
    s->host_left |= len > 0;
    if (len && s->device->mux)
        vmux_consumed(s->device->mux, &s->v, len);
}

void stream_end(struct stream *s)
{
    struct device *d = s->device;

    stream_discard(s);
    list_remove(&s->turn);
    promise_end(&d->promises, &s->promise);
    farewell_end(s);
    bridge_close(s);
    vmux_release(d->mux, &s->v, clock_deadline_ms(0));
    device_wake(d);
}

void stream_lost(struct stream *s)
{
    if (fate_number(&s->fate))
        bridge_lost(s);
    if (s->twin)
        relay_lost(s);
    stream_discard(s);
    list_remove(&s->turn);
    farewell_end(s);
    bridge_close(s);
}

void stream_copy(const struct iovec *to, const struct iovec *from, uint32_t len)
{
    size_t to_at = 0, from_at = 0;

    while (len) {
        size_t n = len;

        if (n > to->iov_len - to_at)
            n = to->iov_len - to_at;
        if (n > from->iov_len - from_at)
            n = from->iov_len - from_at;
        memcpy((char *)to->iov_base + to_at, (const char *)from->iov_base + from_at, n);
        len -= (uint32_t)n;
        if ((to_at += n) == to->iov_len) {
            to++;
            to_at = 0;
        }
        if ((from_at += n) == from->iov_len) {
            from++;
            from_at = 0;
        }
    }
}
