/* SPDX-License-Identifier: MIT */
/* journal.h: one line a fact, for journald or for a person.
 *
 * Where standard error is journald's stream (JOURNAL_STREAM), a line that has fields (event.h says which) goes to journald's own socket
 * (journald.h); one that has none, or that is not taken there at once, to standard error, where it begins with its priority, "<3>".
 * Elsewhere it begins with the time.  Lines about a guest go through journal_guest(), which names it: "guest web1 (domid 5): …".  What a guest can provoke is
 * bounded per guest: a burst of JOURNAL_BURST lines, then one in JOURNAL_REFILL_MS; what was left out is counted and said.
 * Control characters never reach the log.  Nobody waits for journald: what neither of the two takes is counted, and said later.
 * One thread. */
#ifndef XVSD_JOURNAL_H
#define XVSD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

#define JOURNAL_BURST     20u
#define JOURNAL_REFILL_MS 2000u
#define JOURNAL_WHO       96        /* bytes of "guest NAME (domid N)", with its end */
#define JOURNAL_NAME      256       /* …of a domain's name as xl has it */

/* Each process of the daemon, first of all and before it gives anything up: finds out where lines go.  path: journald's socket
 * (JOURNALD_SOCKET).  Until then they are a person's. */
void journal_begin(const char *path);

/* Lines above this level are dropped; INFO at first. */
void journal_set_level(enum journal_level level);
bool journal_shows(enum journal_level level);

__attribute__((format(printf, 2, 3)))
void journal(enum journal_level level, const char *format, ...);

/* Who a line is about, and how many more lines it may cause. */
struct journal_guest {
    char who[JOURNAL_WHO];      /* "" for nobody in particular */
    char name[JOURNAL_NAME];    /* …and these are fields then, if there is a name */
    uint32_t domid, device;
    uint64_t cid;               /* the owner sets it; 0 for none */
    uint64_t since;             /* ms: when the bucket was last filled */
    uint32_t tokens;
    uint32_t left_out;
    uint64_t errors;            /* lines of level WARNING or worse, said or not */
};

void journal_guest_init(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number);
/* The guest is called otherwise now. */
void journal_guest_name(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number);
/* Its lines are about whom the other's are about; how many there may be stays its own affair. */
void journal_guest_as(struct journal_guest *g, const struct journal_guest *other);
/* The last line about it: how many were left out, if any. */
void journal_guest_end(struct journal_guest *g);
/* For lines about no guest in particular that guests can cause all the same: they begin with nothing. */
void journal_nobody_init(struct journal_guest *g);
__attribute__((format(printf, 3, 4)))
void journal_guest(struct journal_guest *g, enum journal_level level, const char *format, ...);
/* An event, with its kind's level and MESSAGE_ID.  g: NULL for the daemon's own.  reason: a word, or NULL. */
__attribute__((format(printf, 4, 5)))
void journal_event(struct journal_guest *g, enum event_kind kind, const char *reason, const char *format, ...);

#endif
