/* SPDX-License-Identifier: MIT */
/* become.h: one test process in several domains of a hosted Xen.
 *
 * The Xen libraries' stand-ins look at the environment at each open: what is opened
 * after xensim_become(N) belongs to domain N, what was opened before stays what it
 * was.  The process must have been started by 'xensim run'.  Not thread-safe, as
 * setenv() is not. */
#ifndef XENSIM_BECOME_H
#define XENSIM_BECOME_H

#include <stdio.h>
#include <stdlib.h>

static inline void xensim_become(unsigned domid)
{
    const char *dir = getenv("XENSIM_DIR");
    char value[256];

    snprintf(value, sizeof value, "%u", domid);
    setenv("XENSIM_DOMID", value, 1);
    snprintf(value, sizeof value, "%s/run/dom%u", dir, domid);
    setenv("XVS_RUN_DIR", value, 1);
    unsetenv("XENSTORED_PATH");
    unsetenv("XENSTORED_RUNDIR");
    if (domid) {
        snprintf(value, sizeof value, "%s/dom%u.sock", dir, domid);
        setenv("XENSTORED_PATH", value, 1);
    } else {
        snprintf(value, sizeof value, "%s/xenstored", dir);
        setenv("XENSTORED_RUNDIR", value, 1);
    }
}

#endif
