/* SPDX-License-Identifier: MIT */
/* events.h: the verb "events": after its answer the client gets a line of JSON for each event (event.h, xvsd(8)), and no more answers.
 *
 * What it has not taken yet waits here, at most EVENTS_BYTES of it; what finds no room is lost and counted, and the count is the next line
 * that the client gets: nobody else waits for it.  One thread. */
#ifndef XVSD_EVENTS_H
#define XVSD_EVENTS_H

#include <jansson.h>

#include "feed.h"
#include "who.h"
#include "worker.h"

#define EVENTS_MOST   16u               /* subscriptions at a time */
#define EVENTS_GUESTS 16u               /* that one names */
#define EVENTS_BYTES  (256u << 10)
#define EVENTS_KEYS   "guests"

struct subscription {
    struct feed_listener listener;
    struct worker *worker;
    bool tells_only;                    /* it is not to see the policy; the caller's to set, with owner and filled, before anything happens */
    void *owner;                        /* the caller's, … */
    void (*filled)(struct subscription *s);     /* …who hears that there is something to be sent */
    struct who guests[EVENTS_GUESTS];   /* whose events; none: all */
    size_t guest_count;
    uint64_t lost;
    size_t first, used;
    char bytes[EVENTS_BYTES];
};

/* The answer.  *out: a subscription, which is the caller's; NULL, it is refused. */
json_t *events_verb(struct worker *w, json_t *request, struct subscription **out);
/* It is no more.  Harmless on NULL. */
void events_over(struct subscription *s);

/* The oldest bytes; 0 for none. */
static inline size_t events_peek(const struct subscription *s, const char **bytes)
{
    *bytes = s->bytes + s->first;
    return s->used;
}
void events_taken(struct subscription *s, size_t len);

#endif
