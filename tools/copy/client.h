/* SPDX-License-Identifier: MIT */
/* client.h: the other end of the services put and get (putget.h): what `xvs cp` does over a stream that it has.
 *
 * One client is one conversation.  Each call below is all of it, and waits within. */
#ifndef XVS_CLIENT_H
#define XVS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "channel.h"
#include "report.h"
#include "request.h"
#include "said.h"
#include "wire.h"

struct client {
    /* Something could not be copied: here, or there. */
    void (*problem)(struct client *c, bool there, const char *name, const char *why);
    void (*tick)(struct client *c);     /* now and then */
    void *arg;

    struct wire wire;
    struct report here, there;  /* there: as the agent says at its end */
    struct said_total total;    /* zeros: not known */
    struct unpack *unpack;
    const struct request *request;
    struct client *relay;       /* what comes goes on to this one */
    bool ended;                 /* EXIT or ERROR has come, */
    int error;                  /* and with ERROR this status, not 0 */
    char why[512];              /* after a negative errno: what, in words, without whose word it is: */
    bool theirs;                /* the agent's */
};

/* Which end sends the archive. */
enum client_kind { CLIENT_PUT, CLIENT_GET };

/* The part above wire is the caller's, the rest zeroed.  0 or -ENOMEM.  The channel and r are borrowed. */
int  client_open(struct client *c, enum client_kind kind, struct channel *channel, const struct request *r);
/* Accepts a zeroed one. */
void client_close(struct client *c);

/* Each: 0 when both ends have come to their end, whatever problems there were (here.problems, there.problems); or a negative errno
 * with why. */

/* Files and directories from here. */
int client_put(struct client *c, const char *const *sources, size_t count, bool measure);
/* A tar archive; -EIO: it cannot be read. */
int client_put_stream(struct client *c, struct channel *from);
/* To here. */
int client_get(struct client *c, const struct target *t);
/* As a tar archive; -EIO: it cannot be written. */
int client_get_stream(struct client *c, struct channel *to);
/* From one to the other. */
int client_relay(struct client *from, struct client *to);

#endif
