/* SPDX-License-Identifier: MIT */
/* sandbox.h: the system calls that a worker needs once it has begun, and no others. */
#ifndef XVSD_SANDBOX_H
#define XVSD_SANDBOX_H

/* From here on any other call ends the process by SIGSYS, after a line that names the call.  0 or a negative errno. */
int sandbox_enter(void);

#endif
