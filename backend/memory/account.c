/* SPDX-License-Identifier: MIT */
/* account.c: see account.h. */
#include "account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void accounts_init(struct accounts *all)
{
    *all = (struct accounts){ .files_most = UINT32_MAX };
    list_init(&all->list);
}

void accounts_share_files(struct accounts *all, uint64_t limit)
{
    uint64_t most = limit > 2 * ACCOUNT_RESERVE ? limit - ACCOUNT_RESERVE : limit / 2;

    all->files_most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

static struct account *find(const struct accounts *all, const char *name, uint32_t number)
{
    for (struct list *l = all->list.next; l != &all->list; l = l->next) {
        struct account *a = container_of(l, struct account, link);

        if (a->number == number && !strcmp(a->name, name))
            return a;
    }
    return NULL;
}

struct account *account_open(struct accounts *all, const char *name, uint32_t number)
{
    struct account *a = find(all, name, number);

    if (!a && (a = calloc(1, sizeof *a))) {
        a->all = all;
        a->number = number;
        a->most = UINT32_MAX;
        snprintf(a->name, sizeof a->name, "%s", name);
        list_init(&a->link);
        list_append(&all->list, &a->link);
    }
    if (!a)
        return NULL;
    a->devices++;
    all->devices++;
    return account_join(a);
}

void account_close(struct account *a)
{
    if (!a)
        return;
    a->devices--;
    a->all->devices--;
    account_leave(a);
}

struct account *account_join(struct account *a)
{
    a->users++;
    return a;
}

void account_leave(struct account *a)
{
    if (--a->users)
        return;
    list_remove(&a->link);
    free(a);
}

/* How many it may hold: as many as are free, within its own limit. */
static uint32_t share(const struct account *a)
{
    const struct accounts *all = a->all;
    uint64_t taken = (uint64_t)all->devices * ACCOUNT_DEVICE + all->files;
    uint32_t left = taken < all->files_most ? (uint32_t)(all->files_most - taken) : 0;

    return left < a->most ? left : a->most;
}

bool account_take_file(struct account *a)
{
    if (a->files >= share(a))
        return false;
    a->files++;
    a->all->files++;
    return true;
}

void account_give_file(struct account *a)
{
    a->files--;
    a->all->files--;
    a->told &= a->files > share(a) / 2;
}
