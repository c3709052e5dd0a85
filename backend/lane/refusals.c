/* SPDX-License-Identifier: MIT */
/* refusals.c: see refusals.h. */
#include "refusals.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "reason.h"

struct pair {
    struct list link;
    uint64_t pair;
    uint64_t due;               /* ms: when it may be told of again */
    uint32_t more;              /* since it was told */
    struct refusals_what what;
    char text[REFUSALS_PAIR];
};

static struct pair *pair_at(struct list *l)
{
    return container_of(l, struct pair, link);
}

/* False if there was nothing to be told. */
static bool tell_more(struct refusals *r, struct pair *p)
{
    if (!p->more)
        return false;
    journal_event(&r->journal, p->what.kind, p->what.reason, "%s: %s%u times more", p->text, p->what.kind == EVENT_NOISY ? "" : "refused ",
                  p->more);
    p->more = 0;
    return true;
}

static void tell_others(struct refusals *r)
{
    if (r->others)
        journal_event(&r->journal, EVENT_FORBIDDEN, reason_word(VSOCKIF_REASON_POLICY), "the policy refused %u connects more, of other pairs",
                      r->others);
    r->others = 0;
}

static void put_off(struct refusals *r, struct pair *p)
{
    p->due = clock_deadline_ms(REFUSALS_MS);
    list_remove(&p->link);
    list_append(&r->pairs, &p->link);
    alarm_at(r->loop, &r->alarm, pair_at(r->pairs.next)->due);
}

static void forget(struct refusals *r, struct pair *p)
{
    list_remove(&p->link);
    r->count--;
    free(p);
}

/* Who was refused again in the last second is told of, and goes on to be watched. */
static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct refusals *r = container_of(alarm, struct refusals, alarm);

    while (!list_is_empty(&r->pairs) && pair_at(r->pairs.next)->due <= now) {
        struct pair *p = pair_at(r->pairs.next);

        if (tell_more(r, p))
            put_off(r, p);
        else
            forget(r, p);
    }
    tell_others(r);
    if (!list_is_empty(&r->pairs))
        alarm_at(r->loop, alarm, pair_at(r->pairs.next)->due);
}

void refusals_init(struct refusals *r, struct loop *loop)
{
    r->loop = loop;
    r->count = r->others = 0;
    journal_nobody_init(&r->journal);
    list_init(&r->pairs);
    alarm_init(&r->alarm, on_alarm);
}

void refusals_end(struct refusals *r)
{
    while (!list_is_empty(&r->pairs)) {
        tell_more(r, pair_at(r->pairs.next));
        forget(r, pair_at(r->pairs.next));
    }
    tell_others(r);
    journal_guest_end(&r->journal);
    alarm_stop(&r->alarm);
}

bool refusals_again(struct refusals *r, uint64_t pair)
{
    for (struct list *l = r->pairs.next; l != &r->pairs; l = l->next)
        if (pair_at(l)->pair == pair) {
            pair_at(l)->more++;
            return true;
        }
    return false;
}

void refusals_add(struct refusals *r, struct refusals_what what, const struct journal_guest *who, uint64_t pair, const char *text,
                  const char *why)
{
    struct pair *p;

    if (r->count == REFUSALS_MOST || !(p = calloc(1, sizeof *p))) {
        r->others++;
        alarm_at(r->loop, &r->alarm, clock_deadline_ms(REFUSALS_MS));
        return;
    }
    r->count++;
    p->pair = pair;
    p->what = what;
    snprintf(p->text, sizeof p->text, "%s", text);
    list_init(&p->link);
    put_off(r, p);
    journal_guest_as(&r->journal, who);
    journal_event(&r->journal, what.kind, what.reason, "%s: %s", text, why);
}
