/* SPDX-License-Identifier: MIT */
/* ring.c: the three places where a ring's memory order matters.  The model in tests/model walks through
 * every interleaving of ring_publish() with ring_arm(); each barrier here is one that it needs. */
#include "ring.h"

#include <errno.h>

void ring_init(struct ring *r, enum ring_side side, void *shared, uint32_t order)
{
    struct vsockif_ring *header = shared;
    bool front = side == RING_FRONT;

    memset(r, 0, sizeof *r);
    r->out_prod  = front ? &header->req_prod  : &header->rsp_prod;
    r->out_event = front ? &header->req_event : &header->rsp_event;
    r->in_prod   = front ? &header->rsp_prod  : &header->req_prod;
    r->in_event  = front ? &header->rsp_event : &header->req_event;
    r->slots = (struct vsockif_slot *)(void *)(header + 1);
    r->mask = vsockif_ring_slots(order) - 1;
    r->ahead = front ? ring_slots(r) : 0;
    if (front) {
        header->req_event = 1;
        header->rsp_event = 1;
    }
}

bool ring_publish(struct ring *r)
{
    uint32_t old = r->published, event;

    if (r->out == old)
        return false;
    r->published = r->out;
    shm_store_seqcst(r->out_prod, r->out);                /* DATA, WAKE */
    event = shm_load_seqcst(r->out_event);                /* WAKE */
    return r->out - event < r->out - old;
}

/* A good index is at or after the one seen before, and not past what the other direction allows: the
 * frontend has no more requests in flight than slots, the backend answers only what was asked. */
static int judge(struct ring *r, uint32_t prod)
{
    uint32_t most = ring_slots(r) - r->ahead + r->published - r->in;

    if (prod - r->in > most || prod - r->in < r->in_seen - r->in) {
        r->bad_index = prod;
        return -EPROTO;
    }
    r->in_seen = prod;
    return (int)(prod - r->in);
}

int ring_pending(struct ring *r)
{
    return judge(r, shm_load_acquire(r->in_prod));        /* DATA */
}

bool ring_arm(struct ring *r, uint32_t slots)
{
    shm_store_seqcst(r->in_event, r->in + slots);         /* WAKE */
    return shm_load_seqcst(r->in_prod) - r->in < slots;   /* WAKE */
}
