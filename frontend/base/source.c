/* SPDX-License-Identifier: MIT */
/* source.c: see source.h. */
#include "source.h"

void source_init(struct source *source, enum source_kind kind)
{
    list_init(&source->link);
    source->pending = 0;
    source->kind = kind;
}

void source_raise(struct list *events, struct source *source, unsigned what)
{
    if (!source->pending)
        list_append(events, &source->link);
    source->pending |= what;
}

void source_drop(struct source *source)
{
    list_remove(&source->link);
    source->pending = 0;
}
