/* SPDX-License-Identifier: MIT */
/* owner.h: one process owns a device: a lock file, held.  All but owner_init() and owner_is_kernel() between forks_enter() and forks_leave(). */
#ifndef XVS_OWNER_H
#define XVS_OWNER_H

#include <stdbool.h>
#include <stddef.h>

#include "forks.h"

#define OWNER_NONE    0L
#define OWNER_UNKNOWN (-1L)

struct owner_lock {
    int fd;                     /* -1: not held */
    struct owned owned;         /* among the devices of this process, while held */
};

void owner_init(struct owner_lock *lock, void (*orphan)(struct owned *owned));
/* 0; or -EBUSY, with *pid of the owner, which may be this process, or OWNER_UNKNOWN; or another -errno.  'path' is what was
 * tried. */
int  owner_lock(struct owner_lock *lock, const char *run_dir, unsigned device, long *pid, char *path, size_t path_size);
void owner_unlock(struct owner_lock *lock);
/* Asks and takes nothing: the owner's process id, OWNER_NONE, or OWNER_UNKNOWN. */
long owner_find(const char *run_dir, unsigned device);
/* The guest's kernel has a driver for the device (frontend/linux): it is the kernel's, and no process can own it.  At any time. */
bool owner_is_kernel(unsigned device);
/* In a forked child: the lock is the parent's alone. */
void owner_orphan(struct owner_lock *lock);
/* The lock moves to a descriptor above this one. */
void owner_raise(struct owner_lock *lock, int above);

#endif
