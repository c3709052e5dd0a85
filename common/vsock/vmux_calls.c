/* SPDX-License-Identifier: MIT */
/* vmux_calls.c: the calls of vmux.h on one connection, and on all of them; the map of the files is in vmux_impl.h.  Each changes
 * a connection with vconn.c and then settles: nothing else links, unlinks or frees. */
#include "vmux_impl.h"

#include <errno.h>
#include <stdlib.h>

int vmux_new(const struct vmux_config *config, struct vmux **out)
{
    uint32_t last = config->last_port ? config->last_port : VSOCKIF_PORT_ANY - 1;
    uint32_t start = config->start_port ? config->start_port : config->first_port;
    struct vmux *m;

    *out = NULL;
    if (config->conn_size < sizeof(struct vmux_conn) || config->conn_size > 65536 || config->max_conns == 0 ||
        config->tx_cap == 0 || last == VSOCKIF_PORT_ANY || start < config->first_port || start > last)
        return -EINVAL;
    if (!(m = calloc(1, sizeof *m)))
        return -ENOMEM;
    m->config = *config;
    m->config.conn_size = (config->conn_size + 15) & ~(size_t)15;
    if (m->config.max_resets == 0)
        m->config.max_resets = VSOCKIF_MAX_RESETS;
    m->config.last_port = last;
    m->next_port = start;
    list_init(&m->owed);
    list_init(&m->listeners);
    hash_seed(&m->seed);
    if (hash_init(&m->pairs) < 0 || hash_init(&m->ports) < 0 ||
        !(m->resets = calloc(m->config.max_resets, sizeof *m->resets))) {
        vmux_free(m);
        return -ENOMEM;
    }
    *out = m;
    return 0;
}

void vmux_free(struct vmux *m)
{
    if (!m)
        return;
    record_free_all(m);
    ports_free(m);
    hash_free(&m->pairs);
    free(m->resets);
    free(m->heap);
    free(m);
}

void vmux_set_cids(struct vmux *m, uint64_t local_cid, uint64_t peer_cid)
{
    m->local_cid = local_cid;
    m->peer_cid = peer_cid;
}

void vmux_allow_seqpacket(struct vmux *m, bool allow)
{
    m->seqpacket = allow;
}

bool vmux_has_seqpacket(const struct vmux *m)
{
    return m->seqpacket;
}

/* ---- a record, from the pool and back --------------------------------------------------------------- */

struct vmux_conn *vmux_add(struct vmux *m, const struct vaddr *local, const struct vaddr *peer)
{
    struct vmux_conn *conn;

    if (m->count >= m->config.max_conns || !(conn = record_take(m)))
        return NULL;
    conn->local = *local;
    conn->peer = *peer;
    pairs_insert(m, conn);
    return conn;
}

bool vmux_settle(struct vmux *m, struct vmux_conn *conn)
{
    bool is_over = conn->c.state == VCONN_CLOSED;

    if (is_over && !conn->c.owed)
        pairs_remove(m, conn);
    if (conn->heap_index || conn->c.deadline != VCONN_NO_DEADLINE)
        deadlines_set(m, conn);
    if (!conn->c.owed)
        list_remove(&conn->owed_link);
    else if (list_is_empty(&conn->owed_link))
        list_append(&m->owed, &conn->owed_link);
    if (!is_over || conn->c.owed || !conn->released)
        return false;
    list_remove(&conn->accept_link);
    record_give(m, conn);
    return true;
}

/* ---- the connection's calls ------------------------------------------------------------------------ */

int vmux_connect(struct vmux *m, struct vaddr local, struct vaddr peer, uint32_t buf_alloc, uint32_t timeout_ms,
                 uint64_t now, struct vmux_conn **out)
{
    struct vmux_conn *conn, *old;

    *out = NULL;
    if (peer.port == VSOCKIF_PORT_ANY)
        return -EADDRNOTAVAIL;
    if (m->count >= m->config.max_conns)
        return -ENOBUFS;
    if (local.port == VSOCKIF_PORT_ANY) {
        if ((local.port = ports_pick(m, local.cid, &peer)) == VSOCKIF_PORT_ANY)
            return -EADDRNOTAVAIL;
    } else if ((old = pairs_find(m, &local, &peer))) {
        if (old->c.state != VCONN_CLOSED)
            return -EADDRINUSE;
        pairs_remove(m, old);
    }
    if (!(conn = vmux_add(m, &local, &peer)))
        return -ENOMEM;
    vconn_open(&conn->c, buf_alloc, m->config.tx_cap, timeout_ms, now);
    vmux_settle(m, conn);
    *out = conn;
    return 0;
}

void vmux_answer(struct vmux *m, struct vmux_conn *conn)
{
    vconn_answer(&conn->c);
    vmux_settle(m, conn);
}

void vmux_want_room(struct vmux *m, struct vmux_conn *conn)
{
    vconn_want_room(&conn->c);
    vmux_settle(m, conn);
}

void vmux_consumed(struct vmux *m, struct vmux_conn *conn, uint32_t len)
{
    vconn_consumed(&conn->c, len);
    vmux_settle(m, conn);
}

void vmux_set_buf_alloc(struct vmux *m, struct vmux_conn *conn, uint32_t buf_alloc)
{
    vconn_set_buf_alloc(&conn->c, buf_alloc);
    vmux_settle(m, conn);
}

void vmux_shutdown(struct vmux *m, struct vmux_conn *conn, unsigned flags, uint64_t now)
{
    vconn_shutdown(&conn->c, flags, now);
    vmux_settle(m, conn);
}

void vmux_close(struct vmux *m, struct vmux_conn *conn, uint64_t now)
{
    vconn_close(&conn->c, now);
    vmux_settle(m, conn);
}

void vmux_abort(struct vmux *m, struct vmux_conn *conn, int error, struct reason reason)
{
    vconn_abort(&conn->c, error, reason);
    vmux_settle(m, conn);
}

void vmux_release(struct vmux *m, struct vmux_conn *conn, uint64_t now)
{
    vconn_close(&conn->c, now);
    conn->released = true;
    vmux_settle(m, conn);
}

void vmux_unlisten(struct vmux *m, struct vmux_listener *l)
{
    struct vmux_conn *conn;

    if (!l)
        return;
    while ((conn = vmux_accept(m, l))) {
        vconn_abort(&conn->c, ECONNRESET, REASON(ABORTED));
        conn->released = true;
        vmux_settle(m, conn);
    }
    ports_unlisten(m, l);
}

/* ---- what is due ----------------------------------------------------------------------------------- */

uint64_t vmux_next_deadline(const struct vmux *m)
{
    return m->heap_count ? m->heap[1].at : VCONN_NO_DEADLINE;
}

bool vmux_expire(struct vmux *m, uint64_t now, struct vmux_event *ev)
{
    struct vmux_conn *conn;

    *ev = (struct vmux_event){ .kind = VMUX_NOTHING };
    if (m->heap_count == 0 || now < m->heap[1].at)
        return false;
    conn = m->heap[1].conn;
    ev->now = vconn_expire(&conn->c, now);
    if (!conn->released) {
        ev->kind = VMUX_CONN;
        ev->conn = conn;
    }
    vmux_settle(m, conn);
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------------ */

void vmux_transport_reset(struct vmux *m, void (*each)(struct vmux_conn *conn, void *arg), void *arg)
{
    struct record_walk walk = { 0 };
    struct vmux_conn *conn;
    struct list told, *link;

    list_init(&told);
    m->reset_count = 0;
    while ((conn = record_next(m, &walk))) {
        bool was_open = conn->c.state != VCONN_CLOSED;

        vconn_transport_reset(&conn->c);
        if (conn->listener) {
            backlog_remove(conn);
            conn->released = true;
        }
        if (!vmux_settle(m, conn) && was_open)
            list_append(&told, &conn->accept_link);
    }
    /* A release in each() takes its record out of this list. */
    while ((link = list_take(&told)))
        if (each)
            each(container_of(link, struct vmux_conn, accept_link), arg);
}

void vmux_each(struct vmux *m, void (*each)(struct vmux_conn *conn, void *arg), void *arg)
{
    struct record_walk walk = { 0 };
    struct vmux_conn *conn;

    while ((conn = record_next(m, &walk)))
        each(conn, arg);
}

uint32_t vmux_count(const struct vmux *m)
{
    return m->count;
}
