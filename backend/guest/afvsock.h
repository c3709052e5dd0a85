/* SPDX-License-Identifier: MIT */
/* afvsock.h: the host's kernel and a guest: who opens /dev/vhost-vsock for it, and lets it go.
 *
 * The descriptor has the guest's CID, and goes to the worker, which plays the guest's driver (ends/kernel/).  One stays here: whoever closes
 * the last one waits for 10 ms, so a thread does (Linux: vhost_vsock_dev_release() waits for a grace period).  It is opened
 * when the guest connects, and stays for as long as the worker says, over a short absence of the guest's. */
#ifndef XVSD_AFVSOCK_H
#define XVSD_AFVSOCK_H

#include "guest.h"

/* The guest has connected, with d->cid. */
void afvsock_connected(struct device *d);
/* The worker has let it go. */
void afvsock_over(struct device *d, bool failed);
/* There is no worker that could have it, or no device. */
void afvsock_close(struct device *d);

#endif
