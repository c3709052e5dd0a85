/* SPDX-License-Identifier: MIT */
/* control.h: the control socket RUN/control.sock, mode 0600.
 *
 * A client sends one JSON object a line and gets one JSON object a line, in order; xvsd(8), section CONTROL SOCKET, is the
 * specification.  A line has at most CONTROL_LINE bytes.  A client's next request is read when it has taken the answer to the
 * one before: so a slow client holds one answer and nobody up. */
#ifndef XVSD_CONTROL_H
#define XVSD_CONTROL_H

#include "xvsd.h"

#define CONTROL_LINE    65536u
#define CONTROL_CLIENTS 64u

struct control;

/* 0 or a negative errno; why has RUNDIR_WHY bytes. */
int  control_start(struct xvsd *x, char *why);
/* To be called now and then: it stops to accept when there are no descriptors left. */
void control_listen_again(struct xvsd *x);
/* Harmless when it was not started. */
void control_stop(struct xvsd *x);

#endif
