/* SPDX-License-Identifier: MIT */
/* xenbus.h: the pieces of xensim-xenbus, one process per domain.
 *
 *     tree.c   the toolstack: what xl writes to xenstore for a domain
 *     ring.c   the domU's xenbus driver: one xenstore ring page and its event channel
 *     mux.c    the domU's /dev/xen/xenbus: many client processes on that one ring */
#ifndef XENSIM_XENBUS_H
#define XENSIM_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenstore.h>

/* ---- tree.c; all as dom0; 0 or -errno ---- */

struct xs_handle *tree_open(void);
int tree_init(struct xs_handle *xs);
int tree_add(struct xs_handle *xs, uint32_t domid, const char *name);
int tree_bury(struct xs_handle *xs, uint32_t domid);

/* ---- ring.c ---- */

struct ring;

/* Grants the page as the reserved reference and binds a port for dom0. */
int ring_open(struct ring **out);
uint32_t ring_port(const struct ring *ring);
int ring_fd(const struct ring *ring);

/* Takes the events that are there. */
void ring_events(struct ring *ring);

/* As many bytes as there are, or fit; the caller notifies once after a batch. */
size_t ring_read(struct ring *ring, void *data, size_t size);
size_t ring_write(struct ring *ring, const void *data, size_t size);
void ring_notify(struct ring *ring);

/* ---- mux.c ---- */

/* Serves clients at 'path' until the process is killed; 'ready' is called when
 * they can connect. */
int mux_listen(const char *path);
int mux_serve(struct ring *ring, int listener);

#endif
