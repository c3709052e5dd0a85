/* SPDX-License-Identifier: MIT */
/* source.h: something that has events for the application: a stream, a listener, the device.
 *
 * Each is in the list of events at most once, with a set of what is pending, so the list is bounded by the number of
 * sources.  Whoever reads it (xvs_next_event()) knows what a source is a part of. */
#ifndef XVS_SOURCE_H
#define XVS_SOURCE_H

#include "list.h"

struct source {
    struct list link;           /* in the list of events while pending != 0 */
    unsigned pending;           /* XVS_EVENT_* */
    enum source_kind { SOURCE_DEVICE, SOURCE_LISTENER, SOURCE_STREAM } kind;
};

void source_init(struct source *source, enum source_kind kind);
void source_raise(struct list *events, struct source *source, unsigned what);
void source_drop(struct source *source);

#endif
