/* SPDX-License-Identifier: MIT */
/* find.h: devices by what they are called. */
#ifndef XVSD_FIND_H
#define XVSD_FIND_H

#include "guest.h"

/* NULL for none. */
struct device *device_find(const struct registry *r, uint32_t domid, uint32_t number);
/* By the device's number at the wall; likewise. */
struct device *device_numbered(const struct registry *r, uint32_t number);

#endif
