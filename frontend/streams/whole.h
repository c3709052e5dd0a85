/* SPDX-License-Identifier: MIT */
/* whole.h: a program sends a message (vsockif.h, section 10), whole or not at all. */
#ifndef XVS_WHOLE_H
#define XVS_WHOLE_H

#include "trunk.h"

/* As xvs_sendv(), of a SEQPACKET. */
ssize_t whole_send(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags);

#endif
