/* SPDX-License-Identifier: MIT */
/* send.h: for the other calls on streams. */
#ifndef XVS_SEND_H
#define XVS_SEND_H

#include "trunk.h"

/* Sends the gathered packet, if there is one. */
void send_gathered(struct trunk *t, struct xvs_stream *s);

#endif
