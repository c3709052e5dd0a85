/* SPDX-License-Identifier: MIT */
/* send.h: for the other calls on streams. */
#ifndef XVS_SEND_H
#define XVS_SEND_H

#include <sys/uio.h>

#include "trunk.h"

/* What a writer is told however much room there is: 0, or a negative errno. */
int send_refusal(const struct xvs_stream *s);
/* A writer found no memory: -EAGAIN, and it is told when to try again. */
int send_waits(struct trunk *t, struct xvs_stream *s);
/* To a stream of this guest; data has hdr->len bytes. */
void send_local(struct trunk *t, const struct vsockif_hdr *hdr, const uint8_t *data);
/* As xvs_sendv(), of a STREAM. */
ssize_t send_bytes(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags);
/* Sends the gathered packet, if there is one. */
void send_gathered(struct trunk *t, struct xvs_stream *s);

#endif
