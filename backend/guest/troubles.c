/* SPDX-License-Identifier: MIT */
/* troubles.c: see troubles.h. */
#include "troubles.h"

#include <stdlib.h>

#include "domain.h"

/* A domain with which something has failed, for as long as it does. */
struct trouble {
    struct list link;           /* in registry.troubles */
    uint32_t domid;
    struct backoff again;
    struct journal_guest journal;
};

static struct trouble *trouble_find(const struct registry *r, uint32_t domid)
{
    for (struct list *l = r->troubles.next; l != &r->troubles; l = l->next)
        if (container_of(l, struct trouble, link)->domid == domid)
            return container_of(l, struct trouble, link);
    return NULL;
}

bool trouble_may_try(const struct registry *r, uint32_t domid)
{
    const struct trouble *t = trouble_find(r, domid);

    return !t || backoff_may_try(&t->again, loop_now(r->loop));
}

static void forget_trouble(struct trouble *t)
{
    journal_guest_end(&t->journal);
    list_remove(&t->link);
    free(t);
}

void trouble_rescan_at(struct registry *r, uint64_t at)
{
    alarm_at(r->loop, &r->rescan, at);
}

void trouble_look_again(struct registry *r, bool all)
{
    r->rescan_all |= all;
    trouble_rescan_at(r, clock_deadline_ms(BACKOFF_FIRST_MS));
}

void trouble_has_failed(struct registry *r, uint32_t domid, const char *why)
{
    struct trouble *t = trouble_find(r, domid);
    char name[NAMES_DOMID];

    if (!t && (t = calloc(1, sizeof *t))) {
        t->domid = domid;
        list_init(&t->link);
        list_append(&r->troubles, &t->link);
        names_of_domid(name, domid);
        journal_guest_init(&t->journal, name, domid, 0);
    }
    if (!t) {
        trouble_rescan_at(r, clock_deadline_ms(BACKOFF_FIRST_MS));
        return;
    }
    backoff_failed(&t->again);
    journal_guest(&t->journal, JOURNAL_ERROR, "%s; next try in %llu s", why,
                  (unsigned long long)(t->again.at - loop_now(r->loop)) / 1000);
    trouble_rescan_at(r, t->again.at);
}

void trouble_tidy(struct registry *r)
{
    for (struct list *l = r->troubles.next, *next; l != &r->troubles; l = next) {
        struct trouble *t = container_of(l, struct trouble, link);

        next = l->next;
        if (domain_find(r, t->domid) || backoff_may_try(&t->again, loop_now(r->loop)))
            forget_trouble(t);
        else
            trouble_rescan_at(r, t->again.at);
    }
}

void trouble_forget_all(struct registry *r)
{
    while (!list_is_empty(&r->troubles))
        forget_trouble(container_of(r->troubles.next, struct trouble, link));
}
