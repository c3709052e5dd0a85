/* SPDX-License-Identifier: MIT */
/* agent.h: xvs-agent as a whole, for those of its parts that answer callers, and a call on its way to one of them. */
#ifndef XVS_AGENT_H
#define XVS_AGENT_H

#include <stdio.h>
#include <sys/resource.h>

#include "children.h"
#include "conf.h"
#include "end.h"
#include "leave.h"
#include "loop.h"
#include "side.h"
#include "tcpmux.h"

struct agent {
    struct loop loop;
    struct conf conf;
    struct children children;
    struct leaving leaving;
    struct rlimit files;        /* the limit of descriptors that we were given, for those whom we begin */
    struct list sessions;       /* struct session_link.link: whatever lives as long as a stream does */
    unsigned count, foreign;    /* sessions; those of them that are not the host's */
    const char *self;           /* this program, for services that are functions of it */
    void (*room)(struct agent *a);      /* a session has ended */
};

/* Of a session, whatever kind it is. */
struct session_link {
    struct list link;
    struct agent *agent;
    bool foreign;
    /* The agent ends: hang up.  now: free it, whatever there is; else it may wait for its command. */
    void (*stop)(struct session_link *s, bool now);
};

static inline void session_begins(struct agent *a, struct session_link *s, uint64_t cid, void (*stop)(struct session_link *s, bool now))
{
    s->agent = a;
    s->foreign = cid != CONF_HOST;
    s->stop = stop;
    list_append(&a->sessions, &s->link);
    a->count++;
    a->foreign += s->foreign;
}

/* The caller frees it then. */
static inline void session_ends(struct session_link *s)
{
    struct agent *a = s->agent;

    list_remove(&s->link);
    a->count--;
    a->foreign -= s->foreign;
    a->room(a);
}

/* There is no room for one more of that CID: others than the host have half of the places. */
static inline bool sessions_are_full(const struct agent *a, uint64_t cid)
{
    return a->count >= a->conf.max_sessions || (cid != CONF_HOST && a->foreign >= (a->conf.max_sessions + 1) / 2);
}

#define CALL_WHY 256

/* Somebody has named a service, or called a port that leads somewhere. */
struct call {
    struct agent *agent;
    struct end *end;            /* whoever takes the call sets it to NULL */
    struct caller caller;
    struct tcpmux_request request;
    uint32_t port;              /* of a forwarded one: there is no name, and nothing is said before the bytes; else 0 */
    const struct conf_service *settings;        /* NULL: none */
    char why[CALL_WHY];         /* … or says why not, in words for the caller */
};

/* The names that stand in every environment that we make: who called, and what. */
#define CALL_NAMES 4
static inline void call_names(const struct call *c, char text[CALL_NAMES][192])
{
    if (c->port) {
        snprintf(text[0], 192, "XVS_LOCAL_CID=%llu", (unsigned long long)c->caller.local_cid);
        snprintf(text[1], 192, "XVS_LOCAL_PORT=%u", c->port);
    } else {
        snprintf(text[0], 192, "XVS_SERVICE=%s", c->request.name);
        snprintf(text[1], 192, "XVS_ARGUMENT=%s", c->request.argument);
    }
    snprintf(text[2], 192, "XVS_PEER_CID=%llu", (unsigned long long)c->caller.cid);
    snprintf(text[3], 192, "XVS_PEER_PORT=%u", c->caller.port);
}

#endif
