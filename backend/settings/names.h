/* SPDX-License-Identifier: MIT */
/* names.h: what a guest may be called, in the settings and in the run directory.
 *
 * xl takes anything for a domain's name, blanks, slashes and colons among it, and XAPI gives one name to several.  A name
 * is used here only if it can be a file name and cannot be taken for anything else; every other domain is known by
 * its domid, as ":5", which no name can be, and in the settings by its UUID.  Pure; any thread. */
#ifndef XVSD_NAMES_H
#define XVSD_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define NAMES_MAX   64          /* bytes of a name */
#define NAMES_UUID  37          /* bytes of a UUID as text, with its end */
#define NAMES_DOMID 8           /* bytes of a domid as a name, with its end */

#define NAMES_ARE "letters, digits and _.+-, at most 64 of them, no dot at the beginning"

/* True if this may be the name of a guest: 1 to NAMES_MAX letters, digits and _ . + -, not beginning with a dot. */
bool names_is_good(const char *name);

/* A pattern of names has a "*", which stands for any characters or none; the other characters are those of names. */
#define NAMES_EACH "*"
bool names_is_pattern(const char *text);
bool names_fit(const char *pattern, const char *name);
/* How closely it says what it means: its characters other than "*". */
unsigned names_own_characters(const char *pattern);

/* A UUID of 32 digits in five groups, in lower case into out; false if text is none. */
bool names_read_uuid(const char *text, char out[NAMES_UUID]);

/* ":5". */
void names_of_domid(char out[NAMES_DOMID], uint32_t domid);

#endif
