/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * versions.h: what differs between the versions of Linux that this builds for,
 * 6.1 (with packets in skbs, as Debian 12 has it) to 6.12.
 */
#ifndef XV_VERSIONS_H
#define XV_VERSIONS_H

#include <linux/version.h>

#define XV_HAS_READ_SKB	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0))
#define XV_HAS_RCVLOWAT	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0))
#define XV_HAS_UNSENT	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0))

#endif
