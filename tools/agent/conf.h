/* SPDX-License-Identifier: MIT */
/* conf.h: what the guest's administrator has decided: /etc/xvs/agent.conf, agent.conf(5).
 *
 *     [agent]
 *     max_sessions = 1024
 *     forward 9001 = unix:/run/qga.sock        a port of this guest's that leads straight there; tcp:HOST:PORT, exec:COMMAND (destination.h)
 *
 *     [broker]
 *     socket_mode = 0660
 *     socket_group = vsock
 *
 *     [forward 9001]
 *     allow = host 101
 *
 *     [service backup]
 *     allow = host 101
 *     connect = unix:/run/backup.sock          in place of a file in services.d; tcp:HOST:PORT likewise */
#ifndef XVS_CONF_H
#define XVS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brokered.h"
#include "destination.h"
#include "tcpmux.h"

#define CONF_HOST     UINT64_C(2)       /* CID of the host, which alone is allowed where nothing is said */
#define CONF_WHY      512
#define CONF_ALLOWED  32
#define CONF_SESSIONS 1024u             /* unless it is said otherwise */

/* Who may call. */
struct conf_allow {
    bool any, decided;          /* every CID; whether anything was said at all */
    uint32_t cid[CONF_ALLOWED];
    size_t count;
};

struct conf_service {
    char name[TCPMUX_NAME + 1];
    struct conf_allow allow;
    char connect[DESTINATION_TEXT];  /* "" if it was not said */
};

struct conf_forward {
    uint32_t port;
    struct conf_allow allow;
    char target[DESTINATION_TEXT];   /* good: destination_read() */
};

struct conf {
    unsigned max_sessions;
    struct broker_settings broker;
    struct conf_service *services;
    size_t count;
    struct conf_forward *forwards;
    size_t forward_count;
};

/* 0, or a negative errno with why: -EINVAL (which line, and what is wrong), -EPERM (somebody else than root can write it).  No file is
 * as good as an empty one. */
int  conf_read(const char *path, struct conf *conf, char why[CONF_WHY]);
/* Accepts a zeroed one. */
void conf_free(struct conf *conf);

/* NULL: nothing is said of it. */
const struct conf_service *conf_find(const struct conf *conf, const char *name);
const struct conf_forward *conf_forward(const struct conf *conf, uint32_t port);
bool conf_admits(const struct conf_allow *allow, uint64_t cid);
/* s may be NULL. */
bool conf_allows(const struct conf_service *s, uint64_t cid);
/* Whether there is any service for it. */
bool conf_knows(const struct conf *conf, uint64_t cid);

#endif
