/* SPDX-License-Identifier: MIT */
/* fate.c: see fate.h. */
#include "fate.h"

#include <errno.h>
#include <string.h>

#include "vsockif.h"

int fates_init(struct fates *all)
{
    memset(all, 0, sizeof *all);
    all->past.most = FATES_PAST;
    return hash_init(&all->living);
}

void fates_free(struct fates *all)
{
    hash_free(&all->living);
    ended_free(&all->past);
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

void fates_note(struct fates *all, uint32_t number, enum fate_end end, struct reason reason)
{
    ended_note(&all->past, (struct ended){ .number = number, .end = (uint8_t)end, .reason = reason });
}

int fates_recall(const struct fates *all, uint32_t number, enum fate_end *end, struct reason *reason)
{
    const struct ended *e = ended_recall(&all->past, number);

    if (!e)
        return -ENOENT;
    *end = (enum fate_end)e->end;
    *reason = e->reason;
    return 0;
}

int fate_line(char line[ENDED_LINE], uint32_t number, enum fate_end end, struct reason reason)
{
    static const char *const words[] = {
#define X(name, word, text) word text,
        FATES(X)
#undef X
    };

    return ended_line(line, number, words[end], reason);
}
