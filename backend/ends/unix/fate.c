/* SPDX-License-Identifier: MIT */
/* fate.c: see fate.h. */
#include "fate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vsockif.h"

#define PAST_MIN 64u

struct fate_past {
    uint32_t number;
    uint8_t end;                /* enum fate_end */
    struct reason reason;
};

int fates_init(struct fates *all)
{
    memset(all, 0, sizeof *all);
    return hash_init(&all->living);
}

void fates_free(struct fates *all)
{
    hash_free(&all->living);
    free(all->past);
    memset(all, 0, sizeof *all);
}

/* ---- the living ---- */

void fate_init(struct fate *f, const struct watched_kind *kind)
{
    f->link.key = 0;
    list_init(&f->watched.list);
    f->watched.kind = kind;
}

void fate_open(struct fates *all, struct fate *f, uint32_t number)
{
    hash_insert(&all->living, &f->link, number);
}

void fate_close(struct fates *all, struct fate *f)
{
    if (f->link.key)
        hash_remove(&all->living, &f->link);
    f->link.key = 0;
}

struct fate *fates_find(const struct fates *all, uint32_t number)
{
    for (struct hash_link *l = hash_first(&all->living, number); l; l = l->next)
        if (l->key == number)
            return container_of(l, struct fate, link);
    return NULL;
}

uint32_t fates_number(const struct fates *all)
{
    uint32_t number;

    do
        number = hash_random() | FATE_FIRST;
    while (number == VSOCKIF_PORT_ANY || fates_find(all, number));
    return number;
}

/* ---- the past ---- */

/* Room for one more, if there is memory and there are to be more. */
static void grow(struct fates *all)
{
    uint32_t room = all->room ? 2 * all->room : PAST_MIN;
    struct fate_past *past;

    if (all->count < all->room || room > FATES_PAST || !(past = realloc(all->past, room * sizeof *past)))
        return;
    /* The ring is full: its oldest is at 'next', which must stay the begin. */
    if (all->next)
        memcpy(past + all->room, past, all->next * sizeof *past);
    memmove(past, past + all->next, all->count * sizeof *past);
    all->past = past;
    all->room = room;
    all->next = all->count;
}

void fates_note(struct fates *all, uint32_t number, enum fate_end end, struct reason reason)
{
    grow(all);
    if (!all->room)
        return;
    all->past[all->next] = (struct fate_past){ number, (uint8_t)end, reason };
    all->next = (all->next + 1) % all->room;
    if (all->count < all->room)
        all->count++;
}

int fates_recall(const struct fates *all, uint32_t number, enum fate_end *end, struct reason *reason)
{
    for (uint32_t i = 1; i <= all->count; i++) {
        const struct fate_past *p = &all->past[(all->next + all->room - i) % all->room];

        if (p->number == number) {
            *end = (enum fate_end)p->end;
            *reason = p->reason;
            return 0;
        }
    }
    return -ENOENT;
}

int fate_line(char line[FATE_LINE], uint32_t number, enum fate_end end, struct reason reason)
{
    static const char *const words[] = {
#define X(name, word, text) word text,
        FATES(X)
#undef X
    };
    char why[REASON_WORDS];

    if (!reason.code)
        return snprintf(line, FATE_LINE, "ENDED %u %s\n", number, words[end]);
    return snprintf(line, FATE_LINE, "ENDED %u %s (%s)\n", number, words[end], reason_words(why, reason));
}
