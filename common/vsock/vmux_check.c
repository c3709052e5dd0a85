/* SPDX-License-Identifier: MIT */
/* vmux_check.c: what must always be true of a table.  Slow on purpose: it counts everything again. */
#include "vmux_impl.h"

size_t vmux_memory(const struct vmux *m)
{
    return sizeof *m + record_memory(m) + hash_memory(&m->pairs) + hash_memory(&m->ports) +
           m->config.max_resets * sizeof *m->resets + (m->heap ? (m->heap_room + 1) * sizeof *m->heap : 0) +
           m->ports.count * sizeof(struct vmux_listener);
}

static uint32_t length(const struct list *l)
{
    uint32_t n = 0;

    for (const struct list *i = l->next; i != l; i = i->next)
        n++;
    return n;
}

static const char *check_heap(const struct vmux *m)
{
    if (m->heap_room < m->record_count)
        return "there is no room for everyone's deadline";
    for (uint32_t i = 1; i <= m->heap_count; i++) {
        const struct due *due = &m->heap[i];

        if (due->conn->heap_index != i || !due->conn->in_use)
            return "a deadline that is not its connection's";
        if (due->at != due->conn->c.deadline)
            return "a deadline that has changed";
        if (i > 1 && m->heap[i / 2].at > due->at)
            return "the heap is out of order";
    }
    return NULL;
}

static const char *check_listeners(const struct vmux *m)
{
    uint32_t listeners = 0;

    for (struct list *i = m->listeners.next; i != &m->listeners; i = i->next, listeners++) {
        struct vmux_listener *l = container_of(i, struct vmux_listener, link);

        if (ports_find(m, l->port) != l)
            return "a listener that its port does not find";
        if (length(&l->backlog) != l->waiting || l->waiting > l->limit)
            return "a backlog's count is wrong";
        for (struct list *j = l->backlog.next; j != &l->backlog; j = j->next)
            if (container_of(j, struct vmux_conn, accept_link)->listener != l)
                return "a stranger in a backlog";
    }
    return listeners == m->ports.count ? NULL : "the number of listeners is wrong";
}

static const char *check_conn(const struct vmux *m, const struct vmux_conn *conn)
{
    const char *why = vconn_invariant(&conn->c);
    bool is_over = conn->c.state == VCONN_CLOSED;

    if (why)
        return why;
    if (conn->unlinked && !is_over)
        return "not CLOSED and out of the table";
    if (!conn->unlinked && is_over && !conn->c.owed)
        return "CLOSED, owes nothing and is in the table";
    if (!conn->unlinked && pairs_find(m, &conn->local, &conn->peer) != conn)
        return "a connection that its addresses do not find";
    if (!conn->c.owed != list_is_empty(&conn->owed_link))
        return "owes and is not in the queue, or the other way round";
    if ((conn->c.deadline == VCONN_NO_DEADLINE) != (conn->heap_index == 0))
        return "a deadline and no place in the heap, or the other way round";
    if (is_over && conn->released && !conn->c.owed)
        return "a record that nobody needs is still in use";
    if (conn->listener && conn->released)
        return "released while it waits in a backlog";
    return NULL;
}

const char *vmux_invariant(struct vmux *m)
{
    struct record_walk walk = { 0 };
    struct vmux_conn *conn;
    uint32_t in_use = 0, linked = 0, owing = 0, timed = 0, waiting = 0, free_records = 0;
    const char *why;

    while ((conn = record_next(m, &walk))) {
        if ((why = check_conn(m, conn)))
            return why;
        in_use++;
        linked += !conn->unlinked;
        owing += conn->c.owed != 0;
        timed += conn->heap_index != 0;
        waiting += conn->listener != NULL;
    }
    for (struct hash_link *link = m->free_records ? &m->free_records->pair_link : NULL; link; link = link->next)
        free_records++;
    for (struct list *i = m->listeners.next; i != &m->listeners; i = i->next)
        waiting -= container_of(i, struct vmux_listener, link)->waiting;
    if (in_use != m->count || in_use + free_records != m->record_count)
        return "records are lost";
    if (in_use > m->config.max_conns)
        return "more records than max_conns";
    if (linked != m->pairs.count)
        return "the number of connections in the table is wrong";
    if (owing != length(&m->owed))
        return "the number of connections that owe is wrong";
    if (timed != m->heap_count)
        return "the number of deadlines is wrong";
    if (waiting != 0)
        return "the number of connections in backlogs is wrong";
    if (m->reset_count > m->config.max_resets)
        return "more resets than max_resets";
    return (why = check_heap(m)) ? why : check_listeners(m);
}
