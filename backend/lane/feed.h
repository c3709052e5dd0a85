/* SPDX-License-Identifier: MIT */
/* feed.h: what happens (event.h), as it happens, to whoever listens: the log has lines for some of it, bounded; here is all.
 *
 *     feed_is_heard()    does anybody listen?  Else nobody has to find out what there would be to tell
 *     feed_tell()        a guest's event, or the daemon's own
 *     feed_refused()     a call that has become no stream; what happens to those, stream.c tells
 *
 * A listener takes what it hears at once, and changes nothing.  One thread. */
#ifndef XVSD_FEED_H
#define XVSD_FEED_H

#include "lane.h"

struct happening {
    enum event_kind kind;
    struct lane *lane;          /* whose; NULL: the daemon's own */
    bool has_reason;
    struct reason reason;
    bool has_ends;
    bool by_guest;              /* RESET: it did it, and not who is at the other end */
    struct vaddr from, to;      /* of a stream: who called whom; a port that is not known is VSOCKIF_PORT_ANY */
    const char *text;           /* a sentence; NULL: the reason's, if there is one */
    const char *rule;           /* the line of the policy that decides, for who may read it; NULL for none */
};

struct feed_listener {
    struct list link;           /* in lanes.listeners */
    void (*hear)(struct feed_listener *listener, const struct happening *h);
};

static inline bool feed_is_heard(const struct lanes *all)
{
    return __builtin_expect(!list_is_empty(&all->listeners), 0);
}

void feed_tell(struct lanes *all, const struct happening *h);

/* A call that became no stream.  why: none of the policy's, of which gate.h tells. */
void feed_refused(struct lane *lane, struct vaddr from, struct vaddr to, struct reason why);

#endif
