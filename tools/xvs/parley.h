/* SPDX-License-Identifier: MIT */
/* parley.h: straight-line talk with a service of a guest's agent, in lines (manage/lines.h): what it waits for runs the loop, so a signal ends it. */
#ifndef XVS_PARLEY_H
#define XVS_PARLEY_H

#include <stdbool.h>

#include "ga.h"
#include "service.h"
#include "waited.h"

struct parley {
    struct loop loop;
    struct side side;
    struct service_call call;
    struct waited waited;
    struct lines lines;
    struct timer limit;
    const char *guest;
    int err;                    /* of the call */
    bool called;
    bool broken;                /* what came made no sense, or nothing did: there is nothing to be ended in order */
};

/* Calls: EXIT_OK, or an exit status after a message.  patience and retry: ns, as in struct dial. */
int parley_open(struct parley *p, const char *guest, const char *service, int64_t patience, int64_t retry);
/* For who has something to do behind that; nothing more can be asked then. */
void parley_hang_up(struct parley *p);
/* Hangs up, in order unless something was wrong with what came; the status, or death by the signal that has ended it. */
int parley_close(struct parley *p, int status);

/* The exit status for an error of lines.h, after a message: what we waited for, when the stream has ended or broken. */
int parley_failed(struct parley *p, int err, const char *what);

/* A request of the service manage (manage/handler.h) and its answer.  Takes the reference; EXIT_OK, or an exit status after a message. */
int parley_ask(struct parley *p, json_t *request, int64_t until, const char *what, json_t **answer);

/* The same for qemu-guest-agent: opens, and is heard by it. */
int parley_open_ga(struct parley *p, struct ga *g, const char *guest, int64_t patience, int64_t retry, int64_t until);
/* The exit status for an error of ga.h, after a message. */
int parley_ga_failed(struct parley *p, const struct ga *g, int err, const char *command);

#endif
