/* SPDX-License-Identifier: MIT */
/* edges.h: sockets in which something is left unread on purpose, so that poll() would call them readable for ever: whoever waits here hears
 * when more has come, or their program has ended its sending.
 *
 * The struct edge is the caller's, and lives until it is dropped. */
#ifndef XVS_EDGES_H
#define XVS_EDGES_H

#include "loop.h"

struct edge {
    int fd;
    void (*moved)(struct edge *e);      /* may drop no edge */
};

struct edges {
    struct loop *loop;
    struct watch watch;                 /* of one descriptor for all of them */
};

/* 0 or a negative errno. */
int  edges_begin(struct edges *all, struct loop *l);
/* Accepts a zeroed one.  No edge may be in it any more. */
void edges_end(struct edges *all);

/* 0 or a negative errno.  Calls once for what is there already. */
int  edge_add(struct edges *all, struct edge *e, int fd, void (*moved)(struct edge *e));
/* Accepts a zeroed or dropped one. */
void edge_drop(struct edges *all, struct edge *e);

#endif
