/* SPDX-License-Identifier: MIT */
/* progress.c: see progress.h. */
#include "progress.h"

#include <stdio.h>

#include "say.h"

const char *progress_time(char text[PROGRESS_TIME], double seconds)
{
    unsigned long s = seconds < 1e7 ? (unsigned long)(seconds + 0.5) : 9999999;

    if (s < 3600)
        snprintf(text, PROGRESS_TIME, "%lu:%02lu", s / 60, s % 60);
    else
        snprintf(text, PROGRESS_TIME, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    return text;
}

const char *progress_text(char text[PROGRESS_TEXT], uint64_t bytes, uint64_t total, double seconds)
{
    char moved[SIZE_TEXT], all[SIZE_TEXT], rate[SIZE_TEXT], left[PROGRESS_TIME];
    double speed = seconds > 0 ? (double)bytes / seconds : 0;

    size_text(moved, bytes);
    size_text(rate, (uint64_t)speed);
    /* A source that grew, or files that changed: there is no sense in 103 %. */
    if (!total || bytes > total)
        snprintf(text, PROGRESS_TEXT, "%s, %s/s", moved, rate);
    else if (speed < 1)
        snprintf(text, PROGRESS_TEXT, "%s of %s, %s/s", moved, size_text(all, total), rate);
    else
        snprintf(text, PROGRESS_TEXT, "%s of %s (%u %%), %s/s, %s left", moved, size_text(all, total),
                 (unsigned)((double)bytes * 100 / (double)total), rate, progress_time(left, (double)(total - bytes) / speed));
    return text;
}
