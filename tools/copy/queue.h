/* SPDX-License-Identifier: MIT */
/* queue.h: things of one size that wait for their turn. */
#ifndef XVS_QUEUE_H
#define XVS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
    uint8_t *things;            /* a ring of 'room' of them */
    size_t size, room, first, count;
};

void queue_init(struct queue *q, size_t size);
void queue_free(struct queue *q);
/* 0 or -ENOMEM. */
int  queue_put(struct queue *q, const void *thing);
/* NULL if there is none; until the next call. */
const void *queue_first(const struct queue *q);
bool queue_take(struct queue *q, void *thing);

#endif
