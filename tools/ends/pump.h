/* SPDX-License-Identifier: MIT */
/* pump.h: carries bytes between two ends, in both directions at once, until both have ended.
 *
 * Each direction is a flow of its own.  It holds nothing but what the ends hold, so a slow reader stops its writer and
 * neither direction can block the other.  The end of a flow is passed on as a half-close.  A reader that goes
 * away stops its writer, and the other direction goes on.  When both have ended, the ends are asked whether everything has
 * arrived (settle).
 *
 * When a == b there is one flow: an echo. */
#ifndef XVS_PUMP_H
#define XVS_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "end.h"

struct flow {
    struct end *from, *to;
    bool drained;               /* 'from' has ended, and 'to' has yet to be told */
    bool ended;
    bool cut;                   /* 'to' went away */
    bool lost;                  /* …while 'from' still had bytes for it */
    bool hold;                  /* do not pass the end on to 'to' while the other flow lives */
    bool vital;                 /* if 'to' goes away, all is over with -EPIPE */
    uint64_t bytes;
};

struct pump {
    struct flow flow[2];        /* a to b, b to a */
    struct loop *loop;
    struct task task;
    int64_t moved;              /* when a byte moved last, by clock_ns() */
    struct end *culprit;        /* which end gave the error, */
    bool reading;               /* and to what */
    size_t message;             /* bytes of the message that was too large for it (-EMSGSIZE) */
    /* Once: err is 0 when both flows ended and, if neither lost anything, all has arrived; else the error.  May free the pump; the ends are the caller's to close. */
    void (*over)(struct pump *p, int err);
};

/* The pump is zeroed but for flags in flow[]. */
void pump_start(struct pump *p, struct loop *l, struct end *a, struct end *b, void (*over)(struct pump *p, int err));
/* Stops it without 'over'. */
void pump_drop(struct pump *p);

#endif
