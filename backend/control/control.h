/* SPDX-License-Identifier: MIT */
/* control.h: the control socket RUN/control.sock, mode 0600, and RUN/status.sock, which only tells, for whoever watches (status_group of
 * xvsd.conf(5)).  They are served alike and apart: no number of watchers keeps root out.
 *
 * A client sends one JSON object a line and gets one JSON object a line, in order; xvsd(8), section CONTROL SOCKET, is the
 * specification.  A line has at most CONTROL_LINE bytes.  A client's next request is read when it has taken the answer to the
 * one before: so a slow client holds one answer and nobody up.  What the keeper is asked may take until xenstored
 * answers; after CONTROL_ASK_MS the client hears that it does not.  Without descriptors they wait, and are accepted when a client
 * leaves, or in a while. */
#ifndef XVSD_CONTROL_H
#define XVSD_CONTROL_H

#include "worker.h"

#define CONTROL_LINE    65536u
#define CONTROL_CLIENTS 64u
#define CONTROL_ASK_MS  5000u   /* half of what xvs waits for an answer */

struct control;

/* fd: the listening socket, which it takes in any case.  tells_only: it is status.sock.  0 or a negative errno. */
int  control_start(struct worker *w, int fd, bool tells_only, struct control **out);
/* m: WALL_ANSWER. */
void control_answered(struct control *control, const struct wall_msg *m);
/* Harmless on NULL. */
void control_stop(struct control *control);

#endif
