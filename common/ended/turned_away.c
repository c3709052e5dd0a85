/* SPDX-License-Identifier: MIT */
/* turned_away.c: see turned_away.h. */
#include "turned_away.h"

#include <stddef.h>
#include <stdio.h>

void turned_note(struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port, struct reason reason)
{
    all->last[all->next] = (struct turned){ .cid = cid, .port = port, .pid = who->pid, .uid = who->uid, .reason = reason };
    all->next = (all->next + 1) % TURNED_AWAY;
    if (all->count < TURNED_AWAY)
        all->count++;
}

void turned_let_in(struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port)
{
    for (uint32_t i = 0; i < all->count; i++)
        all->last[i].over |= all->last[i].cid == cid && all->last[i].port == port && all->last[i].uid == who->uid;
}

const struct turned *turned_find(const struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port)
{
    const struct turned *of_user = NULL;

    for (uint32_t i = 1; i <= all->count; i++) {
        const struct turned *t = &all->last[(all->next + TURNED_AWAY - i) % TURNED_AWAY];

        if (t->cid != cid || t->port != port || t->uid != who->uid)
            continue;
        if (t->pid == who->pid)
            return t;
        if (!of_user && !t->over)
            of_user = t;
    }
    return of_user;
}

int turned_line(char line[TURNED_LINE], uint32_t port, const struct turned *found)
{
    char words[REASON_WORDS];

    if (!found)
        return snprintf(line, TURNED_LINE, "UNKNOWN %u\n", port);
    return snprintf(line, TURNED_LINE, "REFUSED %u %s\n", port, reason_words(words, found->reason));
}
