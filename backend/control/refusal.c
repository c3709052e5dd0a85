/* SPDX-License-Identifier: MIT */
/* refusal.c: see refusal.h. */
#include "refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "wall.h"

json_t *refusal(const char *format, ...)
{
    char text[2 * WALL_WHY + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}
