/* SPDX-License-Identifier: MIT */
/* list.h: an intrusive doubly linked ring, after the kernel's.  A link that is in no list points to itself. */
#ifndef XVS_LIST_H
#define XVS_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

/* Appends link, which must be in no list. */
static inline void list_append(struct list *l, struct list *link)
{
    link->prev = l->prev;
    link->next = l;
    l->prev->next = link;
    l->prev = link;
}

/* Takes link out of whichever list it is in; harmless when it is in none. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Takes the first link out, or returns NULL. */
static inline struct list *list_take(struct list *l)
{
    struct list *first = l->next;

    if (first == l)
        return NULL;
    list_remove(first);
    return first;
}

#endif
