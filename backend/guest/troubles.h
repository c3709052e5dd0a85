/* SPDX-License-Identifier: MIT */
/* troubles.h: domains that cannot be taken in: each is tried again ever more seldom, and its lines in the log are as many. */
#ifndef XVSD_TROUBLES_H
#define XVSD_TROUBLES_H

#include "guest.h"

/* False: its next try is not due yet. */
bool trouble_may_try(const struct registry *r, uint32_t domid);
/* Says so and sees to it that it is tried again. */
void trouble_has_failed(struct registry *r, uint32_t domid, const char *why);
void trouble_rescan_at(struct registry *r, uint64_t at);
/* xenstored did not say what there is: again in a while, in everything if that was asked for. */
void trouble_look_again(struct registry *r, bool all);
/* After a scan: those that did not fail again are over; and when the others are due. */
void trouble_tidy(struct registry *r);
void trouble_forget_all(struct registry *r);

#endif
