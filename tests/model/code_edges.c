/* SPDX-License-Identifier: MIT */
/* code_edges.c: common/ring/ring.c itself, compiled with its atomics replaced by ones that take notes.  So the
 * model is about the code and not about what somebody remembers of it: weaken a line of ring.c or shm.h and
 * model_wake prints the interleaving that goes wrong. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "code_edges.h"

static struct note {
    bool store;
    const uint32_t *place;
    int order;
} notes[8];
static unsigned note_count;

static void take_note(bool store, const void *place, int order)
{
    if (note_count < sizeof notes / sizeof *notes)
        notes[note_count] = (struct note){ store, place, order };
    note_count++;
}

static uint32_t noted_load(const uint32_t *p, int order)
{
    take_note(false, p, order);
    return *p;
}

static void noted_store(uint32_t *p, uint32_t value, int order)
{
    take_note(true, p, order);
    *p = value;
}

/* shm.h has accesses to bytes, too, which ring.c does not use. */
#define __atomic_load_n(p, order)         ((__typeof__(*(p) + 0))noted_load((const void *)(p), order))
#define __atomic_store_n(p, value, order) noted_store((void *)(p), value, order)
#define __atomic_thread_fence(order)      take_note(true, NULL, order)
#define __sync_synchronize()              take_note(true, NULL, __ATOMIC_SEQ_CST)
#include "ring.c"

static _Alignas(64) uint8_t page[VSOCKIF_PAGE_SIZE];
static char problem[160];

static bool is(unsigned i, bool store, const uint32_t *place)
{
    return i < note_count && notes[i].store == store && notes[i].place == place;
}

static const char *differs(const char *function)
{
    snprintf(problem, sizeof problem, "%s makes %u accesses that are not the model's steps: change the model with it",
             function, note_count);
    return problem;
}

static const char *read_side(enum ring_side side, struct code_edges *edges)
{
    struct vsockif_ring *shared = (void *)page;
    struct vsockif_slot slot = { .id = 0 };
    struct ring r;

    memset(page, 0, sizeof page);
    note_count = 0;
    ring_init(&r, side, page, 0);
    if (side == RING_BACK) {
        shared->req_prod = 1;
        shared->req_event = shared->rsp_event = 1;
        (void)ring_pending(&r);
        ring_take(&r, 1);
    }
    ring_put(&r, &slot);
    note_count = 0;
    (void)ring_publish(&r);
    if (note_count != 2 || !is(0, true, r.out_prod) || !is(1, false, r.out_event))
        return differs("ring_publish");
    edges->publish_store = notes[0].order;
    edges->publish_load = notes[1].order;

    note_count = 0;
    (void)ring_pending(&r);
    if (note_count != 1 || !is(0, false, r.in_prod))
        return differs("ring_pending");
    edges->pending_load = notes[0].order;

    note_count = 0;
    (void)ring_arm(&r, 1);
    if (!is(0, true, r.in_event) || note_count > 2 || (note_count == 2 && !is(1, false, r.in_prod)))
        return differs("ring_arm");
    edges->arm_store = notes[0].order;
    edges->arm_load = note_count == 2 ? notes[1].order : -1;
    return NULL;
}

const char *code_edges_read(struct code_edges *edges)
{
    struct code_edges back;
    const char *why;

    if ((why = read_side(RING_FRONT, edges)) || (why = read_side(RING_BACK, &back)))
        return why;
    return memcmp(edges, &back, sizeof back) ? "the two sides of ring.c differ in their edges" : NULL;
}
