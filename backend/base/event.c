/* SPDX-License-Identifier: MIT */
/* event.c: see event.h. */
#include "event.h"

static const struct {
    const char *word, *id;
    enum journal_level level;
} kinds[EVENTS_END] = {
    [EVENT_NONE] = { "", "", JOURNAL_DEBUG },
#define X(name, word, level, id, text) [EVENT_##name] = { word, id, JOURNAL_##level },
    EVENTS(X)
#undef X
};

const char *event_word(enum event_kind kind)
{
    return kinds[kind < EVENTS_END ? kind : EVENT_NONE].word;
}

const char *event_id(enum event_kind kind)
{
    return kinds[kind < EVENTS_END ? kind : EVENT_NONE].id;
}

enum journal_level event_level(enum event_kind kind)
{
    return kinds[kind < EVENTS_END ? kind : EVENT_NONE].level;
}
