/* SPDX-License-Identifier: MIT */
/* evtchn.h: a guest's event channel, opened and bound by the keeper and handed to the worker, which has no right to open any. */
#ifndef XVSD_EVTCHN_H
#define XVSD_EVTCHN_H

#include <stdint.h>

#define CHANNEL_WHY 256

struct xenevtchn_handle;

/* Binds the guest's port, which it allocated for this domain.  0, *out and *port (ours), or a negative errno and why. */
int  channel_open(uint32_t domid, uint32_t remote_port, struct xenevtchn_handle **out, uint32_t *port, char *why);
/* A descriptor of it, for somebody else: the caller's.  A negative errno. */
int  channel_fd(struct xenevtchn_handle *channel);
/* Harmless on NULL.  Somebody else's descriptor goes on. */
void channel_close(struct xenevtchn_handle *channel);

#endif
