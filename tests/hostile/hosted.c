/* SPDX-License-Identifier: MIT */
/* hosted.c: see hosted.h. */
#include "hosted.h"

#include <stdio.h>
#include <stdlib.h>

bool hosted_is_here(void)
{
    if (getenv("XENSIM_DIR"))
        return true;
    fprintf(stderr, "run me in a hosted Xen: xensim run -d 0 DIR -- ...\n");
    return false;
}

void hosted_become(uint32_t domid)
{
    const char *dir = getenv("XENSIM_DIR");
    char text[4200];

    snprintf(text, sizeof text, "%u", domid);
    setenv("XENSIM_DOMID", text, 1);
    snprintf(text, sizeof text, "%s/run/dom%u", dir, domid);
    setenv("XVS_RUN_DIR", text, 1);
    unsetenv("XENSTORED_PATH");
    unsetenv("XENSTORED_RUNDIR");
    snprintf(text, sizeof text, domid ? "%s/dom%u.sock" : "%s/xenstored", dir, domid);
    setenv(domid ? "XENSTORED_PATH" : "XENSTORED_RUNDIR", text, 1);
}
