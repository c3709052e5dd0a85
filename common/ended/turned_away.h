/* SPDX-License-Identifier: MIT */
/* turned_away.h: the programs that were refused a stream lately, and why: of a host, by xvsd; or of a guest, by its agent.
 *
 * Firecracker's convention has no word for a refusal: the socket is closed.  So the program, or another of the same user's, may ask
 * afterwards, at the same socket:
 *
 *     "WHY <port>\n"     "REFUSED <port> <reason>\n" (reason.h): the last time that this user was refused that port; or "UNKNOWN <port>\n"
 *
 * In a guest, where a caller has several peers, it is the port of a CID; at the host there is but one, and the CID is 0.
 *
 * Once the user has been let in at that port, only the very process that was refused hears of it still: for the others it is no more so.
 *
 * The last TURNED_AWAY of a device are remembered, and a user learns of his own alone.  Pure. */
#ifndef XVS_TURNED_AWAY_H
#define XVS_TURNED_AWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reason.h"

#define TURNED_AWAY 32u
#define TURNED_LINE 64u         /* bytes of turned_line(), with its end */

struct turned {
    uint32_t cid, port;
    pid_t pid;
    uid_t uid;
    bool over;                  /* somebody of this user was let in since */
    struct reason reason;
};

struct turned_away {
    struct turned last[TURNED_AWAY];    /* a ring */
    uint32_t count, next;
};

void turned_note(struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port, struct reason reason);
/* …and was let in. */
void turned_let_in(struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port);
/* Of this very process, or else of this user and not over; NULL. */
const struct turned *turned_find(const struct turned_away *all, const struct ucred *who, uint32_t cid, uint32_t port);
/* The answer to WHY: its length. */
int  turned_line(char line[TURNED_LINE], uint32_t port, const struct turned *found);

#endif
