/* SPDX-License-Identifier: MIT */
/* warden.h: no process that the agent has begun outlives it, however it ends.
 *
 * PR_SET_PDEATHSIG reaches children alone, and a process group only those who have stayed in it.  So the agent has a parent, which is a
 * subreaper: whoever loses his own parent becomes its child, and when the agent has ended it kills its children until it has none.  If it is
 * the warden that is killed, the agent hears of it (SIGTERM) and ends in order. */
#ifndef XVS_WARDEN_H
#define XVS_WARDEN_H

#include <stdbool.h>

/* First of all: SIGTERM, SIGINT, SIGHUP and SIGCHLD wait until they are heard, and end nobody before that. */
void warden_hold(void);
/* They come now. */
void warden_release(void);
/* Returns in a new process, which is to be the agent: 0, or a negative errno.  This one becomes the warden, passes SIGTERM, SIGINT and
 * SIGHUP on, and ends as the agent does. */
int warden_begin(void);
/* For the agent: the init system, which has begun the warden, is told that it is ready.  No process that is begun later can tell it anything. */
void warden_ready(void);
/* For the agent: if not, whoever is to be killed is to be killed by itself. */
bool warden_lives(void);

#endif
