/* SPDX-License-Identifier: MIT */
/* peer.h: how the two sides in a guest, guest.c and socket.c, read the names of peers, and tell of what a guest has not. */
#ifndef XVS_PEER_H
#define XVS_PEER_H

#include <stdint.h>

#include "side.h"

/* Why there is no connection of type SEQPACKET, -ESOCKTNOSUPPORT. */
#define PEER_NO_MESSAGES "the xvsd of this guest's host has streams alone: it is older than messages (--seqpacket)"

/* d's peer, "host" if it has none, as a CID.  0; or a negative errno with d->why. */
int peer_cid(struct dial *d, uint64_t *cid);
/* 0 if l says what can be listened at in a guest; or a negative errno with l->why. */
int peer_none(struct listening *l);

/* Why a dial has failed, as words in d->why; they return err. */
int peer_late(struct dial *d, int err);
/* The device is down, for this reason: -ENETDOWN. */
int peer_down(struct dial *d, const char *reason);

#endif
