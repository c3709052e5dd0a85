/* SPDX-License-Identifier: MIT */
/* virtq.h: one split virtqueue (virtio 1.2, 2.7), as its driver has it.
 *
 *     virtq_add()                      a chain of pieces for the device, which it may read, or write
 *     virtq_publish()                  shows it all since the last call; true: the device wants a kick
 *     virtq_take()                     the next chain that the device is done with
 *     virtq_arm()                      before sleeping
 *
 * A chain is named by its first descriptor, so whoever owns one keeps what it is for in an array of VIRTQ_ENTRIES.  Both ends
 * suppress events by index (VIRTIO_RING_F_EVENT_IDX).  The device is the host's kernel, which is trusted; an id that cannot be is
 * nevertheless not followed.  No I/O; one thread. */
#ifndef XVSD_VIRTQ_H
#define XVSD_VIRTQ_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTQ_ENTRIES 256u

struct virtq {
    struct vring ring;
    void *mem;
    size_t bytes;
    uint16_t avail;             /* chains added, wraps */
    uint16_t shown;             /* …that the device can see */
    uint16_t used;              /* chains taken */
    uint16_t free_head;         /* the free descriptors, a list through next */
    uint16_t room;              /* how many */
    uint16_t next[VIRTQ_ENTRIES];       /* our own copy: nobody else writes it */
    uint16_t length[VIRTQ_ENTRIES];     /* descriptors of the chain that begins there, 0 for none */
};

/* 0 or -ENOMEM. */
int  virtq_init(struct virtq *q);
/* Harmless on one that is all zero.  The device must have let go. */
void virtq_free(struct virtq *q);

/* count is at least 1 and at most q->room.  Returns the chain's name. */
uint16_t virtq_add(struct virtq *q, const struct iovec *piece, uint16_t count, bool device_writes);
/* False: there is none, or its name is none of a chain. */
bool virtq_take(struct virtq *q, uint16_t *chain, uint32_t *written);
bool virtq_publish(struct virtq *q);
/* False: something has come back meanwhile. */
bool virtq_arm(struct virtq *q);

#endif
