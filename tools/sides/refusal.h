/* SPDX-License-Identifier: MIT */
/* refusal.h: why nobody answered a call, in words, and the errno whose exit status tells it from the other causes.  Pure. */
#ifndef XVS_REFUSAL_H
#define XVS_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "reason.h"

/* Fills why.  peer: whom the caller named; in_dom0: where he is.  A negative errno (say.h). */
int refusal_explain(char why[WHY], struct reason reason, const char *peer, uint32_t port, bool in_dom0);

/* A stream that was open was reset for this: the errno of it.  -ECONNRESET if it is none of a command's. */
int refusal_of_reset(struct reason reason);

/* The other way: a call cannot be put through to a program of this host or guest, for this negative errno. */
struct reason refusal_of_errno(int err);

#endif
