/* SPDX-License-Identifier: MIT */
/* domain.c: domains come with their bridge process and end with it.
 *
 * create: the bridge is started and says when xenstored knows the domain.
 * crash:  the bridge is gone, for whatever reason.  As on Xen nothing is notified,
 *         for the guest's kernel is gone too: its event channels close, its maps end,
 *         its pages stay with whoever maps them, and VIRQ_DOM_EXC tells xenstored.
 *         The domain is 'dying' until the last of those pages is unmapped. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdint.h>
#include <xen/xen.h>

#include "host.h"

struct domain *domain_find(uint32_t domid)
{
    struct domain *dom;

    LIST_FOREACH(dom, &host.domains, link)
        if (dom->domid == domid)
            return dom;
    return NULL;
}

static struct domain *find_name(const char *name)
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

/* ---- waiting front commands ---- */

static void answer_waiter(struct domain *dom, int err)
{
    struct sim_msg msg = { .op = dom->waiting_for, .arg = { dom->domid } };

    if (dom->waiter)
        conn_reply(dom->waiter, &msg, err, NULL, 0);
    dom->waiter = NULL;
}

/* ---- create ---- */

static void bridge_ready(struct source *src)
{
    struct domain *dom = (struct domain *)((char *)src - offsetof(struct domain, ready));
    char word = 0;

    if (read(src->fd, &word, 1) == 1) {
        dom->state = SIM_RUNNING;
        say("domain %u (%s) is running", dom->domid, dom->name);
        answer_waiter(dom, 0);
    }
    source_drop(src);          /* on end of file the bridge's death follows */
}

static bool name_ok(const char *name)
{
    return *name && strlen(name) <= SIM_NAME_MAX
        && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")
               == strlen(name);
}

int domain_create(struct conn *conn, struct sim_msg *msg)
{
    uint32_t domid = msg->arg[0];
    char name[SIM_NAME_MAX + 2] = "", bridge[sizeof host.bin + 32], number[16], log[32];
    char *argv[] = { bridge, number, name, NULL };
    struct domain *dom;
    int pipefd[2], err;

    if (msg->len >= sizeof name)
        return -EINVAL;
    memcpy(name, msg->data, msg->len);
    if (domid == SIM_NONE) {
        do
            domid = ++host.next_domid % SIM_DOMID_MAX;
        while (!domid || domain_find(domid));
    }
    if (!domid || domid > SIM_DOMID_MAX)
        return -EINVAL;
    snprintf(number, sizeof number, "%u", domid);
    snprintf(log, sizeof log, "dom%u", domid);
    if (!*name)
        memcpy(name, log, strlen(log) + 1);
    if (!name_ok(name))
        return -EINVAL;
    if (domain_find(domid) || find_name(name))
        return -EEXIST;
    if (pipe2(pipefd, O_CLOEXEC) < 0)
        return -errno;
    if ((err = domain_new(domid, name, &dom)) < 0)
        goto out;
    if (domid > host.next_domid)
        host.next_domid = domid;
    if (msg->arg[1])
        dom->grant_limit = msg->arg[1];
    dir_run(domid, true);
    snprintf(bridge, sizeof bridge, "%s/xensim-xenbus", host.bin);
    if ((err = spawn(argv, domid, log, pipefd[1])) < 0) {
        domain_crash(dom);
        goto out;
    }
    dom->bridge = err;
    dom->waiter = conn;
    dom->waiting_for = SIM_CREATE;
    source_add(&dom->ready, pipefd[0], bridge_ready);
    close(pipefd[1]);
    return -EINPROGRESS;       /* answered by bridge_ready or by the bridge's death */
out:
    close(pipefd[0]);
    close(pipefd[1]);
    return err;
}

/* ---- the end ---- */

void domain_reap(struct domain *dom)
{
    if (dom->state != SIM_DYING || dom->bury || !LIST_EMPTY(&dom->shares))
        return;
    answer_waiter(dom, 0);
    say("domain %u (%s) is gone", dom->domid, dom->name);
    LIST_REMOVE(dom, link);
    free(dom);
    port_virq(VIRQ_DOM_EXC);
}

void domain_kill_processes(struct domain *dom)
{
    struct guest_process *p;

    while ((p = LIST_FIRST(&dom->processes))) {
        pidfd_send_signal(p->src.fd, SIGKILL, NULL, 0);
        LIST_REMOVE(p, link);
        source_drop(&p->src);
        free(p);
    }
}

void domain_crash(struct domain *dom)
{
    char bridge[sizeof host.bin + 32], number[16], path[sizeof host.dir + 32];
    char *argv[] = { bridge, "--bury", number, NULL };
    struct conn *c;
    int pid;

    say("domain %u (%s) ends", dom->domid, dom->name);
    dom->state = SIM_DYING;
    dom->bridge = 0;
    dom->bury = -1;            /* keeps it from being reaped under our hands */
    domain_kill_processes(dom);
    snprintf(path, sizeof path, "%s/ctl/%u", host.dir, dom->domid);
    unlink(path);
    source_drop(&dom->src);
    source_drop(&dom->ready);
    LIST_FOREACH(c, &host.conns, link)
        if (c->dom == dom && !c->dead) {
            grants_release(c, true);
            ports_close(c);
            conn_drop(c);
        }
    ports_destroy(dom);
    snprintf(path, sizeof path, "%s/dom%u.sock", host.dir, dom->domid);
    unlink(path);
    dir_run(dom->domid, false);
    if (host.stopping)
        return;
    port_virq(VIRQ_DOM_EXC);
    snprintf(bridge, sizeof bridge, "%s/xensim-xenbus", host.bin);
    snprintf(number, sizeof number, "%u", dom->domid);
    pid = spawn(argv, 0, "toolstack", -1);
    dom->bury = pid > 0 ? pid : 0;
    domain_reap(dom);
}

int domain_destroy(struct conn *conn, struct sim_msg *msg)
{
    struct domain *dom = domain_find(msg->arg[0]);

    if (!dom || !dom->domid || dom->state == SIM_DYING)
        return -ESRCH;
    if (dom->waiter)
        return -EBUSY;
    dom->waiter = conn;
    dom->waiting_for = SIM_DESTROY;
    kill(dom->bridge, SIGKILL);
    return -EINPROGRESS;       /* answered when xenstored has let go of it */
}

void domain_child_gone(pid_t pid)
{
    struct domain *dom;

    LIST_FOREACH(dom, &host.domains, link) {
        if (dom->bridge == pid) {
            if (dom->waiting_for == SIM_CREATE)
                answer_waiter(dom, -EIO);
            domain_crash(dom);
            return;
        }
        if (dom->bury == pid) {
            dom->bury = 0;
            answer_waiter(dom, 0);
            domain_reap(dom);
            return;
        }
    }
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

static void process_gone(struct source *src)
{
    struct guest_process *p = (struct guest_process *)src;

    LIST_REMOVE(p, link);
    source_drop(src);
    free(p);
}

int domain_adopt_process(struct conn *conn)
{
    struct ucred who;
    socklen_t len = sizeof who;
    struct guest_process *p;
    int fd;

    if (!conn->dom)
        return -EINVAL;
    if (getsockopt(conn->src.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return -errno;
    if ((fd = pidfd_open(who.pid, 0)) < 0)
        return -errno;
    if (!(p = calloc(1, sizeof *p))) {
        close(fd);
        return -ENOMEM;
    }
    LIST_INSERT_HEAD(&conn->dom->processes, p, link);
    source_add(&p->src, fd, process_gone);
    return 0;
}
