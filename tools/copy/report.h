/* SPDX-License-Identifier: MIT */
/* report.h: what a copy has done, and what it could not do.  A problem with one file does not end the copy; it makes its exit
 * status 1. */
#ifndef XVS_REPORT_H
#define XVS_REPORT_H

#include <stdint.h>

struct report {
    /* Tells somebody.  name is bytes of anybody's choice. */
    void (*tell)(struct report *r, const char *name, const char *why);
    void *arg;
    uint64_t files, directories, links, bytes, problems;
};

static inline void report_problem(struct report *r, const char *name, const char *why)
{
    r->problems++;
    if (r->tell)
        r->tell(r, name, why);
}

#endif
