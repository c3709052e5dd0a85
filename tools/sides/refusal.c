/* SPDX-License-Identifier: MIT */
/* refusal.c: see refusal.h. */
#include "refusal.h"

#include <errno.h>
#include <stdio.h>

static int explain_policy(char why[WHY], const char *peer, uint32_t port, bool in_dom0)
{
    if (in_dom0)
        snprintf(why, WHY, "the policy of this host forbids you port %u of %s; 'xvs policy check @unix %s %u' shows the line", port, peer,
                 peer, port);
    else
        snprintf(why, WHY, "the policy of the host forbids this guest port %u of %s; its administrator finds the line with 'xvs policy "
                 "check'", port, peer);
    return -EKEYREJECTED;
}

int refusal_explain(char why[WHY], struct reason reason, const char *peer, uint32_t port, bool in_dom0)
{
    char line[REASON_LINE];

    switch (reason.code) {
    case VSOCKIF_REASON_NONE:
        snprintf(why, WHY, "nobody listens at port %u of %s, or its backlog is full: it does not say which", port, peer);
        return -ECONNREFUSED;
    case VSOCKIF_REASON_NOBODY:
        snprintf(why, WHY, "nobody listens at port %u of %s", port, peer);
        return -ECONNREFUSED;
    case VSOCKIF_REASON_BACKLOG:
        snprintf(why, WHY, "the program that listens at port %u of %s is busy: as many callers wait as it takes", port, peer);
        return -EUSERS;
    case VSOCKIF_REASON_POLICY:
        return explain_policy(why, peer, port, in_dom0);
    case VSOCKIF_REASON_UNKNOWN:
        snprintf(why, WHY, "no guest has the CID %s", peer);
        return -EHOSTUNREACH;
    case VSOCKIF_REASON_ABSENT:
    case VSOCKIF_REASON_LEFT:
        snprintf(why, WHY, "no program in %s has its vsock device open, so nobody can listen at port %u there", peer, port);
        return -EHOSTDOWN;
    case VSOCKIF_REASON_RATE:
        snprintf(why, WHY, "too many connections in too short a time: the host allows a guest only so many a second; try again later");
        return -EDQUOT;
    case VSOCKIF_REASON_LIMIT:
        snprintf(why, WHY, "there is no room for one more connection to port %u of %s: it has as many as it may have", port, peer);
        return -EDQUOT;
    case VSOCKIF_REASON_SHORT:
        snprintf(why, WHY, "there is no room for one more connection to port %u of %s: memory or descriptors are short there", port, peer);
        return -EDQUOT;
    case VSOCKIF_REASON_TIMEOUT:
        snprintf(why, WHY, "%s has not answered in time at port %u", peer, port);
        return -ETIMEDOUT;
    case VSOCKIF_REASON_UNUSABLE:
        snprintf(why, WHY, "what is at port %u of %s is no socket that can be connected to; the log of xvsd says why", port, peer);
        return -ECONNREFUSED;
    default:
        snprintf(why, WHY, "port %u of %s: %s", port, peer, reason_line(line, reason));
        return -ECONNREFUSED;
    }
}

int refusal_of_reset(struct reason reason)
{
    return reason_has_detail(reason) ? -ECHILD : -ECONNRESET;
}

struct reason refusal_of_errno(int err)
{
    switch (-err) {
    case ENOENT:
    case ECONNREFUSED:
        return REASON(NOBODY);
    case EAGAIN:
        return REASON(BACKLOG);
    case EDQUOT:
        return REASON(LIMIT);
    case ETIMEDOUT:
        return REASON(TIMEOUT);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return REASON(SHORT);
    default:
        return REASON(UNUSABLE);
    }
}
