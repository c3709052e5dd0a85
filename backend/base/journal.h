/* SPDX-License-Identifier: MIT */
/* journal.h: one line a fact, to stderr, for journald or for a person.
 *
 * Under systemd (JOURNAL_STREAM is set) a line begins with its priority, "<3>"; elsewhere with the time.  Lines
 * about a guest go through journal_guest(), which names it: "guest web1 (domid 5): …".  What a guest can provoke is
 * bounded per guest: a burst of JOURNAL_BURST lines, then one in JOURNAL_REFILL_MS; what was left out is counted and said.
 * Control characters never reach the log.  One thread. */
#ifndef XVSD_JOURNAL_H
#define XVSD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_BURST     20u
#define JOURNAL_REFILL_MS 2000u
#define JOURNAL_WHO       96        /* bytes of "guest NAME (domid N)", with its end */

/* syslog's numbers, which are sd-daemon's, too. */
enum journal_level { JOURNAL_ERROR = 3, JOURNAL_WARNING = 4, JOURNAL_NOTICE = 5, JOURNAL_INFO = 6, JOURNAL_DEBUG = 7 };

/* Lines above this level are dropped; INFO at first. */
void journal_set_level(enum journal_level level);
bool journal_shows(enum journal_level level);

__attribute__((format(printf, 2, 3)))
void journal(enum journal_level level, const char *format, ...);

/* Who a line is about, and how many more lines it may cause. */
struct journal_guest {
    char who[JOURNAL_WHO];
    uint64_t since;             /* ms: when the bucket was last filled */
    uint32_t tokens;
    uint32_t left_out;
    uint64_t errors;            /* lines of level WARNING or worse, said or not */
};

void journal_guest_init(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number);
/* The guest is called otherwise now. */
void journal_guest_name(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number);
/* The last line about it: how many were left out, if any. */
void journal_guest_end(struct journal_guest *g);
/* For lines about no guest in particular that guests can cause all the same: they begin with nothing. */
void journal_nobody_init(struct journal_guest *g);
__attribute__((format(printf, 3, 4)))
void journal_guest(struct journal_guest *g, enum journal_level level, const char *format, ...);

#endif
