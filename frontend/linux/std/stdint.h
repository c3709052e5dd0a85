/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* For what the driver shares with the library, and includes C's own headers. */
#ifndef XV_STD_STDINT_H
#define XV_STD_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#define UINT64_C(x)	x##ULL
#define UINT64_MAX	U64_MAX

#endif
