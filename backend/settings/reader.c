/* SPDX-License-Identifier: MIT */
/* reader.c: see reader.h. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>

bool wrong_at(struct reader *r, const char *path, uint32_t line, const char *format, ...)
{
    char what[360];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return complain(r->complaints, "%.140s:%u: %s", path, line, what);
}

bool no_memory(struct reader *r)
{
    r->no_memory = true;
    return wrong(r, "out of memory");
}
