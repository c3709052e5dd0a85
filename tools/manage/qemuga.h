/* SPDX-License-Identifier: MIT */
/* qemuga.h: qemu-guest-agent in this guest: who may speak with it, and beginning it where it does not run.
 *
 * Debian's unit begins it when there is a virtio-serial port, which a Xen guest has not.  So it is begun here, by the first who needs it, on a
 * socket that listens already (as systemd hands one over: LISTEN_FDS), and stays until the agent ends: what it remembers between two
 * questions (open files, commands that it runs, whether it has frozen anything) is there for the next.  One that somebody else has begun
 * there, with "-m unix-listen -p /run/xvs/qga.sock", is as good.
 *
 * It hears one at a time, in the order in which they came, and tells nobody.  So there is a lock in front of it. */
#ifndef XVS_QEMUGA_H
#define XVS_QEMUGA_H

#include <stdbool.h>

#define QEMUGA_WHY 256

/* NULL, or why there is none, in words for a caller: that it is not installed, and what to do. */
const char *qemuga_absent(void);

/* The lock: a descriptor, which has it until it is closed, or a negative errno with why: -EBUSY if it was not free for some seconds, -EINTR
 * after a signal.  Uses SIGALRM. */
int qemuga_lock(char why[QEMUGA_WHY]);
/* Who has the lock: a connection, blocking, or a negative errno with why. */
int qemuga_connect(char why[QEMUGA_WHY]);

#endif
