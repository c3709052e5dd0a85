/* SPDX-License-Identifier: MIT */
/* loop.h: the daemon's loop.  Each round sleeps in one epoll_wait() for all descriptors, lets libuv look at signals and
 * deadlines if there are any, and gives each device in 'turns' one piece of work.
 *
 * libuv is inside and not around: a wake-up by a guest then costs one epoll_wait() and not two, and that is a tenth of a
 * round trip. */
#ifndef XVSD_LOOP_H
#define XVSD_LOOP_H

#include "xvsd.h"

/* 0 or a negative errno. */
int  loop_init(struct xvsd *x);
/* Hears of xenstore from now on, and tries again when xenstored was away: 0 or a negative errno. */
int  loop_watch_store(struct xvsd *x);
/* Until x->is_over. */
void loop_run(struct xvsd *x);
void loop_close(struct xvsd *x);

#endif
