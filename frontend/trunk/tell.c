/* SPDX-License-Identifier: MIT */
/* tell.c: see tell.h. */
#include "tell.h"

#include <errno.h>

#include "piece.h"
#include "unread.h"

void tell_event(struct trunk *t, struct vmux_event *ev)
{
    struct xvs_stream *s;

    if (ev->kind == VMUX_INCOMING) {
        struct xvs_listener *l = vmux_listener_user(ev->listener);

        source_raise(&t->events, &l->source, XVS_EVENT_ACCEPT);
        return;
    }
    if (ev->kind != VMUX_CONN || ev->conn->released)
        return;
    s = stream_of(ev->conn);
    stream_adopt(t, s);
    if (ev->now & VCONN_NOW_EOF)
        s->eof = true;
    if (ev->now & VCONN_NOW_DEAF)
        s->piece_good = 0;
    if (ev->now & VCONN_NOW_CLOSED) {
        if (s->v.c.error == ECONNRESET)
            t->resets++;
        piece_drop(t, s);
        list_remove(&s->blocked_link);
    }
    /* Of a message whose end will not come nothing is kept; behind whole ones it goes when they are read. */
    if (ev->now & (VCONN_NOW_EOF | VCONN_NOW_CLOSED) && has_messages(s) && !s->messages)
        unread_drop(t, s);
    if (s->v.listener)
        return;                 /* nobody has accepted it: stream.c tells what has happened when somebody does */
    if (ev->now & VCONN_NOW_OPEN)
        source_raise(&t->events, &s->source, XVS_EVENT_OPEN);
    if (ev->now & (VCONN_NOW_DATA | VCONN_NOW_EOF) && (!has_messages(s) || s->messages || s->eof))
        source_raise(&t->events, &s->source, XVS_EVENT_IN);
    if (ev->now & VCONN_NOW_CLOSED)
        source_raise(&t->events, &s->source, XVS_EVENT_HUP);
    if (s->wants_out && (ev->now & (VCONN_NOW_ROOM | VCONN_NOW_DEAF | VCONN_NOW_CLOSED))) {
        s->wants_out = false;
        source_raise(&t->events, &s->source, XVS_EVENT_OUT);
    }
}

void tell_failed(struct trunk *t, struct xvs_stream *s, int error)
{
    struct vmux_event ev = { .kind = VMUX_CONN, .now = VCONN_NOW_CLOSED, .conn = &s->v };

    vmux_abort(t->mux, &s->v, error, REASON(SHORT));
    tell_event(t, &ev);
}
