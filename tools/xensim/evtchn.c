/* SPDX-License-Identifier: MIT */
/* evtchn.c: libxenevtchn over the shared port table, as Linux's /dev/xen/evtchn
 * behaves.
 *
 * The handle's descriptor is a pipe of port numbers, reopened read-write: its
 * flags are then its owner's alone, and a notifier gets no SIGPIPE when the owner
 * dies.  notify, unmask and pending never ask the daemon, except for the first
 * notification to a peer, which needs the peer's pipe. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "client.h"
#include "port.h"

#define EXPORT __attribute__((visibility("default")))

/* A peer's pipe, shared by all ports whose peer lives on that handle. */
struct pipe_ref {
    struct pipe_ref *next;
    uint32_t handle, refs;
    int fd;
};

/* What this handle knows of one of its ports. */
struct local {
    _Atomic uint32_t slot;             /* 0: not ours */
    _Atomic(struct pipe_ref *) pipe;   /* of the peer at the last notify */
    struct pipe_ref *before;           /* of the peer before that: a notify in another
                                          thread may just be using it */
};

struct xenevtchn_handle {
    struct sim_conn conn;
    int fd;                            /* the caller's: polled and read */
    int wfd;                           /* the same pipe, ours to write, never blocks */
    struct port_slot *table;
    pthread_mutex_t lock;              /* of the list of pipes */
    struct pipe_ref *pipes;
    struct local ports[PORT_MAX];
};

static int fail(int err)
{
    errno = -err;
    return -1;
}

static int reopen(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fd = open(path, O_RDWR | flags);
    return fd < 0 ? -errno : fd;
}

static struct xenevtchn_handle *handle_open(int op, int fd, bool cloexec)
{
    struct xenevtchn_handle *xce = calloc(1, sizeof *xce);
    struct sim_msg msg = { .op = (uint32_t)op };
    int fds[SIM_FDS_MAX], nfds = 1, err = -ENOMEM, pipefd[2] = { -1, -1 };

    if (!xce)
        goto out;
    xce->conn.fd = xce->fd = xce->wfd = -1;
    xce->table = MAP_FAILED;
    pthread_mutex_init(&xce->lock, NULL);
    if ((err = sim_connect(&xce->conn, NULL, NULL, cloexec)) < 0)
        goto out;
    if (fd < 0) {
        err = pipe2(pipefd, O_CLOEXEC) < 0 ? -errno : 0;
        if (err || (err = xce->fd = reopen(pipefd[0], cloexec ? O_CLOEXEC : 0)) < 0)
            goto out;
        fd = xce->fd;
    }
    if ((err = xce->wfd = reopen(fd, O_CLOEXEC | O_NONBLOCK)) < 0)
        goto out;
    fds[0] = xce->wfd;
    if ((err = sim_call(&xce->conn, &msg, fds, &nfds)) < 0 || (err = nfds ? 0 : -EMFILE) < 0)
        goto out;                      /* the kernel leaves out what we have no number for */
    xce->table = mmap(NULL, PORT_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    err = xce->table == MAP_FAILED ? -errno : 0;
    close(fds[0]);
    for (uint32_t i = 0; i < msg.len / sizeof(struct sim_bound); i++) {
        struct sim_bound b;

        memcpy(&b, msg.data + i * sizeof b, sizeof b);
        atomic_store(&xce->ports[b.port].slot, b.slot);
    }
    xce->fd = fd;
out:
    if (pipefd[0] >= 0) {
        close(pipefd[0]);
        close(pipefd[1]);
    }
    if (err < 0) {
        if (op == SIM_EVTCHN_ADOPT && xce)
            xce->fd = -1;              /* stays the caller's */
        xenevtchn_close(xce);
        errno = -err;
        return NULL;
    }
    return xce;
}

EXPORT xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    if (flags & ~XENEVTCHN_NO_CLOEXEC) {
        errno = EINVAL;
        return NULL;
    }
    return handle_open(SIM_EVTCHN_OPEN, -1, !(flags & XENEVTCHN_NO_CLOEXEC));
}

EXPORT xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
                                          unsigned int flags)
{
    (void)logger;
    if (flags || fd < 0) {
        errno = EINVAL;
        return NULL;
    }
    return handle_open(SIM_EVTCHN_ADOPT, fd, true);
}

EXPORT int xenevtchn_close(xenevtchn_handle *xce)
{
    struct pipe_ref *p;

    if (!xce)
        return 0;
    sim_close(&xce->conn);
    while ((p = xce->pipes)) {
        xce->pipes = p->next;
        close(p->fd);
        free(p);
    }
    if (xce->table != MAP_FAILED)
        munmap(xce->table, PORT_TABLE_SIZE);
    if (xce->wfd >= 0)
        close(xce->wfd);
    if (xce->fd >= 0)
        close(xce->fd);
    pthread_mutex_destroy(&xce->lock);
    free(xce);
    return 0;
}

EXPORT int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

/* ---- binding ---- */

static xenevtchn_port_or_error_t bind(xenevtchn_handle *xce, struct sim_msg *msg)
{
    int err = sim_call(&xce->conn, msg, NULL, NULL);

    if (err)
        return fail(err);
    atomic_store(&xce->ports[msg->arg[0]].slot, msg->arg[1]);
    return (int)msg->arg[0];
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    struct sim_msg msg = { .op = SIM_ALLOC_UNBOUND, .arg = { domid } };

    return bind(xce, &msg);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                            evtchn_port_t remote_port)
{
    struct sim_msg msg = { .op = SIM_BIND_INTERDOMAIN, .arg = { domid, remote_port } };

    return bind(xce, &msg);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    struct sim_msg msg = { .op = SIM_BIND_VIRQ, .arg = { virq } };

    return bind(xce, &msg);
}

EXPORT int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    struct sim_msg msg = { .op = SIM_RESTRICT, .arg = { domid } };
    int err = sim_call(&xce->conn, &msg, NULL, NULL);

    return err ? fail(err) : 0;
}

/* ---- peers' pipes ---- */

static void pipe_drop(xenevtchn_handle *xce, struct pipe_ref *gone)
{
    if (!gone || --gone->refs)
        return;
    for (struct pipe_ref **p = &xce->pipes; *p; p = &(*p)->next)
        if (*p == gone) {
            *p = gone->next;
            break;
        }
    close(gone->fd);
    free(gone);
}

/* The pipe of 'handle', for this port, asking the daemon the first time.  NULL
 * if the handle is gone, or for want of a descriptor.  Called with the lock held. */
static struct pipe_ref *pipe_get(xenevtchn_handle *xce, struct local *port, uint32_t handle)
{
    struct pipe_ref *p = atomic_load(&port->pipe);
    struct sim_msg msg = { .op = SIM_PIPE, .arg = { handle } };
    int fds[SIM_FDS_MAX], nfds = 0;

    if (p && p->handle == handle)
        return p;
    atomic_store(&port->pipe, NULL);
    pipe_drop(xce, port->before);
    port->before = p;
    for (p = xce->pipes; p && p->handle != handle; p = p->next)
        ;
    if (!p) {
        /* The kernel leaves out what we have no number for. */
        if (sim_call(&xce->conn, &msg, fds, &nfds) < 0 || !nfds || !(p = calloc(1, sizeof *p))) {
            if (nfds)
                close(fds[0]);
            return NULL;
        }
        p->handle = handle;
        p->fd = fds[0];
        p->next = xce->pipes;
        xce->pipes = p;
    }
    p->refs++;
    atomic_store(&port->pipe, p);
    return p;
}

/* ---- the hot path ---- */

/* A full pipe cannot be: it holds 16384 events, one per port at most, and a
 * hostile domain must not block its peer.  So a failed write is dropped. */
static void queue(int fd, uint32_t port)
{
    ssize_t n = write(fd, &port, sizeof port);

    (void)n;
}

static struct local *port_of(xenevtchn_handle *xce, uint32_t port, uint32_t *slot)
{
    *slot = port < PORT_MAX ? atomic_load_explicit(&xce->ports[port].slot, memory_order_acquire) : 0;
    return *slot ? &xce->ports[port] : NULL;
}

EXPORT int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct port_slot *far;
    struct pipe_ref *pipe;
    struct local *local;
    uint32_t slot, handle, far_port;
    uint64_t peer;
    int saved = errno;

    if (!(local = port_of(xce, port, &slot)))
        return fail(-ENOTCONN);
    if (!(peer = atomic_load(&xce->table[slot].peer)))
        return 0;
    far = &xce->table[(uint32_t)peer];
    handle = atomic_load(&far->handle);        /* stable as long as the generation is */
    far_port = atomic_load(&far->port);
    if (!port_raise(far, (uint32_t)(peer >> 32)))
        return 0;
    pipe = atomic_load(&local->pipe);
    if (pipe && pipe->handle == handle) {
        queue(pipe->fd, far_port);
    } else if (handle) {
        pthread_mutex_lock(&xce->lock);
        if ((pipe = pipe_get(xce, local, handle)))
            queue(pipe->fd, far_port);
        else
            sim_call(&xce->conn, &(struct sim_msg){ .op = SIM_QUEUE, .arg = { handle, far_port } }, NULL, NULL);
        pthread_mutex_unlock(&xce->lock);
    }
    errno = saved;
    return 0;
}

EXPORT int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    uint32_t slot;

    /* As Linux: a port that is not ours is ignored. */
    if (port_of(xce, port, &slot) && port_unmask(&xce->table[slot]))
        queue(xce->wfd, port);
    return 0;
}

/* As Linux: an event that was queued before its port was unbound is still read. */
EXPORT xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    uint32_t port;
    ssize_t n = read(xce->fd, &port, sizeof port);

    if (n == (ssize_t)sizeof port)
        return (int)port;
    return n < 0 ? -1 : fail(-EIO);
}

EXPORT int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct sim_msg msg = { .op = SIM_UNBIND, .arg = { port } };
    struct local *local;
    uint32_t slot;
    int err;

    if (!(local = port_of(xce, port, &slot)))
        return fail(-ENOTCONN);
    pthread_mutex_lock(&xce->lock);
    atomic_store(&local->slot, 0);
    pipe_drop(xce, atomic_exchange(&local->pipe, NULL));
    pipe_drop(xce, local->before);
    local->before = NULL;
    err = sim_call(&xce->conn, &msg, NULL, NULL);
    pthread_mutex_unlock(&xce->lock);
    return err ? fail(err) : 0;
}
