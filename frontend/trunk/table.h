/* SPDX-License-Identifier: MIT */
/* table.h: all streams of a device. */
#ifndef XVS_TABLE_H
#define XVS_TABLE_H

#include "trunk.h"

/* Without rings, and without streams: 0, or -errno; table_close() is legal after either. */
int  table_open(struct trunk *t, struct wake *wake, const struct xvs_options *opt);
/* The rings are going away: every stream ends, its unread data moves to the heap.  Listeners stay. */
void table_reset(struct trunk *t);
/* Listeners have been closed. */
void table_close(struct trunk *t);

#endif
