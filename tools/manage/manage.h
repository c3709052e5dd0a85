/* SPDX-License-Identifier: MIT */
/* manage.h: the agent's service manage: what the host asks of a guest as a whole, by typed requests (handler.h).
 *
 *     cpus, set-cpus    processors, cpus.h
 *     memory            memory.h
 *     freeze            file systems, freeze.h */
#ifndef XVS_MANAGE_H
#define XVS_MANAGE_H

#include "lines.h"

/* A conversation, until the caller has gone (-ECONNRESET), or another negative errno of lines.h. */
int manage_talk(struct lines *l, const char *argument);
/* Of functions.h. */
int manage_run(int in, int out, const char *argument);

#endif
