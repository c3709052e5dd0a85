/* SPDX-License-Identifier: MIT */
/* reason.h: why a connection was refused or reset, as an RST says it (vsockif.h, section 7).
 *
 *     reason_heard()     what a peer says, as far as it is on the list
 *     reason_of_guest()  …and may be a guest's
 *     reason_word(), reason_text(), reason_line()    for tools, for people
 *
 * The list is vsockif.h's, and nothing else has one.  Pure. */
#ifndef XVS_REASON_H
#define XVS_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vsockif.h"

#define REASONS VSOCKIF_REASONS_END     /* for a counter of each */

struct reason {
    uint8_t code;               /* enum vsockif_reason */
    uint8_t detail;             /* of STATUS and SIGNAL; else 0 */
};

#define REASON(name) ((struct reason){ VSOCKIF_REASON_##name, 0 })

/* Any two numbers of a peer's: what is not on the list is NONE. */
struct reason reason_heard(unsigned code, unsigned detail);
/* What a guest says, for the daemon: one that only the daemon and its host can know is NONE as well. */
struct reason reason_of_guest(struct reason r);

static inline bool reason_has_detail(struct reason r)
{
    return r.code == VSOCKIF_REASON_STATUS || r.code == VSOCKIF_REASON_SIGNAL;
}

/* "policy", "status"; "unspecified" for any other number. */
const char *reason_word(unsigned code);
/* The sentence; never NULL. */
const char *reason_text(unsigned code);

#define REASON_LINE 96u         /* bytes of a line, with its end */
/* "the policy of the host forbids it", "the command at the other end has failed: its exit status 3".  Returns line. */
const char *reason_line(char line[REASON_LINE], struct reason r);

/* "policy" or "status 3", as tools write and read it. */
#define REASON_WORDS 24u
const char *reason_words(char words[REASON_WORDS], struct reason r);
/* False, and NONE, if it is not such. */
bool reason_parse(const char *words, struct reason *r);

#endif
