/* SPDX-License-Identifier: MIT */
/* hostport.c: event channels as Xen allocates, binds and closes them.  Delivery is
 * in port.h; here is only who is whose peer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdint.h>
#include <xen/xen.h>

#include "host.h"

#define VIRQS 24                       /* NR_VIRQS */

int ports_init(void)
{
    host.table_fd = memfd_create("xensim-ports", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (host.table_fd < 0 || ftruncate(host.table_fd, PORT_TABLE_SIZE) < 0
        || fcntl(host.table_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    host.table = mmap(NULL, PORT_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, host.table_fd, 0);
    return host.table == MAP_FAILED ? -errno : 0;
}

static struct conn *handle_find(uint32_t handle)
{
    struct conn *c;

    LIST_FOREACH(c, &host.conns, link)
        if (handle && c->handle == handle)
            return c;
    return NULL;
}

/* The daemon as a notifier: unmap notifications, VIRQs, the event of a fresh bind. */
static void raise_slot(uint32_t slot)
{
    struct port_slot *s = &host.table[slot];
    uint32_t port = s->port;
    struct conn *c;

    if (!port_raise(s, port_gen(s)))
        return;
    if ((c = handle_find(s->handle)) && write(c->pipe, &port, sizeof port) < 0)
        say("event on port %u lost: its handle's pipe is full", port);
}

static struct port *port_at(struct domain *dom, uint32_t port)
{
    return port && port < PORT_MAX && dom->ports[port].kind != PORT_FREE ? &dom->ports[port] : NULL;
}

/* From the daemon's own records: a client may have scribbled on the table. */
static struct port *peer_of(const struct port *port)
{
    struct domain *dom = port && port->kind == PORT_INTERDOMAIN ? domain_find(port->remote_domid) : NULL;

    return dom ? port_at(dom, port->remote_port) : NULL;
}

/* A free port and a free slot for 'conn'.  The port's number or -ENOSPC. */
static int take(struct conn *conn, int kind)
{
    struct domain *dom = conn->dom;
    struct port_slot *s;
    uint32_t port, slot = 0;

    for (port = 1; port < dom->max_ports && dom->ports[port].kind != PORT_FREE; port++)
        ;
    if (port >= dom->max_ports)
        return -ENOSPC;
    for (uint32_t i = 0; i < PORT_SLOTS && !slot; i++) {
        uint32_t at = host.next_slot++ % PORT_SLOTS;

        if (at && !host.table[at].port)
            slot = at;
    }
    if (!slot)
        return -ENOSPC;
    s = &host.table[slot];
    atomic_store(&s->port, port);
    atomic_store(&s->handle, conn->handle);
    atomic_store(&s->peer, 0);
    dom->ports[port] = (struct port){ .kind = kind, .slot = slot, .owner = conn };
    dom->open_ports++;
    return (int)port;
}

/* Closing one end leaves the other open for the same domain to bind again. */
static void release(struct domain *dom, uint32_t number)
{
    struct port *port = &dom->ports[number];
    struct port_slot *s = &host.table[port->slot];
    struct port *far = peer_of(port);

    if (far) {
        far->kind = PORT_UNBOUND;
        far->remote_domid = dom->domid;
        atomic_store(&host.table[far->slot].peer, 0);
    }
    /* The generation first: whoever still raises it now touches nothing. */
    atomic_store(&s->state, (port_gen(s) + 1) << PORT_GEN_SHIFT);
    atomic_store(&s->peer, 0);
    atomic_store(&s->handle, 0);
    atomic_store(&s->port, 0);
    *port = (struct port){ .kind = PORT_FREE };
    dom->open_ports--;
}

static void disown(struct domain *dom, uint32_t number)
{
    struct port *port = &dom->ports[number];

    port->owner = NULL;
    atomic_store(&host.table[port->slot].handle, 0);
    if (!port->refs)
        release(dom, number);
}

/* ---- requests ---- */

int port_open(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    if (conn->handle || *nfds != 1)
        return -EINVAL;
    conn->pipe = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    close(fds[0]);
    *nfds = 0;
    if (conn->pipe < 0)
        return -errno;
    conn->handle = ++host.next_handle;
    msg->arg[0] = conn->handle;
    msg->len = 0;
    fds[0] = host.table_fd;
    *nfds = 1;
    return 0;
}

/* A program that re-executed itself comes back with nothing but the pipe: what the
 * old connection owned is now the new one's. */
int port_adopt(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    struct stat theirs, ours;
    struct conn *old;
    int err;

    if (*nfds != 1 || fstat(fds[0], &theirs) < 0)
        return -EINVAL;
    LIST_FOREACH(old, &host.conns, link)
        if (old->handle && old->dom == conn->dom && !fstat(old->pipe, &ours)
            && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
            break;
    if (!old)
        return -EBADF;
    if ((err = port_open(conn, msg, fds, nfds)) < 0)
        return err;
    for (uint32_t i = 1; i < PORT_MAX; i++) {
        struct port *port = &conn->dom->ports[i];
        struct sim_bound b = { i, port->slot };

        if (port->kind == PORT_FREE || port->owner != old)
            continue;
        if (msg->len + sizeof b > SIM_DATA_MAX) {
            *nfds = 0;
            return -ENOSPC;
        }
        port->owner = conn;
        atomic_store(&host.table[port->slot].handle, conn->handle);
        memcpy(msg->data + msg->len, &b, sizeof b);
        msg->len += sizeof b;
    }
    conn->only = old->only;
    return 0;
}

static int answer(struct domain *dom, struct sim_msg *msg, int port)
{
    if (port < 0)
        return port;
    msg->arg[0] = (uint32_t)port;
    msg->arg[1] = dom->ports[port].slot;
    return 0;
}

static uint32_t resolve_self(const struct conn *conn, uint32_t domid)
{
    return domid == DOMID_SELF ? conn->dom->domid : domid;
}

int port_alloc_unbound(struct conn *conn, struct sim_msg *msg)
{
    uint32_t domid = resolve_self(conn, msg->arg[0]);
    int port;

    if (!conn->handle)
        return -EBADF;
    if (conn->only != SIM_NONE && conn->only != domid)
        return -EACCES;
    if ((port = take(conn, PORT_UNBOUND)) > 0)
        conn->dom->ports[port].remote_domid = domid;
    return answer(conn->dom, msg, port);
}

int port_bind_interdomain(struct conn *conn, struct sim_msg *msg)
{
    uint32_t domid = resolve_self(conn, msg->arg[0]), number = msg->arg[1];
    struct domain *far_dom = domain_find(domid);
    struct port *near, *far;
    int port;

    if (!conn->handle)
        return -EBADF;
    if (conn->only != SIM_NONE && conn->only != domid)
        return -EACCES;
    if (!far_dom || far_dom->state == SIM_DYING)
        return -ESRCH;
    far = port_at(far_dom, number);
    if (!far || far->kind != PORT_UNBOUND || far->remote_domid != conn->dom->domid)
        return -EINVAL;
    if ((port = take(conn, PORT_INTERDOMAIN)) < 0)
        return port;
    near = &conn->dom->ports[port];
    near->remote_domid = domid;
    near->remote_port = number;
    far->kind = PORT_INTERDOMAIN;
    far->remote_domid = conn->dom->domid;
    far->remote_port = (uint32_t)port;
    atomic_store(&host.table[near->slot].peer,
                 (uint64_t)port_gen(&host.table[far->slot]) << 32 | far->slot);
    atomic_store(&host.table[far->slot].peer,
                 (uint64_t)port_gen(&host.table[near->slot]) << 32 | near->slot);
    /* The far end may have notified before anybody was there: as Xen does, assume so. */
    raise_slot(near->slot);
    return answer(conn->dom, msg, port);
}

int port_bind_virq(struct conn *conn, struct sim_msg *msg)
{
    int port;

    if (!conn->handle)
        return -EBADF;
    if (conn->only != SIM_NONE)
        return -EACCES;
    if (msg->arg[0] >= VIRQS)
        return -EINVAL;
    for (uint32_t i = 1; i < PORT_MAX; i++)
        if (conn->dom->ports[i].kind == PORT_VIRQ && conn->dom->ports[i].virq == msg->arg[0])
            return -EEXIST;
    if ((port = take(conn, PORT_VIRQ)) > 0)
        conn->dom->ports[port].virq = msg->arg[0];
    return answer(conn->dom, msg, port);
}

int port_unbind(struct conn *conn, struct sim_msg *msg)
{
    struct port *port = port_at(conn->dom, msg->arg[0]);

    if (!port || port->owner != conn)
        return -ENOTCONN;
    disown(conn->dom, msg->arg[0]);
    return 0;
}

int port_pipe(struct sim_msg *msg, int *fds, int *nfds)
{
    struct conn *c = handle_find(msg->arg[0]);

    if (!c)
        return -ESRCH;
    fds[0] = c->pipe;
    *nfds = 1;
    return 0;
}

/* What the caller would write into that pipe itself. */
int port_queue(const struct sim_msg *msg)
{
    struct conn *c = handle_find(msg->arg[0]);
    uint32_t port = msg->arg[1];

    return c && write(c->pipe, &port, sizeof port) == (ssize_t)sizeof port ? 0 : -ESRCH;
}

/* ---- for the rest of the daemon ---- */

int port_hold(struct domain *dom, uint32_t number)
{
    struct port *port = port_at(dom, number);

    if (!port)
        return -EINVAL;
    port->refs++;
    return 0;
}

void port_unhold(struct domain *dom, uint32_t number)
{
    struct port *port = port_at(dom, number);

    if (port && port->refs && !--port->refs && !port->owner)
        release(dom, number);
}

void port_kick_peer(struct domain *dom, uint32_t number)
{
    struct port *far = peer_of(port_at(dom, number));

    if (far)
        raise_slot(far->slot);
}

void port_virq(uint32_t virq)
{
    struct domain *dom0 = domain_find(0);

    for (uint32_t i = 1; i < PORT_MAX; i++)
        if (dom0->ports[i].kind == PORT_VIRQ && dom0->ports[i].virq == virq)
            raise_slot(dom0->ports[i].slot);
}

void ports_close(struct conn *conn)
{
    for (uint32_t i = 1; conn->handle && i < PORT_MAX; i++)
        if (conn->dom->ports[i].kind != PORT_FREE && conn->dom->ports[i].owner == conn)
            disown(conn->dom, i);
    if (conn->pipe >= 0)
        close(conn->pipe);
    conn->pipe = -1;
    conn->handle = 0;
}

void ports_destroy(struct domain *dom)
{
    for (uint32_t i = 1; i < PORT_MAX; i++)
        if (dom->ports[i].kind != PORT_FREE)
            release(dom, i);
}
