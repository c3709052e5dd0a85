/* SPDX-License-Identifier: MIT */
/* root.h: below which directory /sys and /proc of this guest are: $XVS_SYSTEM_ROOT, for tests, or "". */
#ifndef XVS_ROOT_H
#define XVS_ROOT_H

#include <stdlib.h>

static inline const char *root(void)
{
    const char *dir = getenv("XVS_SYSTEM_ROOT");

    return dir ? dir : "";
}

#endif
