/* SPDX-License-Identifier: MIT */
/* report.c: see report.h. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report_log(const struct report *r, const char *format, ...)
{
    char line[384];
    va_list args;
    int n;

    if (!r->log)
        return;
    n = snprintf(line, sizeof line, "vsock/%u: ", r->device);
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    r->log(r->log_arg, line);
}

void report_reason(struct report *r, const char *format, ...)
{
    char reason[sizeof r->reason];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (strcmp(reason, r->reason) == 0)
        return;
    memcpy(r->reason, reason, sizeof reason);
    report_log(r, "%s", reason);
}

void report_failed(struct report *r, enum attempt what, const char *with, int err)
{
    char text[sizeof r->reason];

    words_of(text, sizeof text, what, with, err);
    report_reason(r, "%s", text);
}
