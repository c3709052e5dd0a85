/* SPDX-License-Identifier: MIT */
/* joined.h: services whose stream is joined to something else, byte for byte: to a process's standard input and output, or to a socket. */
#ifndef XVS_JOINED_H
#define XVS_JOINED_H

#include "agent.h"
#include "services.h"

/* Takes the call: 0, or a negative errno and c->why. */
int joined_begin(struct call *c, const struct service *s);

#endif
