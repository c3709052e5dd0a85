/* SPDX-License-Identifier: MIT */
/* virtq.c: see virtq.h. */
#include "virtq.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 4096u

int virtq_init(struct virtq *q)
{
    *q = (struct virtq){ .bytes = vring_size(VIRTQ_ENTRIES, ALIGN), .room = VIRTQ_ENTRIES };
    q->mem = mmap(NULL, q->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (q->mem == MAP_FAILED) {
        q->mem = NULL;
        return -ENOMEM;
    }
    vring_init(&q->ring, VIRTQ_ENTRIES, q->mem, ALIGN);
    for (uint16_t i = 0; i < VIRTQ_ENTRIES; i++)
        q->next[i] = (uint16_t)(i + 1);
    return 0;
}

void virtq_free(struct virtq *q)
{
    if (q->mem)
        munmap(q->mem, q->bytes);
    *q = (struct virtq){ 0 };
}

uint16_t virtq_add(struct virtq *q, const struct iovec *piece, uint16_t count, bool device_writes)
{
    uint16_t first = q->free_head, at = first, flags = device_writes ? VRING_DESC_F_WRITE : 0;

    for (uint16_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count;

        q->ring.desc[at] = (struct vring_desc){
            .addr = (uintptr_t)piece[i].iov_base, .len = (uint32_t)piece[i].iov_len,
            .flags = (uint16_t)(flags | (is_last ? 0 : VRING_DESC_F_NEXT)), .next = is_last ? 0 : q->next[at]
        };
        at = q->next[at];
    }
    q->free_head = at;
    q->room = (uint16_t)(q->room - count);
    q->length[first] = count;
    q->ring.avail->ring[q->avail++ % VIRTQ_ENTRIES] = first;
    return first;
}

static uint16_t device_index(const struct virtq *q)
{
    return __atomic_load_n(&q->ring.used->idx, __ATOMIC_SEQ_CST);
}

bool virtq_take(struct virtq *q, uint16_t *chain, uint32_t *written)
{
    struct vring_used_elem elem;
    uint16_t last;

    if (q->used == device_index(q))
        return false;
    elem = q->ring.used->ring[q->used++ % VIRTQ_ENTRIES];
    if (elem.id >= VIRTQ_ENTRIES || !q->length[elem.id])
        return false;
    *chain = last = (uint16_t)elem.id;
    *written = elem.len;
    for (uint16_t i = 1; i < q->length[*chain]; i++)
        last = q->next[last];
    q->next[last] = q->free_head;
    q->free_head = *chain;
    q->room = (uint16_t)(q->room + q->length[*chain]);
    q->length[*chain] = 0;
    return true;
}

bool virtq_publish(struct virtq *q)
{
    uint16_t old = q->shown;

    if (q->avail == old)
        return false;
    /* What is shown comes before the look at whether the device sleeps, as its own two come in the other order: each a store that is
     * ordered before the load that follows it (shm.h). */
    __atomic_store_n(&q->ring.avail->idx, q->avail, __ATOMIC_SEQ_CST);
    q->shown = q->avail;
    return vring_need_event(__atomic_load_n(&vring_avail_event(&q->ring), __ATOMIC_SEQ_CST), q->avail, old);
}

bool virtq_arm(struct virtq *q)
{
    __atomic_store_n(&vring_used_event(&q->ring), q->used, __ATOMIC_SEQ_CST);
    return q->used == device_index(q);
}
