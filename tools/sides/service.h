/* SPDX-License-Identifier: MIT */
/* service.h: calling a service of a guest's agent by its name (proto/tcpmux.h). */
#ifndef XVS_SERVICE_H
#define XVS_SERVICE_H

#include "side.h"
#include "tcpmux.h"

#define SERVICE_HELP "HELP"     /* answered without a line of its own: the list of names, and the end */

struct service_call {
    struct dial dial;           /* side, peer, patience, retry and vouches are the caller's, as for dial_start() */
    const char *service;        /* NAME, or NAME+ARGUMENT */
    /* Once: err 0 and an end, at the first byte behind the agent's answer; or a negative errno with why, which fail_as() may be given: -ECONNREFUSED
     * if the agent said no, too, -EINVAL if that is no name. */
    void (*done)(struct service_call *c, int err, struct end *end);
    void *arg;

    char why[WHY];
    struct end *end;
    struct timer limit;
    char line[TCPMUX_LINE + 1], answer[TCPMUX_ANSWER];
    size_t len, sent, have;
};

/* The part above 'why' is the caller's, the rest zeroed. */
void service_start(struct service_call *c);
/* Without 'done'; accepts a zeroed one, and one that is done. */
void service_drop(struct service_call *c);

#endif
