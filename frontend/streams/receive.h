/* SPDX-License-Identifier: MIT */
/* receive.h: for the other calls on streams. */
#ifndef XVS_RECEIVE_H
#define XVS_RECEIVE_H

#include "trunk.h"

/* Nobody will read what is there. */
void receive_drop(struct xvs_stream *s);

#endif
