/* SPDX-License-Identifier: MIT */
/* admit.h: whether the policy lets a host program reach a guest, by whose program it is: the kernel knows that of a socket from the
 * moment at which it was connected, and it is asked only if the policy asks for users or groups. */
#ifndef XVSD_ADMIT_H
#define XVSD_ADMIT_H

#include "lane.h"

/* fd: its socket.  0; -EACCES; or another negative errno: whose it is could not be found out. */
int admit(const struct lane *lane, int fd, uint32_t port);
/* The same for one that calls: a refusal is counted and told. */
int admit_client(struct lane *lane, int fd, uint32_t port);

#endif
