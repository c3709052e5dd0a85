/* SPDX-License-Identifier: MIT */
/* turn.h: what else turns the crank (xvs_process(), xvs_wait()). */
#ifndef XVS_TURN_H
#define XVS_TURN_H

#include "handle.h"

/* Sleeps until something comes, at most timeout ms (-1: no limit), and takes it in: 0 when the time is over, 1, or -EINTR.  May
 * return early: the caller looks for what it waits for and calls again. */
int  turn_sleep(struct xvs *x, int timeout);
/* Sets the timer for the next deadline. */
void turn_set_timer(struct xvs *x);

#endif
