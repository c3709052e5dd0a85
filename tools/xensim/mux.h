/* SPDX-License-Identifier: MIT */
/* mux.h: the domU's /dev/xen/xenbus: many client processes on that one ring (ring.h). */
#ifndef XENSIM_MUX_H
#define XENSIM_MUX_H

#include "ring.h"

/* A descriptor at which clients can connect, or -errno. */
int mux_listen(const char *path);
/* Serves them until the process is killed. */
int mux_serve(struct ring *ring, int listener);

#endif
