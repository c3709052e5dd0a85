/* SPDX-License-Identifier: MIT */
/* port.h: the event channels' shared table, and the only code that touches it.
 *
 * One memfd mapped by the daemon and by every handle.  A notification is one
 * compare-and-swap on the peer's slot; only the first of several costs a write
 * of the port's number into the pipe that the peer's handle polls:
 *     idle --raise--> MASKED, queued --raise--> MASKED|PENDING
 *     unmask: PENDING -> queued again, still MASKED; else idle
 * The daemon alone allocates and binds.  Each new use of a slot has a new
 * generation, so that a notifier that lost a race with close touches nobody. */
#ifndef XENSIM_PORT_H
#define XENSIM_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PORT_SLOTS 65536u              /* event channels of the whole host */
#define PORT_MAX   4096u               /* a domain's ports are 1 .. PORT_MAX - 1 */

#define PORT_MASKED   1u
#define PORT_PENDING  2u
#define PORT_GEN_SHIFT 2

struct port_slot {
    _Atomic uint32_t state;            /* generation << 2 | PENDING | MASKED */
    _Atomic uint32_t handle;           /* whose pipe is woken; 0: nobody's */
    _Atomic uint64_t peer;             /* generation << 32 | slot; 0: none */
    _Atomic uint32_t port;             /* this end's number in its own domain */
    uint32_t pad[11];                  /* a cache line each */
};
_Static_assert(sizeof(struct port_slot) == 64, "one cache line");

#define PORT_TABLE_SIZE (PORT_SLOTS * sizeof(struct port_slot))

/* True if the caller must now write slot->port into the pipe of 'handle'.  The
 * exchange is sequentially consistent even where it changes nothing: whatever
 * the notifier stored before is seen by whom the event wakes, as after a
 * hypercall. */
static inline bool port_raise(struct port_slot *slot, uint32_t gen)
{
    uint32_t old = atomic_load_explicit(&slot->state, memory_order_relaxed);

    do {
        if (old >> PORT_GEN_SHIFT != gen)
            return false;
    } while (!atomic_compare_exchange_weak(&slot->state, &old,
                 old | (old & PORT_MASKED ? PORT_PENDING : PORT_MASKED)));
    return !(old & PORT_MASKED);
}

/* True if an event came meanwhile: the caller must queue the port again. */
static inline bool port_unmask(struct port_slot *slot)
{
    uint32_t old = atomic_load_explicit(&slot->state, memory_order_relaxed);

    while (!atomic_compare_exchange_weak(&slot->state, &old,
               old & ~(old & PORT_PENDING ? PORT_PENDING : PORT_MASKED)))
        ;
    return old & PORT_PENDING;
}

static inline uint32_t port_gen(const struct port_slot *slot)
{
    return atomic_load(&slot->state) >> PORT_GEN_SHIFT;
}

#endif
