/* SPDX-License-Identifier: MIT */
/* deliver.h: an end that is what another guest sent before it was gone (farewell.h). */
#ifndef XVSD_DELIVER_H
#define XVSD_DELIVER_H

#include "stream.h"

extern const struct end_kind deliver_end;

/* Puts what is in the inbox of 'gone' at the other end of 'stays', which was another's until now.  False: nothing of it could be
 * kept, and nothing has changed. */
bool deliver_begin(struct stream *stays, struct stream *gone);

#endif
