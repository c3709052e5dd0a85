/* SPDX-License-Identifier: MIT */
/* settle.h: names follow domains: a guest's directory, CID and section of the settings belong to the newest living domain of
 * its name (titles.h), whatever domains, toolstacks and this daemon have done meanwhile.
 *
 * How things shall be follows from what there is: which domains, what they are called, the settings.  settle() computes it and
 * changes what differs.  So it does not matter what has happened, or in what order, or whether anybody was there to see
 * it; whoever changes any of it calls settle_soon().  One thread. */
#ifndef XVSD_SETTLE_H
#define XVSD_SETTLE_H

#include "guest.h"

/* At once, if settle_soon() was called. */
void settle(struct registry *r);
/* The settings have been read anew: also at once. */
void settle_settings(struct registry *r);

#endif
