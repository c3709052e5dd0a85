/* SPDX-License-Identifier: MIT */
/* gnttab.h: what the two halves of libxengnttab share, and one call that only the
 * xenbus bridge makes.
 *
 * A handle remembers its regions by address.  Callers may munmap() one behind our
 * back (libxenvchan does): so nothing is ever unmapped but what the caller names,
 * and a region whose addresses turn up in a newer one is known to be gone. */
#ifndef XENSIM_GNTTAB_H
#define XENSIM_GNTTAB_H

#include "client.h"

struct region {
    struct region *next;
    char *addr;
    uint32_t count;            /* pages */
    uint32_t id;               /* the daemon's share or map */
};

/* The header calls both kinds of handle by one struct tag. */
struct xengntdev_handle {
    struct sim_conn conn;
    struct xentoollog_logger *logger;
    uint32_t release_op;       /* SIM_UNSHARE or SIM_UNMAP */
    pthread_mutex_t lock;      /* of the list */
    struct region *regions;
};

struct xengntdev_handle *gnt_open(struct xentoollog_logger *logger, uint32_t release_op,
                                  const char *who, unsigned flags);
int gnt_close(struct xengntdev_handle *gnt);

/* Logs as the real library does, and returns -1 with errno = -err. */
int gnt_fail(struct xengntdev_handle *gnt, int err, const char *what);

/* Takes over a mapped region: 0 or -ENOMEM. */
int gnt_remember(struct xengntdev_handle *gnt, void *addr, uint32_t count, uint32_t id);

/* munmap and release of exactly one region: 0 or -EINVAL. */
int gnt_release(struct xengntdev_handle *gnt, void *addr, uint32_t count);

void gnt_discard(struct xengntdev_handle *gnt, uint32_t id);

/* share_pages with everything: 'fixed' is a reserved reference or 0. */
void *gnt_share(struct xengntdev_handle *gnt, uint32_t domid, uint32_t count, uint32_t *refs,
                int writable, uint32_t offset, uint32_t port, uint32_t fixed);

#endif
