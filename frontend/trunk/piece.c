/* SPDX-License-Identifier: MIT */
/* piece.c: see piece.h. */
#include "piece.h"

#include <stdlib.h>
#include <string.h>

void piece_abandon(struct xvs_stream *s, uint32_t kept)
{
    if (s->reserved > kept)
        memset(s->piece + s->piece_len + kept, 0, s->reserved - kept);
    s->reserved = kept;
}

static void leave_local(struct trunk *t, struct xvs_stream *s)
{
    if (list_is_empty(&s->gather_link))
        return;                 /* piece_drop() was here before */
    piece_leave(t, s);
    t->local_count--;
}

void piece_free(struct trunk *t, struct xvs_stream *s)
{
    leave_local(t, s);
    t->heap_bytes -= s->piece_size;
    free(s->piece);
    piece_forget(s);
}

/* The backend never saw it, so no completion will tell those who wait for its memory. */
static void give_back(struct trunk *t, struct xvs_stream *s)
{
    piece_abandon(s, 0);
    memset(s->piece, 0, s->piece_len);
    if (t->up)
        link_front_cancel(&t->link, piece_offset(t, s), s->piece_size);
    piece_leave(t, s);
    piece_forget(s);
    if (t->up)
        piece_unblock(t);
}

void piece_release(struct trunk *t, struct xvs_stream *s)
{
    if (!s->piece)
        return;
    if (is_local(s))
        piece_free(t, s);
    else
        give_back(t, s);
}

void piece_drop(struct trunk *t, struct xvs_stream *s)
{
    if (!is_local(s) || !s->reserved) {
        piece_release(t, s);
        return;
    }
    /* The other end has gone, by a call for that one: the program may still be filling what it has reserved here. */
    leave_local(t, s);
    s->piece_len = s->piece_good = 0;
}

static void tell_all(struct trunk *t, struct list *waiting)
{
    struct list *link;

    while ((link = list_take(waiting))) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, blocked_link);

        s->wants_out = s->was_fed = false;
        source_raise(&t->events, &s->source, XVS_EVENT_OUT);
    }
}

void piece_unblock(struct trunk *t)
{
    /* All are told, and the first to write again may take all there is.  So those that got nothing the last time come first:
     * otherwise two streams that always want more would leave nothing to a third. */
    tell_all(t, &t->hungry);
    tell_all(t, &t->fed);
}
