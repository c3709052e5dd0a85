/* SPDX-License-Identifier: MIT */
/* complaints.h: all that is wrong with what the administrator has written: whoever mends one thing wants to know of the next one, too.
 *
 * Each is a line that names the file, the line, what was wrong and what would be right.  All zero is none; complaints_free() is due
 * after the first.  One thread. */
#ifndef XVSD_COMPLAINTS_H
#define XVSD_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>

#define COMPLAINT      512      /* bytes of one, with its end */
#define COMPLAINTS_MOST 200u    /* that are kept; the others are counted */

struct complaints {
    char first[COMPLAINT];      /* "" for none; it is there without memory, too */
    char *lines;                /* all that are kept, each ended by a newline; NULL for none */
    size_t len;                 /* bytes of them */
    unsigned count;             /* all that there were */
};

/* Returns false, for whoever says so, too. */
__attribute__((format(printf, 2, 3)))
bool complain(struct complaints *c, const char *format, ...);
/* Calls say() with each that is kept, in their order, and with how many more there were, if any. */
void complaints_tell(const struct complaints *c, void (*say)(const char *line, void *arg), void *arg);
/* The first, and how many others there are, in COMPLAINT bytes. */
void complaints_sum(const struct complaints *c, char *why);
void complaints_free(struct complaints *c);

#endif
