/* SPDX-License-Identifier: MIT */
/* control.h: the control socket RUN/control.sock, mode 0600.
 *
 * A client sends one JSON object a line and gets one JSON object a line, in order; xvsd(8), section CONTROL SOCKET, is the
 * specification.  A line has at most CONTROL_LINE bytes.  A client's next request is read when it has taken the answer to the
 * one before: so a slow client holds one answer and nobody up.  Without descriptors they wait, and are accepted when a client
 * leaves, or in a while. */
#ifndef XVSD_CONTROL_H
#define XVSD_CONTROL_H

#include "rundir.h"
#include "verbs.h"

#define CONTROL_LINE    65536u
#define CONTROL_CLIENTS 64u

struct control;

/* about and rundir are the caller's, and outlive it.  0 or a negative errno; why has RUNDIR_WHY bytes. */
int  control_start(struct verbs_about *about, const struct rundir *rundir, struct control **out, char *why);
/* Harmless on NULL. */
void control_stop(struct control *control);

#endif
