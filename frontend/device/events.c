/* SPDX-License-Identifier: MIT */
/* events.c: which stream, listener or device has something to tell (source.h). */
#include "handle.h"

bool xvs_next_event(struct xvs *x, struct xvs_event *event)
{
    struct list *link = list_take(&x->trunk.events);
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
