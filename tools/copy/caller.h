/* SPDX-License-Identifier: MIT */
/* caller.h: the other end of the services put and get (putget.h): what `xvs cp` does over a stream that it has.
 *
 * One caller is one conversation.  Each call below is all of it, and waits within. */
#ifndef XVS_CALLER_H
#define XVS_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include "channel.h"
#include "report.h"
#include "request.h"
#include "said.h"
#include "wire.h"

struct caller {
    /* Something could not be copied: here, or there. */
    void (*problem)(struct caller *c, bool there, const char *name, const char *why);
    void (*tick)(struct caller *c);     /* now and then */
    void *arg;

    struct wire wire;
    struct report here, there;  /* there: as the agent says at its end */
    struct said_total total;    /* zeros: not known */
    struct unpack *unpack;
    const struct request *request;
    struct caller *relay;       /* what comes goes on to this one */
    bool ended;                 /* EXIT or ERROR has come, */
    int error;                  /* and with ERROR this status, not 0 */
    char why[512];              /* after a negative errno: what, in words, without whose word it is: */
    bool theirs;                /* the agent's */
};

/* Which end sends the archive. */
enum caller_kind { CALLER_PUT, CALLER_GET };

/* The part above wire is the caller's, the rest zeroed.  0 or -ENOMEM.  The channel and r are borrowed. */
int  caller_open(struct caller *c, enum caller_kind kind, struct channel *channel, const struct request *r);
/* Accepts a zeroed one. */
void caller_close(struct caller *c);

/* Each: 0 when both ends have come to their end, whatever problems there were (here.problems, there.problems); or a negative errno
 * with why. */

/* Files and directories from here. */
int caller_put(struct caller *c, const char *const *sources, size_t count, bool measure);
/* A tar archive from a descriptor. */
int caller_put_stream(struct caller *c, int fd);
/* To here. */
int caller_get(struct caller *c, const struct target *t);
/* As a tar archive to a descriptor. */
int caller_get_stream(struct caller *c, int fd);
/* From one to the other. */
int caller_relay(struct caller *from, struct caller *to);

#endif
