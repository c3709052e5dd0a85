/* SPDX-License-Identifier: MIT */
/* holders.c: see holders.h. */
#include "holders.h"

#include <stdlib.h>

void holders_init(struct holders *h, unsigned most)
{
    *h = (struct holders){ .most = most };
    list_init(&h->all);
}

static struct holder *find(struct holders *h, uid_t uid)
{
    struct holder *holder;

    for (struct list *l = h->all.next; l != &h->all; l = l->next)
        if (container_of(l, struct holder, link)->uid == uid)
            return container_of(l, struct holder, link);
    if (!(holder = calloc(1, sizeof *holder)))
        return NULL;
    holder->uid = uid;
    list_append(&h->all, &holder->link);
    return holder;
}

static void forget_idle(struct holder *holder)
{
    if (holder->count)
        return;
    list_remove(&holder->link);
    free(holder);
}

struct holder *holder_take(struct holders *h, uid_t uid)
{
    struct holder *holder = h->count < h->most ? find(h, uid) : NULL;

    if (!holder)
        return NULL;
    if (uid != 0 && holder->count >= h->most - h->count) {
        forget_idle(holder);
        return NULL;
    }
    holder->count++;
    h->count++;
    return holder;
}

void holder_give(struct holders *h, struct holder *holder)
{
    holder->count--;
    h->count--;
    forget_idle(holder);
}
