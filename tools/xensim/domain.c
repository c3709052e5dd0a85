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

/* xenstore is told by the front command, which is the toolstack here. */
int domain_rename(struct sim_msg *msg)
{
    struct domain *dom = domain_find(msg->arg[0]), *other;
    char name[SIM_NAME_MAX + 2] = "";

    if (!dom || !dom->domid || dom->state == SIM_DYING)
        return -ESRCH;
    if (msg->len >= sizeof name)
        return -EINVAL;
    memcpy(name, msg->data, msg->len);
    if (!name_ok(name))
        return -EINVAL;
    if ((other = domain_named(name)) && other != dom)
        return -EEXIST;
    snprintf(dom->name, sizeof dom->name, "%s", name);
    return 0;
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
    if (domain_find(domid) || domain_named(name))
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

/* A dying domain goes when nobody maps its pages any more. */
void domain_reap(void)
{
    struct domain *dom, *next;

    for (dom = LIST_FIRST(&host.domains); dom; dom = next) {
        next = LIST_NEXT(dom, link);
        if (dom->state != SIM_DYING || dom->bury || !LIST_EMPTY(&dom->shares))
            continue;
        answer_waiter(dom, 0);
        say("domain %u (%s) is gone", dom->domid, dom->name);
        LIST_REMOVE(dom, link);
        free(dom);
        port_virq(VIRQ_DOM_EXC);
    }
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
            return;
        }
    }
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
