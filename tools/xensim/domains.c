/* SPDX-License-Identifier: MIT */
/* domains.c: which domains there are.  How one comes and goes is in domain.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

struct domain *domain_find(uint32_t domid)
{
    struct domain *dom;

    LIST_FOREACH(dom, &host.domains, link)
        if (dom->domid == domid)
            return dom;
    return NULL;
}

struct domain *domain_named(const char *name)
{
    struct domain *dom;

    LIST_FOREACH(dom, &host.domains, link)
        if (dom->state != SIM_DYING && !strcmp(dom->name, name))
            return dom;
    return NULL;
}

static void accept_conn(struct source *src)
{
    conn_accept(src, (struct domain *)src);
}

int domain_new(uint32_t domid, const char *name, struct domain **out)
{
    struct domain *dom = calloc(1, sizeof *dom);
    char number[16];
    int fd;

    if (!dom)
        return -ENOMEM;
    snprintf(number, sizeof number, "%u", domid);
    if ((fd = listen_at(number)) < 0) {
        free(dom);
        return fd;
    }
    source_add(&dom->src, fd, accept_conn);
    dom->ready.fd = -1;
    dom->domid = domid;
    dom->grant_limit = host.grant_limit;
    /* xl's default for a guest; dom0 has what the two-level ABI offers. */
    dom->max_ports = domid ? 1024 : PORT_MAX;
    snprintf(dom->name, sizeof dom->name, "%s", name);
    LIST_INIT(&dom->shares);
    LIST_INIT(&dom->processes);
    LIST_INSERT_HEAD(&host.domains, dom, link);
    *out = dom;
    return 0;
}

/* ---- what front commands and xc_domain_getinfo ask ---- */

int domain_info(struct sim_msg *msg)
{
    uint32_t first = msg->arg[0], most = msg->arg[1];
    struct domain *dom, *next;

    msg->len = 0;
    for (; most && msg->len + sizeof(struct sim_dominfo) <= SIM_DATA_MAX; most--) {
        struct sim_dominfo d = { 0 };
        struct share *s;
        struct conn *c;

        next = NULL;
        LIST_FOREACH(dom, &host.domains, link)
            if (dom->domid >= first && (!next || dom->domid < next->domid))
                next = dom;
        if (!next)
            break;
        first = next->domid + 1;
        d.domid = next->domid;
        d.state = next->state;
        d.mapped = next->mapped;
        d.ports = next->open_ports;
        d.pid = next->domid ? next->bridge : getpid();
        LIST_FOREACH(s, &next->shares, link) {
            d.shared += s->count;
            d.revoked += s->conn ? 0 : s->count;
        }
        LIST_FOREACH(c, &host.conns, link)
            d.handles += c->dom == next && !c->dead;
        memcpy(d.name, next->name, sizeof d.name);
        memcpy(msg->data + msg->len, &d, sizeof d);
        msg->len += sizeof d;
    }
    return 0;
}
