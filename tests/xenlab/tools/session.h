/* SPDX-License-Identifier: MIT
 *
 * session.h: commands of dom0's, run in this guest one at a time.
 *
 * A command gets a session and a process group of its own.  When it ends,
 * what it wrote is sent and the vchan closes: a daemon that it left behind
 * lives on, though without anybody to read what it prints.  When dom0's end
 * goes first, the whole process group is killed. */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include "frame.h"

/* How readily the kernel kills this process when the guest is out of memory:
 * what is tested goes, not the way to find out why. */
#define OOM_NEVER (-1000)
#define OOM_USUAL 0
void set_oom_score(int score);

/* Serves one command after the other on worker path 'slot'.  Returns when the
 * vchan is of no more use: 0, or -errno when it could not be offered at all. */
int session_loop(int slot);

#endif
