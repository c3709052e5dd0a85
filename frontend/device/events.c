/* SPDX-License-Identifier: MIT */
/* events.c: which stream, listener or device has something to tell.  Each source is in the list at most once, with a
 * set of what is pending, so the list is bounded by the number of sources. */
#include "internal.h"

void source_init(struct source *source, enum source_kind kind)
{
    list_init(&source->link);
    source->pending = 0;
    source->kind = kind;
}

void source_raise(struct xvs *x, struct source *source, unsigned what)
{
    if (!source->pending)
        list_append(&x->events, &source->link);
    source->pending |= what;
}

void source_drop(struct source *source)
{
    list_remove(&source->link);
    source->pending = 0;
}

bool xvs_next_event(struct xvs *x, struct xvs_event *event)
{
    struct list *link = list_take(&x->events);
    struct source *source;

    *event = (struct xvs_event){ 0 };
    if (!link)
        return false;
    source = container_of(link, struct source, link);
    event->what = source->pending;
    source->pending = 0;
    if (source->kind == SOURCE_STREAM) {
        event->stream = container_of(source, struct xvs_stream, source);
        event->user = event->stream->user;
    } else if (source->kind == SOURCE_LISTENER) {
        event->listener = container_of(source, struct xvs_listener, source);
        event->user = event->listener->user;
    }
    return true;
}
