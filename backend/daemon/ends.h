/* SPDX-License-Identifier: MIT */
/* ends.h: every kind of end that there is (end.h).  The order is the routing. */
#ifndef XVSD_ENDS_H
#define XVSD_ENDS_H

#include "end.h"

extern const struct end_kind *const ends[];     /* ended by NULL */

#endif
