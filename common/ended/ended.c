/* SPDX-License-Identifier: MIT */
/* ended.c: see ended.h. */
#include "ended.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more, if there is memory and there are to be more. */
static void grow(struct ended_all *all)
{
    uint32_t room = all->room ? 2 * all->room : ENDED_MIN;
    struct ended *ring;

    if (all->count < all->room || room > all->most || !(ring = realloc(all->ring, room * sizeof *ring)))
        return;
    /* The ring is full: its oldest is at 'next', which must stay the begin. */
    if (all->next)
        memcpy(ring + all->room, ring, all->next * sizeof *ring);
    memmove(ring, ring + all->next, all->count * sizeof *ring);
    all->ring = ring;
    all->room = room;
    all->next = all->count;
}

void ended_note(struct ended_all *all, struct ended end)
{
    grow(all);
    if (!all->room)
        return;
    all->ring[all->next] = end;
    all->next = (all->next + 1) % all->room;
    if (all->count < all->room)
        all->count++;
}

const struct ended *ended_recall(const struct ended_all *all, uint32_t number)
{
    for (uint32_t i = 1; i <= all->count; i++) {
        const struct ended *e = &all->ring[(all->next + all->room - i) % all->room];

        if (e->number == number)
            return e;
    }
    return NULL;
}

void ended_free(struct ended_all *all)
{
    free(all->ring);
    all->ring = NULL;
    all->room = all->count = all->next = 0;
}

int ended_line(char line[ENDED_LINE], uint32_t number, const char *how, struct reason reason)
{
    char why[REASON_WORDS];

    if (!reason.code)
        return snprintf(line, ENDED_LINE, "ENDED %u %s\n", number, how);
    return snprintf(line, ENDED_LINE, "ENDED %u %s (%s)\n", number, how, reason_words(why, reason));
}
