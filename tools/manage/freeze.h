/* SPDX-License-Identifier: MIT */
/* freeze.h: file systems that stand still for a while, by qemu-guest-agent, which has hooks for databases; and thaw whatever happens.
 *
 *     { "request": "freeze", "seconds": 30 }
 *     → { "frozen": 3 }                                  file systems
 *     { "request": "thaw" }                              or the end of the stream, or nothing until the time is over
 *     → { "thawed": 3, "held": true }                    false: it was over, or some of them had been thawed by others
 *
 * Who asked may be killed, and so may we: the end of the stream and the time thaw them, and if this process dies, its guard does, a
 * process that waits for nothing else.  If the whole agent dies, a file says that something is frozen, and the next agent sees to it. */
#ifndef XVS_FREEZE_H
#define XVS_FREEZE_H

#include "handler.h"

#define FREEZE_MOST     3600u           /* seconds */
#define FREEZE_PATIENCE 60u             /* seconds that freezing may take: what is not written yet is written then */

extern const struct handler handler_freeze;

/* When an agent begins: thaws what a former one has left frozen, in a process of its own.  0, or a negative errno: there is none. */
int freeze_mend(void);

#endif
