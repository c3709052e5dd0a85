/* SPDX-License-Identifier: MIT */
/* attach.h: the toolstack's part: the directories of devices, made, removed and found (vsockif.h, section 2).
 *
 * xl knows no device called vsock, so the daemon does for it what xl does for a disk: both directories in one transaction,
 * permissions before contents, because children inherit them.  The guest owns its directory and may
 * write anything there; so devices are found by the backend's directories alone, which only dom0 can write.
 * Needs the rights of dom0 (-EACCES otherwise).  One thread, that of the store. */
#ifndef XVS_ATTACH_H
#define XVS_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paths.h"
#include "store.h"

struct attach_device {
    struct device_id id;
    uint64_t cid;
    bool orphan;                /* the guest's directory is gone or names another backend: an earlier domain's */
};

/* Creates the device, both ends in state 1.  -ENOENT if the domain does not exist, -EEXIST if the device does.  Directories
 * that an earlier domain with the same domid left behind are replaced. */
int attach_create(struct store *s, const struct attach_device *d);

/* Removes the device: both directories, its error node, and parents that are now empty.  0 if it did not exist.  The
 * caller has unmapped. */
int attach_remove(struct store *s, const struct device_id *id);
/* The error alone, where the rest is not ours to remove or gone already. */
int attach_remove_error(struct store *s, const struct device_id *id);

/* The devices of backend domain 'back': at most max, orphans among them (attach_create() would replace those, and whoever
 * finds one whose domain is dead removes it).  Returns how many; *more as in store_list(). */
int attach_list(struct store *s, uint32_t back, struct attach_device *out, size_t max, bool *more);

/* The least device number that the guest has free, or -ENOSPC. */
int attach_free_number(struct store *s, uint32_t front, uint32_t back);

/* The same device as attach_list() finds it, alone.  -ENOENT. */
int attach_find(struct store *s, const struct device_id *id, struct attach_device *out);

#endif
