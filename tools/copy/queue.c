/* SPDX-License-Identifier: MIT */
/* queue.c: see queue.h. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void queue_init(struct queue *q, size_t size)
{
    *q = (struct queue){ .size = size };
}

void queue_free(struct queue *q)
{
    free(q->things);
    queue_init(q, q->size);
}

static uint8_t *at(const struct queue *q, size_t i)
{
    return q->things + (q->first + i) % q->room * q->size;
}

static int grow(struct queue *q)
{
    struct queue more = { .size = q->size, .room = q->room ? 2 * q->room : 16, .count = q->count };

    if (!(more.things = malloc(more.room * more.size)))
        return -ENOMEM;
    for (size_t i = 0; i < q->count; i++)
        memcpy(at(&more, i), at(q, i), q->size);
    free(q->things);
    *q = more;
    return 0;
}

int queue_put(struct queue *q, const void *thing)
{
    if (q->count == q->room && grow(q))
        return -ENOMEM;
    memcpy(at(q, q->count), thing, q->size);
    q->count++;
    return 0;
}

const void *queue_first(const struct queue *q)
{
    return q->count ? at(q, 0) : NULL;
}

bool queue_take(struct queue *q, void *thing)
{
    if (!q->count)
        return false;
    memcpy(thing, at(q, 0), q->size);
    q->first = (q->first + 1) % q->room;
    q->count--;
    return true;
}
