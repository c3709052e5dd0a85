/* SPDX-License-Identifier: MIT */
/* ports.c: who listens, who waits to be accepted, and which port is next.
 *
 * A local port is taken by its listener, and a pair of addresses by its connection.  An ephemeral port collides with
 * neither; a port that the caller chose may be that of a listener, as the connections that the listener accepted have it. */
#include "vmux_impl.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t port_key(const struct vmux *m, uint32_t port)
{
    return hash_words(&m->seed, port, 0, 0);
}

struct vmux_listener *ports_find(const struct vmux *m, uint32_t port)
{
    uint32_t key = port_key(m, port);

    for (struct hash_link *link = hash_first(&m->ports, key); link; link = link->next) {
        struct vmux_listener *l = container_of(link, struct vmux_listener, port_link);

        if (l->port == port)
            return l;
    }
    return NULL;
}

static uint32_t next_port(struct vmux *m)
{
    uint32_t port = m->next_port++;

    if (port == m->config.last_port)
        m->next_port = m->config.first_port;
    return port;
}

uint32_t ports_pick(struct vmux *m, uint64_t local_cid, const struct vaddr *peer)
{
    uint32_t ports = m->config.last_port - m->config.first_port + 1;
    uint64_t taken = (uint64_t)m->ports.count + m->pairs.count;

    /* As many tries as there can be ports taken, and one more. */
    for (uint64_t i = 0; i <= taken && i < ports; i++) {
        struct vaddr local = { local_cid, next_port(m) };

        if (!ports_find(m, local.port) && !(peer && pairs_find(m, &local, peer)))
            return local.port;
    }
    return VSOCKIF_PORT_ANY;
}

int vmux_listen(struct vmux *m, uint32_t port, uint32_t backlog, void *user, struct vmux_listener **out)
{
    struct vmux_listener *l;

    *out = NULL;
    if (port == VSOCKIF_PORT_ANY && (port = ports_pick(m, 0, NULL)) == VSOCKIF_PORT_ANY)
        return -EADDRNOTAVAIL;
    if (ports_find(m, port))
        return -EADDRINUSE;
    if (!(l = calloc(1, sizeof *l)))
        return -ENOMEM;
    l->port = port;
    l->limit = backlog ? backlog : 1;
    l->type = VSOCKIF_TYPE_STREAM;
    l->user = user;
    list_init(&l->backlog);
    list_append(&m->listeners, &l->link);
    hash_insert(&m->ports, &l->port_link, port_key(m, port));
    *out = l;
    return 0;
}

void ports_unlisten(struct vmux *m, struct vmux_listener *l)
{
    hash_remove(&m->ports, &l->port_link);
    list_remove(&l->link);
    free(l);
}

uint32_t vmux_listener_port(const struct vmux_listener *l)
{
    return l->port;
}

uint32_t vmux_listener_waiting(const struct vmux_listener *l)
{
    return l->waiting;
}

void *vmux_listener_user(const struct vmux_listener *l)
{
    return l->user;
}

void vmux_listener_set_type(struct vmux_listener *l, unsigned type)
{
    l->type = (uint16_t)type;
}

void backlog_push(struct vmux_listener *l, struct vmux_conn *conn)
{
    conn->listener = l;
    l->waiting++;
    list_append(&l->backlog, &conn->accept_link);
}

void backlog_remove(struct vmux_conn *conn)
{
    conn->listener->waiting--;
    conn->listener = NULL;
    list_remove(&conn->accept_link);
}

struct vmux_conn *vmux_accept(struct vmux *m, struct vmux_listener *l)
{
    struct vmux_conn *conn;

    (void)m;
    if (list_is_empty(&l->backlog))
        return NULL;
    conn = container_of(l->backlog.next, struct vmux_conn, accept_link);
    backlog_remove(conn);
    return conn;
}

void ports_free(struct vmux *m)
{
    struct list *link;

    while ((link = list_take(&m->listeners)))
        free(container_of(link, struct vmux_listener, link));
    hash_free(&m->ports);
}
