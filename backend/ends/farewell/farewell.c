/* SPDX-License-Identifier: MIT */
/* farewell.c: see farewell.h. */
#include "farewell.h"

#include <stdlib.h>

#include "clock.h"

#define each_farewell(all, l) for (struct list *l = (all)->list.next, *next = l->next; l != &(all)->list; l = next, next = l->next)

static struct farewell *farewell_at(struct list *l)
{
    return container_of(l, struct farewell, link);
}

/* ---- one ---- */

struct farewell *farewell_new(const struct farewell_kind *kind, const struct lane *lane)
{
    struct farewells *all = lane->all->farewells;
    uint32_t own = lane->account->users - lane->account->devices;
    struct farewell *f;

    if (all->count + own >= FAREWELLS_MOST || !(f = calloc(1, kind->size)))
        return NULL;
    f->all = all;
    f->kind = kind;
    f->account = account_join(lane->account);
    list_init(&f->link);
    list_append(&all->list, &f->link);
    all->count++;
    farewell_put_off(f);
    return f;
}

struct farewell *farewell_new_of(const struct farewell_kind *kind, struct stream *s)
{
    struct lane *lane = s->lane;
    uint32_t lost = s->inbox.bytes;
    struct farewell *f = farewell_new(kind, lane);

    if (f) {
        f->left = s->inbox.bytes;
        f->of_messages = s->inbox.of_messages;
        lost = inbox_part(&lane->inboxes, &s->inbox, &f->data);
        f->left -= lost;
        f->is_cut = lost > 0;
    }
    if (lost)
        journal_guest(lane->journal, JOURNAL_NOTICE, "%u bytes of a stream that had ended are lost: its reader stands still",
                      lost);
    return f;
}

void farewell_put_off(struct farewell *f)
{
    f->give_up_at = clock_deadline_ms(f->all->lanes->settings->farewell_seconds * UINT64_C(1000));
    farewell_look_at(f, f->give_up_at);
}

void farewell_look_at(struct farewell *f, uint64_t at)
{
    alarm_at(f->all->lanes->loop, &f->all->alarm, at);
}

void farewell_drop_data(struct farewell *f)
{
    f->is_cut |= f->left > 0;
    f->left = 0;
    chunks_drop(&f->data, &f->account->held);
}

void farewell_free(struct farewell *f)
{
    farewell_drop_data(f);
    list_remove(&f->link);
    f->all->count--;
    account_leave(f->account);
    free(f);
}

/* ---- all ---- */

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct farewells *all = container_of(alarm, struct farewells, alarm);
    uint64_t lost = 0;
    uint32_t count = 0;

    each_farewell(all, l) {
        struct farewell *f = farewell_at(l);

        if (f->give_up_at > now) {
            farewell_look_at(f, f->give_up_at);
            if (f->kind->look)
                f->kind->look(f);
            continue;
        }
        lost += f->left;
        count += f->left > 0;
        farewell_drop_data(f);
        farewell_put_off(f);
        f->kind->give_up(f);
    }
    if (count)
        journal(JOURNAL_NOTICE, "streams are given up, for their guests are gone and their readers took nothing for %u s: %u, with %llu bytes "
                "that are lost", all->lanes->settings->farewell_seconds, count, (unsigned long long)lost);
}

void farewells_init(struct farewells *all, struct lanes *lanes)
{
    *all = (struct farewells){ .lanes = lanes };
    list_init(&all->list);
    alarm_init(&all->alarm, on_alarm);
}

void farewells_stop(struct farewells *all)
{
    alarm_stop(&all->alarm);
    each_farewell(all, l)
        if (farewell_at(l)->kind->stop)
            farewell_at(l)->kind->stop(farewell_at(l));
}
