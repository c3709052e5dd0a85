/* SPDX-License-Identifier: MIT */
/* stream.c: the life of a stream as the application sees it.  The table (vmux.h) owns the record; it is ours between
 * stream_adopt() and the table's word that it is over. */
#include <errno.h>
#include <sys/socket.h>

#include "clock.h"
#include "packets.h"
#include "piece.h"
#include "receive.h"
#include "send.h"
#include "tell.h"
#include "unread.h"

#define MIN_BUFFER 4096u
#define MAX_BUFFER (64u << 20)

static int connect_to(struct xvs *x, uint64_t cid, uint32_t port, unsigned type, struct xvs_stream **out)
{
    struct trunk *t = trunk_of(x);
    struct vaddr local = { .cid = t->cid, .port = VSOCKIF_PORT_ANY }, peer = { .cid = cid, .port = port };
    uint64_t now = clock_deadline_ms(0);
    struct vmux_conn *conn;
    int err;

    *out = NULL;
    if (cid == 0 || cid > VSOCKIF_CID_LAST || port == VSOCKIF_PORT_ANY)
        return -EINVAL;
    if (!t->up)
        return -ENETDOWN;
    if (cid == t->cid || cid == VSOCKIF_CID_LOCAL)
        local.cid = peer.cid = VSOCKIF_CID_LOCAL;
    else if (type == VSOCKIF_TYPE_SEQPACKET && !vmux_has_seqpacket(t->mux))
        return -ESOCKTNOSUPPORT;
    err = vmux_connect(t->mux, local, peer, t->buffer, t->connect_timeout, now, &conn);
    if (!err && local.cid == VSOCKIF_CID_LOCAL && conn->local.port == port) {
        struct vmux_conn *itself = conn;        /* nobody listens there: the next port asks, and is told so */

        err = vmux_connect(t->mux, local, peer, t->buffer, t->connect_timeout, now, &conn);
        vmux_release(t->mux, itself, now);
    }
    if (err)
        return err;
    vconn_set_type(&conn->c, type);
    *out = stream_of(conn);
    stream_adopt(t, *out);
    t->opened++;
    packets_flush(t);
    wake_by(t->wake, vmux_next_deadline(t->mux));
    return 0;
}

int xvs_connect(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out)
{
    return connect_to(x, cid, port, VSOCKIF_TYPE_STREAM, out);
}

int xvs_connect_seqpacket(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out)
{
    return connect_to(x, cid, port, VSOCKIF_TYPE_SEQPACKET, out);
}

int xvs_accept(struct xvs_listener *l, struct xvs_stream **out)
{
    struct trunk *t = l->trunk;
    struct vmux_conn *conn = vmux_accept(t->mux, l->l);
    struct xvs_stream *s;
    unsigned what;

    *out = NULL;
    if (!conn)
        return -EAGAIN;
    *out = s = stream_of(conn);
    stream_adopt(t, s);
    t->opened++;
    /* What happened while nobody could be told. */
    what = (is_readable(s) || s->eof ? XVS_EVENT_IN : 0) | (s->v.c.state == VCONN_CLOSED ? XVS_EVENT_HUP : 0);
    if (what)
        source_raise(&t->events, &s->source, what);
    return 0;
}

int xvs_shutdown(struct xvs_stream *s, int how)
{
    static const unsigned flags[] = {
        [SHUT_RD] = VSOCKIF_SHUTDOWN_RCV,
        [SHUT_WR] = VSOCKIF_SHUTDOWN_SEND,
        [SHUT_RDWR] = VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND,
    };
    enum vconn_state before = s->v.c.state;
    struct trunk *t = s->trunk;

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (before != VCONN_ESTABLISHED)
        return before == VCONN_CLOSED && s->v.c.error ? -s->v.c.error : -ENOTCONN;
    if (how != SHUT_RD)
        send_gathered(t, s);
    vmux_shutdown(t->mux, &s->v, flags[how], clock_deadline_ms(0));
    if (how != SHUT_WR && s->unread)
        receive_drop(s);
    tell_end(s, before);
    packets_flush(t);
    return 0;
}

/* The record may be gone when this returns. */
static void let_go(struct xvs_stream *s)
{
    struct trunk *t = s->trunk;

    piece_release(t, s);
    unread_drop(t, s);
    list_remove(&s->blocked_link);
    source_drop(&s->source);
    vmux_release(t->mux, &s->v, clock_deadline_ms(0));
    packets_flush(t);
    wake_by(t->wake, vmux_next_deadline(t->mux));
}

void xvs_stream_close(struct xvs_stream *s)
{
    if (!s)
        return;
    send_gathered(s->trunk, s);
    let_go(s);
}

static void reset(struct xvs_stream *s, struct reason reason)
{
    vmux_abort(s->trunk->mux, &s->v, ECONNRESET, reason);
    let_go(s);
}

void xvs_stream_reset(struct xvs_stream *s)
{
    if (s)
        reset(s, REASON(ABORTED));
}

int xvs_stream_reset_with(struct xvs_stream *s, int reason, unsigned detail)
{
    struct reason r;

    if (reason < 0 || reason > UINT8_MAX || detail > UINT8_MAX)
        return -EINVAL;
    r = reason_of_guest((struct reason){ (uint8_t)reason, (uint8_t)detail });
    if (r.code != reason || r.detail != detail)
        return -EINVAL;
    if (s)
        reset(s, r);
    return 0;
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
    return xvs_of(s->trunk);
}

int xvs_stream_error(const struct xvs_stream *s)
{
    return s->v.c.state == VCONN_CLOSED ? -s->v.c.error : 0;
}

int xvs_stream_reason(const struct xvs_stream *s, unsigned *detail)
{
    if (detail)
        *detail = s->v.c.reason.detail;
    return s->v.c.reason.code;
}

const char *xvs_reason_text(int reason)
{
    return reason_text(reason < 0 ? REASONS : (unsigned)reason);
}

struct xvs_address xvs_stream_local(const struct xvs_stream *s)
{
    return (struct xvs_address){ .cid = s->v.local.cid, .port = s->v.local.port };
}

struct xvs_address xvs_stream_peer(const struct xvs_stream *s)
{
    return (struct xvs_address){ .cid = s->v.peer.cid, .port = s->v.peer.port };
}

bool xvs_stream_is_seqpacket(const struct xvs_stream *s)
{
    return has_messages(s);
}

int xvs_stream_set_buffer(struct xvs_stream *s, uint32_t bytes)
{
    if (bytes < MIN_BUFFER || bytes > MAX_BUFFER)
        return -EINVAL;
    vmux_set_buf_alloc(s->trunk->mux, &s->v, bytes);
    packets_flush(s->trunk);
    return 0;
}
