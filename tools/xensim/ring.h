/* SPDX-License-Identifier: MIT */
/* ring.h: the domU's xenbus driver: one xenstore ring page and its event channel. */
#ifndef XENSIM_RING_H
#define XENSIM_RING_H

#include <stddef.h>
#include <stdint.h>

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

#endif
