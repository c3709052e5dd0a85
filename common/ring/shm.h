/* SPDX-License-Identifier: MIT */
/* shm.h: every access to memory that a peer may change behind our back.
 *
 * Nothing outside of this file dereferences such memory for a decision: indices go through the atomics,
 * a slot is copied out whole before a field of it is judged (XSA-155), and bulk data is moved by memcpy
 * or by the kernel and never interpreted.  The edges DATA, FREE and WAKE are named in vsockif.h, section 5. */
#ifndef XVS_SHM_H
#define XVS_SHM_H

#include <stdint.h>
#include <string.h>

#include "vsockif.h"

static inline uint32_t shm_load_acquire(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Both halves of WAKE: a store that is ordered before the load that follows it. */
static inline void shm_store_seqcst(uint32_t *p, uint32_t value)
{
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t shm_load_seqcst(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

/* A private copy of a slot.  The barrier keeps the compiler from reading the slot again in place of
 * the copy, which is all that a peer would need. */
static inline void shm_copy_slot(struct vsockif_slot *private_copy, const struct vsockif_slot *shared)
{
    memcpy(private_copy, shared, sizeof *private_copy);
    __asm__ volatile("" : : : "memory");
}

/* In a loop that waits for the peer to write. */
static inline void shm_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A byte that the kernel clears when the other side goes away. */
static inline uint8_t shm_load_byte(const uint8_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void shm_store_byte(uint8_t *p, uint8_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

#endif
