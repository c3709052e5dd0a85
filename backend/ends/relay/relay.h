/* SPDX-License-Identifier: MIT */
/* relay.h: an end that is another guest.
 *
 * The stream is two connections, one in each lane's table, that are each other's twin.  Each end is promised what the other end has
 * promised: buf_alloc and fwd_cnt pass through, so the daemon need not queue anything and has no promise of its own to
 * keep.  Data is copied once, from the sender's pool to the receiver's buffers; for as long as the receiver has posted none it
 * stays in the sender's pool (inbox.h).  SHUTDOWN passes after the data before it, RST as well.  A guest that is gone has its other
 * end reset; or that gets what was sent and ended in order (deliver.h).
 *
 * The turn of a stream brings what its twin has received to its own guest, and belongs to that guest's lane. */
#ifndef XVSD_RELAY_H
#define XVSD_RELAY_H

#include "end.h"

extern const struct end_kind relay_end;

#endif
