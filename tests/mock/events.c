/* SPDX-License-Identifier: MIT */
/* events.c: libxenevtchn; see mock.h.  As Linux's driver: an event masks its port and is queued to be read, once; one that
 * comes meanwhile is delivered when the port is unmasked. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "list.h"
#include "mock.h"

struct port {
    struct list link;
    uint32_t domid, number;
    uint32_t remote;            /* the domain that may bind it, or has */
    struct port *peer;
    struct xenevtchn_handle *handle;    /* NULL: the test's own */
    bool masked, queued, missed;
    bool notified;              /* the test's own: since it was last asked */
};

struct xenevtchn_handle {
    struct list link;
    uint32_t domid;
    int fd;
};

static struct list ports = { &ports, &ports }, handles = { &handles, &handles };
static uint32_t last_number;

static struct port *port_of(uint32_t domid, uint32_t number)
{
    for (struct list *l = ports.next; l != &ports; l = l->next) {
        struct port *p = container_of(l, struct port, link);

        if (p->domid == domid && p->number == number)
            return p;
    }
    return NULL;
}

static struct port *port_new(uint32_t domid, uint32_t remote, struct xenevtchn_handle *h)
{
    struct port *p = calloc(1, sizeof *p);

    MOCK_MUST(p, "no memory");
    p->domid = domid;
    p->remote = remote;
    p->number = ++last_number;
    p->handle = h;
    list_init(&p->link);
    list_append(&ports, &p->link);
    return p;
}

/* To its unbound peer. */
static struct port *port_bind(uint32_t domid, uint32_t remote, uint32_t remote_number, struct xenevtchn_handle *h)
{
    struct port *peer = port_of(remote, remote_number), *p;

    if (!peer || peer->peer || peer->remote != domid) {
        errno = EINVAL;
        return NULL;
    }
    p = port_new(domid, remote, h);
    p->peer = peer;
    peer->peer = p;
    return p;
}

/* The other end is unbound again. */
static void port_close(struct port *p)
{
    if (p->peer)
        p->peer->peer = NULL;
    list_remove(&p->link);
    free(p);
}

/* How many of the handle's ports are queued is what its descriptor holds. */
static void deliver(struct port *p)
{
    uint64_t one = 1;

    if (!p->handle) {
        p->notified = true;
        return;
    }
    if (p->masked) {
        p->missed = true;
        return;
    }
    p->masked = p->queued = true;
    MOCK_MUST(write(p->handle->fd, &one, sizeof one) == sizeof one, "events: cannot signal");
}

static void send_from(struct port *p)
{
    if (p && p->peer)
        deliver(p->peer);
}

/* ---- for the test ---- */

uint32_t mock_port_new(uint32_t domid, uint32_t remote)
{
    return port_new(domid, remote, NULL)->number;
}

void mock_port_close(uint32_t domid, uint32_t number)
{
    struct port *p = port_of(domid, number);

    if (p)
        port_close(p);
}

uint32_t mock_port_bind(uint32_t domid, uint32_t remote, uint32_t remote_port)
{
    struct port *p = port_bind(domid, remote, remote_port, NULL);

    return p ? p->number : 0;
}

void mock_port_send(uint32_t domid, uint32_t number)
{
    send_from(port_of(domid, number));
}

bool mock_port_take(uint32_t domid, uint32_t number)
{
    struct port *p = port_of(domid, number);
    bool was = p && p->notified;

    if (p)
        p->notified = false;
    return was;
}

void mock_events_reset(void)
{
    MOCK_MUST(list_is_empty(&handles), "events: a handle is open");
    while (!list_is_empty(&ports))
        port_close(container_of(ports.next, struct port, link));
    last_number = 0;
}

const char *mock_events_left_over(void)
{
    if (!list_is_empty(&handles))
        return "a handle of event channels is open";
    for (struct list *l = ports.next; l != &ports; l = l->next)
        if (container_of(l, struct port, link)->handle)
            return "an event channel is bound";
    return "";
}

/* ---- the product's calls ---- */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    MOCK_ENTER(xenevtchn_open, NULL);
    struct xenevtchn_handle *h = calloc(1, sizeof *h);

    (void)logger;
    (void)flags;
    MOCK_MUST(h, "no memory");
    h->domid = mock_self;
    h->fd = eventfd(0, EFD_CLOEXEC);
    MOCK_MUST(h->fd >= 0, "events: no descriptor");
    list_init(&h->link);
    list_append(&handles, &h->link);
    return h;
}

/* The kernel's number of an eventfd; 0 for no such descriptor. */
static unsigned long id_of(int fd)
{
    unsigned long id = 0;
    char path[40], line[80];
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    if (!(f = fopen(path, "re")))
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "eventfd-id: %lu", &id) == 1)
            id++;
    fclose(f);
    return id;
}

/* Another descriptor of a handle that is open: what is bound goes over to it, as if it were one. */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
    MOCK_ENTER(xenevtchn_fdopen, NULL);
    struct xenevtchn_handle *h = calloc(1, sizeof *h), *was = NULL;

    (void)logger;
    (void)flags;
    MOCK_MUST(h, "no memory");
    for (struct list *l = handles.next; l != &handles; l = l->next)
        if (id_of(fd) && id_of(container_of(l, struct xenevtchn_handle, link)->fd) == id_of(fd))
            was = container_of(l, struct xenevtchn_handle, link);
    MOCK_MUST(was, "events: descriptor %d is no handle's", fd);
    h->domid = was->domid;
    h->fd = fd;
    list_init(&h->link);
    list_append(&handles, &h->link);
    for (struct list *l = ports.next; l != &ports; l = l->next)
        if (container_of(l, struct port, link)->handle == was)
            container_of(l, struct port, link)->handle = h;
    return h;
}

/* The driver closes what is still bound. */
int xenevtchn_close(xenevtchn_handle *h)
{
    MOCK_INSIDE();

    if (!h)
        return 0;
    for (struct list *l = ports.next, *next; l != &ports; l = next) {
        struct port *p = container_of(l, struct port, link);

        next = l->next;
        if (p->handle == h)
            port_close(p);
    }
    list_remove(&h->link);
    close(h->fd);
    free(h);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
    return h->fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid, evtchn_port_t remote_port)
{
    MOCK_ENTER(xenevtchn_bind, -1);
    struct port *p = port_bind(h->domid, domid, remote_port, h);

    return p ? (int)p->number : -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h, uint32_t domid)
{
    MOCK_ENTER(xenevtchn_bind, -1);

    return (int)port_new(h->domid, domid, h)->number;
}

static struct port *own_port(xenevtchn_handle *h, evtchn_port_t number)
{
    struct port *p = port_of(h->domid, number);

    MOCK_MUST(p && p->handle == h, "port %u is not this handle's", number);
    return p;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t number)
{
    MOCK_INSIDE();
    struct port *p = own_port(h, number);
    uint64_t count;

    if (p->queued && read(h->fd, &count, sizeof count) == sizeof count && --count)
        MOCK_MUST(write(h->fd, &count, sizeof count) == sizeof count, "events: cannot signal");
    port_close(p);
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t number)
{
    MOCK_ENTER(xenevtchn_notify, -1);

    send_from(own_port(h, number));
    return 0;
}

/* Without one that is queued the real call sleeps, unless the descriptor is non-blocking. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    MOCK_ENTER(xenevtchn_pending, -1);
    uint64_t count;

    for (struct list *l = ports.next; l != &ports; l = l->next) {
        struct port *p = container_of(l, struct port, link);

        if (p->handle != h || !p->queued)
            continue;
        p->queued = false;
        MOCK_MUST(read(h->fd, &count, sizeof count) == sizeof count, "events: the descriptor was not readable");
        if (--count)
            MOCK_MUST(write(h->fd, &count, sizeof count) == sizeof count, "events: cannot signal");
        return (int)p->number;
    }
    MOCK_MUST(fcntl(h->fd, F_GETFL) & O_NONBLOCK, "xenevtchn_pending() sleeps for ever: nothing is there to be read");
    errno = EAGAIN;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t number)
{
    MOCK_INSIDE();
    struct port *p = own_port(h, number);

    if (!p->masked || p->queued)
        return 0;
    p->masked = false;
    if (p->missed) {
        p->missed = false;
        deliver(p);
    }
    return 0;
}
