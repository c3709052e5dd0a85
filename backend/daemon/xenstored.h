/* SPDX-License-Identifier: MIT */
/* xenstored.h: the connection to xenstored.  It may be restarted at any time: guests that are connected go on, and the daemon is
 * connected again, claims the host again (claim.h), and looks at everything, since all watches fire. */
#ifndef XVSD_XENSTORED_H
#define XVSD_XENSTORED_H

#include "keeper.h"

/* Begins to look at k->registry.store, which is open: 0 or a negative errno. */
int  xenstored_begin(struct keeper *k);
/* Harmless when it was not begun. */
void xenstored_end(struct keeper *k);

#endif
