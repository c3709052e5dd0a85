/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * stats.h: what a device has counted (count.h), and what it is; in sysfs, in
 * the folder "vsock" of the device, a file for each.
 */
#ifndef XV_STATS_H
#define XV_STATS_H

#include <linux/sysfs.h>

extern const struct attribute_group *xv_stats_groups[];

/* Once, before there is a device. */
void xv_stats_init(void);

#endif
