/* SPDX-License-Identifier: MIT */
/* sandbox.h: what the kernel does for the daemon's processes, and what it does not.
 *     sandbox_refuse_rings()  the keeper, before it begins its loop, and so for its children
 *     sandbox_enter()         a worker once it has begun: the system calls that it needs, and no others */
#ifndef XVSD_SANDBOX_H
#define XVSD_SANDBOX_H

/* From here on this process and its children get no ring of io_uring (ENOSYS).  What is asked of the kernel by one passes every filter
 * of system calls, and libuv makes one by itself, from 1.45 on.  0 or a negative errno. */
int sandbox_refuse_rings(void);

/* From here on any other call ends the process by SIGSYS, after a line that names the call.  0 or a negative errno. */
int sandbox_enter(void);

#endif
