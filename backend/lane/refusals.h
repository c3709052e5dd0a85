/* SPDX-License-Identifier: MIT */
/* refusals.h: telling of what is refused again and again, or is a nuisance in another way: for each pair of who and whom one line at once,
 * and then one a second with how often it was since.
 *
 * A guest has its own, with lines of its own to spend (journal.h): what it is refused keeps no other line about it from being seen.
 * One thread. */
#ifndef XVSD_REFUSALS_H
#define XVSD_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "list.h"
#include "loop.h"

#define REFUSALS_MS   1000u     /* between two lines about a pair */
#define REFUSALS_MOST 256u      /* pairs at a time; what is beyond is told by its number alone */
#define REFUSALS_PAIR 200u      /* bytes of "may not reach …", with its end */

/* Of no pair: connections beyond its rate, and storms of notifications. */
#define REFUSALS_TOO_FAST (UINT64_C(1) << 59)
#define REFUSALS_NOISY    (UINT64_C(1) << 58)

struct refusals {
    struct loop *loop;
    struct journal_guest journal;
    struct list pairs;          /* struct pair.link (refusals.c), the one that may be told of first at the head */
    uint32_t count;             /* of them */
    uint32_t others;            /* refusals of pairs that found no room */
    struct alarm alarm;
};

void refusals_init(struct refusals *r, struct loop *loop);
/* Tells what has not been told. */
void refusals_end(struct refusals *r);

/* One more, of the pair of this number.  False if that is not being counted: then refusals_add() is due. */
bool refusals_again(struct refusals *r, uint64_t pair);
/* The first one.  what: event.h's kind and reason; who: whose lines these are; text: who may not reach whom; why: for this line alone. */
struct refusals_what {
    enum event_kind kind;
    const char *reason;         /* a word that stays, or NULL */
};
void refusals_add(struct refusals *r, struct refusals_what what, const struct journal_guest *who, uint64_t pair, const char *text,
                  const char *why);

#endif
