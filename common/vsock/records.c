/* SPDX-License-Identifier: MIT */
/* records.c: records of one size from slabs.  No malloc in the steady state, and the record that was used last is
 * handed out first, for it is in the cache. */
#include "vmux_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_RECORDS 8u
#define SLAB_BYTES    65536u

struct slab {
    uint32_t records;
    _Alignas(16) unsigned char bytes[];
};

static struct vmux_conn *record(const struct vmux *m, struct slab *slab, uint32_t i)
{
    return (struct vmux_conn *)(void *)(slab->bytes + i * m->config.conn_size);
}

/* Slabs double up to SLAB_BYTES: a device with three connections stays small. */
static int add_slab(struct vmux *m)
{
    uint32_t most = SLAB_BYTES / m->config.conn_size, records = m->record_count ? m->record_count : FIRST_RECORDS;
    struct slab *slab;
    int err;

    if (records > most)
        records = most > FIRST_RECORDS ? most : FIRST_RECORDS;
    if (m->slab_count == m->slab_room) {
        uint32_t room = m->slab_room ? 2 * m->slab_room : 16;
        struct slab **bigger = realloc(m->slabs, room * sizeof *bigger);

        if (!bigger)
            return -ENOMEM;
        m->slabs = bigger;
        m->slab_room = room;
    }
    if ((err = deadlines_reserve(m, m->record_count + records)) < 0)
        return err;
    if (!(slab = malloc(sizeof *slab + records * m->config.conn_size)))
        return -ENOMEM;
    slab->records = records;
    m->slabs[m->slab_count++] = slab;
    m->record_count += records;
    for (uint32_t i = records; i-- > 0;) {
        struct vmux_conn *conn = record(m, slab, i);

        conn->in_use = false;
        conn->pair_link.next = m->free_records ? &m->free_records->pair_link : NULL;
        m->free_records = conn;
    }
    return 0;
}

struct vmux_conn *record_take(struct vmux *m)
{
    struct vmux_conn *conn;
    struct hash_link *next;

    if (!m->free_records && add_slab(m) < 0)
        return NULL;
    conn = m->free_records;
    next = conn->pair_link.next;
    m->free_records = next ? container_of(next, struct vmux_conn, pair_link) : NULL;
    memset(conn, 0, m->config.conn_size);
    list_init(&conn->owed_link);
    list_init(&conn->accept_link);
    conn->in_use = true;
    m->count++;
    return conn;
}

void record_give(struct vmux *m, struct vmux_conn *conn)
{
    if (m->config.dispose)
        m->config.dispose(conn, m->config.dispose_arg);
    conn->in_use = false;
    conn->pair_link.next = m->free_records ? &m->free_records->pair_link : NULL;
    m->free_records = conn;
    m->count--;
}

struct vmux_conn *record_next(const struct vmux *m, struct record_walk *walk)
{
    for (; walk->slab < m->slab_count; walk->slab++, walk->record = 0)
        while (walk->record < m->slabs[walk->slab]->records) {
            struct vmux_conn *conn = record(m, m->slabs[walk->slab], walk->record++);

            if (conn->in_use)
                return conn;
        }
    return NULL;
}

size_t record_memory(const struct vmux *m)
{
    return m->slab_count * sizeof(struct slab) + m->record_count * m->config.conn_size + m->slab_room * sizeof *m->slabs;
}

void record_free_all(struct vmux *m)
{
    struct record_walk walk = { 0 };
    struct vmux_conn *conn;

    while ((conn = record_next(m, &walk)))
        record_give(m, conn);
    for (uint32_t i = 0; i < m->slab_count; i++)
        free(m->slabs[i]);
    free(m->slabs);
}
