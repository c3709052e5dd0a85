/* SPDX-License-Identifier: MIT */
/* reception.h: port 1: who calls, which service he names, and whether he may.
 *
 * Callers that have not named a service are bounded in number and in time, and those who are not the host cannot take the host's
 * places: at most half of these and half of the sessions are theirs. */
#ifndef XVS_RECEPTION_H
#define XVS_RECEPTION_H

#include "agent.h"
#include "services.h"

#define RECEPTION_WAITING 512u
#define RECEPTION_BACKLOG 1024u

struct reception {
    struct agent *agent;
    struct side *side;
    const char *dir;                    /* services.d */
    struct listening listening;
    struct list waiting;
    unsigned count, foreign;
    struct timer pause;
    bool entering;                      /* reception_room() is at work */
};

/* The part above 'listening' is the caller's.  EXIT_OK, or an exit status after a message. */
int  reception_open(struct reception *r);
void reception_close(struct reception *r);
/* A session has ended: there may be room. */
void reception_room(struct reception *r);

#endif
