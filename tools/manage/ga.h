/* SPDX-License-Identifier: MIT */
/* ga.h: qemu-guest-agent's own protocol, as who asks it speaks.
 *
 *     { "execute": "guest-get-osinfo", "arguments": { … } }      →
 *     { "return": … }   or   { "error": { "class": …, "desc": … } }
 *
 * Whoever was there before may have gone amid a question, and its answer comes then.  So a conversation begins with guest-sync-delimited: a byte
 * that is in no JSON, which ends what is half said, and a number that the answer brings back, behind such a byte.  All before it is
 * somebody else's. */
#ifndef XVS_GA_H
#define XVS_GA_H

#include "lines.h"

#define GA_CLASS 64
/* The classes of errors that no qemu-guest-agent gives, but who stands before it (qga.h): somebody else is there; it cannot be reached. */
#define GA_BUSY   "Busy"
#define GA_ABSENT "Absent"

struct ga {
    struct lines *lines;        /* the caller's */
    char class[GA_CLASS];       /* of its error, */
    char why[LINES_WHY];        /* and in its words, without control characters; or what is wrong with what it says */
};

/* All of these: 0, or a negative errno as lines.h has them, or
 *     -EREMOTEIO   it says no: class and why
 *     -EBUSY       somebody else is there: why
 *     -EPROTO      it makes no sense: why */
int ga_sync(struct ga *g, int64_t until);
/* Takes the reference of arguments, which may be NULL.  The value is what was returned. */
int ga_call(struct ga *g, const char *command, json_t *arguments, int64_t until, json_t **value);

#endif
