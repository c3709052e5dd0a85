/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * say.h: packets without data that the driver sends of its own, where Linux's
 * common code of virtio would send none, or wait for a lock first.
 */
#ifndef XV_SAY_H
#define XV_SAY_H

#include <linux/virtio_vsock.h>

#include "vsockif.h"

struct xv_device;

/*
 * Asks the peer for credit, once for each state of the connection, since the
 * peer cannot know what this end waits for.  With the socket's lock held.
 */
void xv_say_ask(struct xv_device *dev, struct vsock_sock *vsk);

/* Cuts an established connection: the peer sees a reset, and why.  Likewise. */
void xv_say_cut(struct vsock_sock *vsk, enum vsockif_reason why);

/* A reset in nobody's name, to what has come and no socket gets. */
void xv_say_no(const struct vsockif_hdr *to, enum vsockif_reason why);

#endif
