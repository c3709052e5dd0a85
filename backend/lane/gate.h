/* SPDX-License-Identifier: MIT */
/* gate.h: what the policy says of a guest's connections.
 *
 * The decision is policy.h's; here are the lanes for its ends, and what becomes of a no: it is counted for each guest that it is about,
 * and told in the log (refusals.h).
 *
 *     gate_lets_out(), gate_lets_in()      may this be?  Nobody is told
 *     gate_refused_out(), …_in()           it was refused
 *
 * One thread. */
#ifndef XVSD_GATE_H
#define XVSD_GATE_H

#include "lane.h"

/* From a guest to a port of the host's (to: UNIX or VSOCK; there: NULL) or of another guest's (GUEST; there NULL: one that is not there). */
bool gate_lets_out(const struct lane *from, enum policy_kind to, const struct lane *there, uint32_t port);
/* From the host (UNIX or VSOCK) to a port of a guest's.  peer: whose program it is; NULL if that is not known, or not asked for. */
bool gate_lets_in(const struct lane *to, enum policy_kind from, const struct policy_peer *peer, uint32_t port);

void gate_refused_out(struct lane *from, enum policy_kind to, struct lane *there, uint32_t port);
void gate_refused_in(struct lane *to, enum policy_kind from, const struct policy_peer *peer, uint32_t port);

#endif
