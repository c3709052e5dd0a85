/* SPDX-License-Identifier: MIT */
/* report.h: why the device is not up, for xvs_reason(), and what happens to it, for the program's log.  One thread, the
 * device's. */
#ifndef XVS_REPORT_H
#define XVS_REPORT_H

#include "words.h"

struct report {
    unsigned device;                                /* device/vsock/N */
    void (*log)(void *log_arg, const char *line);   /* or NULL */
    void *log_arg;
    char reason[256];
};

__attribute__((format(printf, 2, 3)))
void report_log(const struct report *r, const char *format, ...);
/* Notes why, and logs it unless it is what was noted last. */
__attribute__((format(printf, 2, 3)))
void report_reason(struct report *r, const char *format, ...);
/* The same for what could not be done (words.h). */
void report_failed(struct report *r, enum attempt what, const char *with, int err);

#endif
