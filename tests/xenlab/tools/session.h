/* SPDX-License-Identifier: MIT
 *
 * session.h: one command of dom0's, run in this guest.
 *
 * The command gets a session and a process group of its own.  When it ends,
 * what it wrote is sent and the vchan closes: a daemon that it left behind
 * lives on, though without anybody to read what it prints.  When dom0's end
 * goes first, the whole process group is killed. */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include "frame.h"

/* Waits on worker path 'slot' for one client and serves it.  0, or -errno when
 * the session could not be offered at all. */
int session_run(int slot, unsigned int turn);

#endif
