/* SPDX-License-Identifier: MIT */
/* waited.h: an end (end.h) as a channel (channel.h): calls that wait, by running the loop until the end wakes.
 *
 * So timers and signals go on while straight-line code waits for bytes.  A signal ends every further call with -EINTR. */
#ifndef XVS_WAITED_H
#define XVS_WAITED_H

#include "channel.h"
#include "end.h"
#include "loop.h"

struct waited {
    struct channel channel;
    struct loop *loop;
    struct end *end;            /* the caller's */
    bool woken;                 /* perhaps in a turn, or while somebody waited for another one */
};

void waited_init(struct waited *w, struct loop *l, struct end *e);

/* Runs the loop once without waiting: for code that does not come to wait for long.  -EINTR after a signal. */
int  waited_turn(struct loop *l);
/* Runs the loop until loop_stop(), as often as it is called.  -EINTR after a signal. */
int  waited_run(struct loop *l);

/* All was said and heard: ends the conversation in order, if the other end does within 'patience' ns. */
void waited_finish(struct waited *w, int64_t patience);

#endif
