/* SPDX-License-Identifier: MIT */
/* deadlines.c: the connections that have a deadline, in a binary heap (an array, 1-based, the earliest on top).
 * Each record knows its place, so that the common case, an answer before the deadline, takes it out at once. */
#include "vmux_impl.h"

#include <errno.h>
#include <stdlib.h>

int deadlines_reserve(struct vmux *m, uint32_t records)
{
    uint32_t room = m->heap_room ? m->heap_room : 16;
    struct due *bigger;

    if (records <= m->heap_room)
        return 0;
    /* By halves: a table of many connections that are mostly idle should not pay for twice their number. */
    while (room < records)
        room += room / 2;
    if (!(bigger = realloc(m->heap, (room + 1) * sizeof *bigger)))
        return -ENOMEM;
    m->heap = bigger;
    m->heap_room = room;
    return 0;
}

static void place(struct vmux *m, uint32_t i, struct due due)
{
    m->heap[i] = due;
    due.conn->heap_index = i;
}

static void sift(struct vmux *m, uint32_t i, struct due due)
{
    for (; i > 1 && due.at < m->heap[i / 2].at; i /= 2)
        place(m, i, m->heap[i / 2]);
    for (uint32_t child; (child = 2 * i) <= m->heap_count; i = child) {
        if (child < m->heap_count && m->heap[child + 1].at < m->heap[child].at)
            child++;
        if (due.at <= m->heap[child].at)
            break;
        place(m, i, m->heap[child]);
    }
    place(m, i, due);
}

void deadlines_set(struct vmux *m, struct vmux_conn *conn)
{
    uint32_t i = conn->heap_index;
    struct due due = { .at = conn->c.deadline, .conn = conn };

    if (due.at != VCONN_NO_DEADLINE) {
        if (i == 0)
            sift(m, ++m->heap_count, due);
        else if (m->heap[i].at != due.at)
            sift(m, i, due);
    } else if (i != 0) {
        struct due last = m->heap[m->heap_count--];

        conn->heap_index = 0;
        if (last.conn != conn)
            sift(m, i, last);
    }
}
