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

/* Serves one command after the other on worker path 'slot'.  Returns when the
 * vchan is of no more use: 0, or -errno when it could not be offered at all. */
int session_loop(int slot);

#endif
