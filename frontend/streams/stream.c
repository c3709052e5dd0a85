/* SPDX-License-Identifier: MIT */
/* stream.c: the life of a stream as the application sees it.  The table (vmux.h) owns the record; it is ours between
 * stream_adopt() and stream_dispose(). */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

#define MIN_BUFFER 4096u
#define MAX_BUFFER (64u << 20)

void stream_adopt(struct xvs *x, struct xvs_stream *s)
{
    if (s->x)
        return;
    s->x = x;
    source_init(&s->source, SOURCE_STREAM);
    list_init(&s->gather_link);
    list_init(&s->blocked_link);
}

void stream_fail(struct xvs *x, struct xvs_stream *s, int error)
{
    struct vmux_event ev = { .kind = VMUX_CONN, .now = VCONN_NOW_CLOSED, .conn = &s->v };

    vmux_abort(x->mux, &s->v, error);
    pump_apply(x, &ev);
}

void stream_dispose(struct vmux_conn *conn, void *arg)
{
    struct xvs_stream *s = stream_of(conn);

    if (!s->x)
        return;
    send_release(arg, s);
    receive_drop(arg, s);
    list_remove(&s->blocked_link);
    source_drop(&s->source);
}

int xvs_connect(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out)
{
    struct vaddr local = { .cid = x->cid, .port = VSOCKIF_PORT_ANY }, peer = { .cid = cid, .port = port };
    uint64_t now = clock_deadline_ms(0);
    struct vmux_conn *conn;
    int err;

    *out = NULL;
    if (cid == 0 || cid > VSOCKIF_CID_LAST || port == VSOCKIF_PORT_ANY)
        return -EINVAL;
    if (!x->up)
        return -ENETDOWN;
    if (cid == x->cid || cid == VSOCKIF_CID_LOCAL)
        local.cid = peer.cid = VSOCKIF_CID_LOCAL;
    err = vmux_connect(x->mux, local, peer, x->opt.buffer, x->opt.connect_timeout, now, &conn);
    if (!err && local.cid == VSOCKIF_CID_LOCAL && conn->local.port == port) {
        struct vmux_conn *itself = conn;        /* nobody listens there: the next port asks, and is told so */

        err = vmux_connect(x->mux, local, peer, x->opt.buffer, x->opt.connect_timeout, now, &conn);
        vmux_release(x->mux, itself, now);
    }
    if (err)
        return err;
    *out = stream_of(conn);
    stream_adopt(x, *out);
    x->opened++;
    pump_flush(x);
    wake_by(&x->wake, vmux_next_deadline(x->mux));
    return 0;
}

int xvs_accept(struct xvs_listener *l, struct xvs_stream **out)
{
    struct xvs *x = l->x;
    struct vmux_conn *conn = vmux_accept(x->mux, l->l);
    struct xvs_stream *s;
    unsigned what;

    *out = NULL;
    if (!conn)
        return -EAGAIN;
    *out = s = stream_of(conn);
    stream_adopt(x, s);
    x->opened++;
    /* What happened while nobody could be told. */
    what = (s->unread || s->eof ? XVS_EVENT_IN : 0) | (s->v.c.state == VCONN_CLOSED ? XVS_EVENT_HUP : 0);
    if (what)
        source_raise(&x->events, &s->source, what);
    return 0;
}

/* An orderly close may end with a call of ours (the last byte read, the last direction shut). */
void stream_tell_end(struct xvs_stream *s, enum vconn_state before)
{
    if (s->v.c.state == VCONN_CLOSED && before != VCONN_CLOSED)
        source_raise(&s->x->events, &s->source, XVS_EVENT_HUP);
}

int xvs_shutdown(struct xvs_stream *s, int how)
{
    static const unsigned flags[] = {
        [SHUT_RD] = VSOCKIF_SHUTDOWN_RCV,
        [SHUT_WR] = VSOCKIF_SHUTDOWN_SEND,
        [SHUT_RDWR] = VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND,
    };
    enum vconn_state before = s->v.c.state;
    struct xvs *x = s->x;

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (before != VCONN_ESTABLISHED)
        return before == VCONN_CLOSED && s->v.c.error ? -s->v.c.error : -ENOTCONN;
    if (how != SHUT_RD)
        send_gathered(x, s);
    vmux_shutdown(x->mux, &s->v, flags[how], clock_deadline_ms(0));
    if (how != SHUT_WR && s->unread)
        xvs_done(s, s->unread);
    stream_tell_end(s, before);
    pump_flush(x);
    return 0;
}

/* The record may be gone when this returns. */
static void let_go(struct xvs_stream *s)
{
    struct xvs *x = s->x;

    send_release(x, s);
    receive_drop(x, s);
    list_remove(&s->blocked_link);
    source_drop(&s->source);
    vmux_release(x->mux, &s->v, clock_deadline_ms(0));
    pump_flush(x);
    wake_by(&x->wake, vmux_next_deadline(x->mux));
}

void xvs_stream_close(struct xvs_stream *s)
{
    if (!s)
        return;
    send_gathered(s->x, s);
    let_go(s);
}

void xvs_stream_reset(struct xvs_stream *s)
{
    if (!s)
        return;
    vmux_abort(s->x->mux, &s->v, ECONNRESET);
    let_go(s);
}

void xvs_stream_set_user(struct xvs_stream *s, void *user)
{
    s->user = user;
}

void *xvs_stream_user(const struct xvs_stream *s)
{
    return s->user;
}

struct xvs *xvs_stream_device(const struct xvs_stream *s)
{
    return s->x;
}

int xvs_stream_error(const struct xvs_stream *s)
{
    return s->v.c.state == VCONN_CLOSED ? -s->v.c.error : 0;
}

struct xvs_address xvs_stream_local(const struct xvs_stream *s)
{
    return (struct xvs_address){ .cid = s->v.local.cid, .port = s->v.local.port };
}

struct xvs_address xvs_stream_peer(const struct xvs_stream *s)
{
    return (struct xvs_address){ .cid = s->v.peer.cid, .port = s->v.peer.port };
}

int xvs_stream_set_buffer(struct xvs_stream *s, uint32_t bytes)
{
    if (bytes < MIN_BUFFER || bytes > MAX_BUFFER)
        return -EINVAL;
    vmux_set_buf_alloc(s->x->mux, &s->v, bytes);
    pump_flush(s->x);
    return 0;
}
