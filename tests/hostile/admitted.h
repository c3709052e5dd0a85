/* SPDX-License-Identifier: MIT */
/* admitted.h: a guest by hand (rawfront.h) that the test's daemon (daemon.h) knows to be connected. */
#ifndef XVS_TEST_ADMITTED_H
#define XVS_TEST_ADMITTED_H

#include "rawfront.h"

/* rawfront_connect(), and waits until the daemon has heard of it: before that it refuses host programs, as the guest is not there.
 * 0 or a negative errno. */
int  daemon_connect(struct rawfront *f);

#endif
