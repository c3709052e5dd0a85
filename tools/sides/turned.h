/* SPDX-License-Identifier: MIT */
/* turned.h: why we, or another program of the same user's, were refused a port of a guest's the last time (xvsd(8), WHY). */
#ifndef XVS_TURNED_H
#define XVS_TURNED_H

#include <stdint.h>

#include "reason.h"

/* dirfd: the guest's directory.  1 and the reason; 0: the daemon remembers none, or is older than the question; or a negative errno of the
 * guest's socket.  Waits for a second at most. */
int turned_ask(int dirfd, uint32_t port, struct reason *reason);

#endif
