/* SPDX-License-Identifier: MIT */
/* from_line.c: see from_line.h. */
#include "from_line.h"

#include <stdio.h>

int from_line(char line[FROM_LINE], uint64_t cid, uint32_t port, const char *name)
{
    return snprintf(line, FROM_LINE, "FROM %llu %u %.80s\n", (unsigned long long)cid, port, name);
}
