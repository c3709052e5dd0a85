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

static uint32_t left(const struct accounts *all)
{
    uint64_t taken = (uint64_t)all->devices * ACCOUNT_DEVICE + all->files;

    return taken < all->files_most ? (uint32_t)(all->files_most - taken) : 0;
}

/* How many it may hold: as many as are free, within its own limit. */
static uint32_t share(const struct account *a)
{
    uint32_t most = left(a->all);

    return most < a->most ? most : a->most;
}

/* Places in the share that are taken. */
static uint32_t placed(const struct account *a)
{
    return a->files - a->greeted + a->kept;
}

static void take_file(struct account *a)
{
    a->files++;
    a->all->files++;
}

bool account_take_file(struct account *a)
{
    if (placed(a) >= share(a))
        return false;
    take_file(a);
    return true;
}

void account_give_file(struct account *a)
{
    a->files--;
    a->all->files--;
    a->told &= a->files > share(a) / 2;
}

/* ---- host programs that come in ---- */

bool account_greet(struct account *a, bool instead)
{
    if (!instead && (!left(a->all) || (a->greeted >= ACCOUNT_GREETED && placed(a) + a->greeted >= share(a))))
        return false;
    take_file(a);
    a->greeted++;
    return true;
}

void account_turn_out(struct account *a)
{
    a->greeted--;
}

bool account_let_in(struct account *a, bool vouched)
{
    account_turn_out(a);
    account_give_file(a);
    if (account_take_file(a)) {
        if (!vouched || account_keep(a))
            return true;
        account_give_file(a);
    }
    return !account_greet(a, true);
}

void account_let_in_kept(struct account *a)
{
    account_give_kept(a);
    account_turn_out(a);
}

bool account_keep(struct account *a)
{
    if (placed(a) >= share(a))
        return false;
    a->kept++;
    a->all->files++;
    return true;
}

void account_give_kept(struct account *a)
{
    a->kept--;
    a->all->files--;
}
