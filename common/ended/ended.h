/* SPDX-License-Identifier: MIT */
/* ended.h: how the last streams ended, by their numbers, and the line that tells of an end: xvsd's for host programs, and the agent's for those
 * of its guest (xvsd(8), HOW A STREAM ENDED).  What the ends are is for who notes them.  Pure but for memory; one thread. */
#ifndef XVS_ENDED_H
#define XVS_ENDED_H

#include <stdint.h>
#include <sys/types.h>

#include "reason.h"

#define ENDED_LINE 160u         /* bytes of ended_line(), with its end */

struct ended {
    uint32_t number;
    uid_t uid;                  /* whose it was, where that matters */
    uint8_t end;
    struct reason reason;
};

struct ended_all {              /* zeroed at the beginning, but for most */
    struct ended *ring;         /* as many as there were, up to 'most', a power of two times ENDED_MIN */
    uint32_t room, count, next, most;
};

#define ENDED_MIN 64u

/* Without memory the oldest end is forgotten earlier. */
void ended_note(struct ended_all *all, struct ended end);
/* The last end of a stream of that number, until the next call; NULL. */
const struct ended *ended_recall(const struct ended_all *all, uint32_t number);
void ended_free(struct ended_all *all);

/* "ENDED <number> <how>[ (<reason>)]\n": its length.  how: a word, and perhaps more. */
int  ended_line(char line[ENDED_LINE], uint32_t number, const char *how, struct reason reason);

#endif
