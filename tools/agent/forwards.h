/* SPDX-License-Identifier: MIT */
/* forwards.h: ports of this guest's that lead straight to a socket or a command, as agent.conf says: nothing is said before the bytes.
 *
 * So an unmodified client and an unmodified server find each other, as by a channel of virtio-serial: in dom0 xvsd.conf's 'channel NAME =
 * PORT' is a UNIX socket, and here the port leads to one. */
#ifndef XVS_FORWARDS_H
#define XVS_FORWARDS_H

#include "agent.h"

struct forwards {
    struct agent *agent;
    struct side *side;
    struct list all;            /* struct forward.link (forwards.c) */
};

void forwards_begin(struct forwards *f, struct agent *a, struct side *side);
/* Makes it so as the agent's settings say now; sessions go on.  A port that cannot be had is tried again and again. */
void forwards_apply(struct forwards *f);
/* Accepts a zeroed one. */
void forwards_end(struct forwards *f);

#endif
