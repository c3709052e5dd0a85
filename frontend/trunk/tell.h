/* SPDX-License-Identifier: MIT */
/* tell.h: what has happened to a stream or a listener becomes events for the application. */
#ifndef XVS_TELL_H
#define XVS_TELL_H

#include "trunk.h"

/* What the table of connections reported. */
void tell_event(struct trunk *t, struct vmux_event *ev);
/* The stream ends from this side, with a reset. */
void tell_failed(struct trunk *t, struct xvs_stream *s, int error);
/* An orderly close may end with a call of ours (the last byte read, the last direction shut): XVS_EVENT_HUP if it has, since it
 * was in state 'before'. */
static inline void tell_end(struct xvs_stream *s, enum vconn_state before)
{
    if (s->v.c.state == VCONN_CLOSED && before != VCONN_CLOSED)
        source_raise(&s->trunk->events, &s->source, XVS_EVENT_HUP);
}

#endif
