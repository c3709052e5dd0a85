/* SPDX-License-Identifier: MIT */
/* sweep.h: the end of a device's life.  One thread. */
#ifndef XVSD_SWEEP_H
#define XVSD_SWEEP_H

#include "guest.h"

/* Frees devices whose life is over.  Not to be called from within a device's work. */
void sweep(struct registry *r);

bool sweep_is_over(const struct device *d);
/* Of what is for us to remove nothing is left; else it is tried again later.  It comes before sweep_forget(): a device that was forgotten and is
 * still there would be found again. */
bool sweep_is_removed(struct device *d);
/* Frees it. */
void sweep_forget(struct device *d);

#endif
