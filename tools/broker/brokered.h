/* SPDX-License-Identifier: MIT */
/* brokered.h: the broker: many programs of a guest use the device that one process has, by UNIX sockets in the convention of dom0.
 *
 *     RUN/vsock           "CONNECT <port>\n" or "CONNECT <cid>:<port>\n", then "OK <number>\n", then the stream; without a CID it is the host's.
 *                         CALL, WATCH, VOUCH and WHY are as in xvsd(8)
 *     RUN/vsock_<port>    whoever listens there is called at that port; the socket that he accepts is called xvs/CID/CID:PORT/NUMBER, which
 *                         are this guest's, the caller's and the stream's
 *
 * Programs that may use it may be hostile, to one another and to us (xvs-agent(8), SECURITY). */
#ifndef XVS_BROKERED_H
#define XVS_BROKERED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "side.h"

struct broker_settings {
    bool off;
    mode_t mode;                /* of the socket; the directory follows */
    gid_t group;                /* (gid_t)-1: ours */
    unsigned max_connections;   /* sockets of programs at a time */
};

#define BROKER_CONNECTIONS 4096u

struct broker;

/* keeps: whether a port is not for programs to listen at, which is asked with each look at one.  NULL: no memory, or no descriptor. */
struct broker *broker_new(struct loop *l, struct side *side, bool (*keeps)(void *arg, uint32_t port), void *arg);
/* The settings, the side, or the ports that are kept are others now: opens, closes, or changes who may.  Streams go on, unless the device is
 * not libxvs's any more. */
void broker_apply(struct broker *b, const struct broker_settings *settings);
/* Accepts NULL. */
void broker_free(struct broker *b);

#endif
