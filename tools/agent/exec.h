/* SPDX-License-Identifier: MIT */
/* exec.h: the service exec: a command, with its three streams or a terminal, in frames (proto/frame.h). */
#ifndef XVS_EXEC_H
#define XVS_EXEC_H

#include "agent.h"

/* Takes the call: 0, or a negative errno and c->why. */
int exec_begin(struct call *c);

#endif
