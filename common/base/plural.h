/* SPDX-License-Identifier: MIT */
/* plural.h: "1 error", "2 errors": the end of the word. */
#ifndef XVS_PLURAL_H
#define XVS_PLURAL_H

#include <stddef.h>

static inline const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

#endif
