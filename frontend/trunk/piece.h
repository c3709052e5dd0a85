/* SPDX-License-Identifier: MIT */
/* piece.h: the packet that a stream is gathering, but for what fills and sends it (streams/send.c): memory of the tx pool, or of
 * the heap if it stays in this guest.
 *
 * The backend can read the tx pool.  So what programs of this guest say to each other is gathered on the heap, and what was
 * gathered and will not be sent is overwritten: each byte of the pool is 0, or was sent, or is being gathered.  (But for what
 * a program wrote into a reserved place and left out of its commit: xvs.h tells it that dom0 can read there.  Most such places
 * are large and were hardly written to, and to overwrite 64 KiB costs more than to send a small packet.) */
#ifndef XVS_PIECE_H
#define XVS_PIECE_H

#include "trunk.h"

static inline uint32_t piece_offset(const struct trunk *t, const struct xvs_stream *s)
{
    return (uint32_t)(s->piece - t->link.mem.tx_pool);
}

/* Not among those that gather any more: it is sent, or never will be. */
static inline void piece_leave(struct trunk *t, struct xvs_stream *s)
{
    list_remove(&s->gather_link);
    t->gather_count--;
}

static inline void piece_forget(struct xvs_stream *s)
{
    s->piece = NULL;
    s->piece_size = s->piece_len = s->piece_good = s->reserved = 0;
}

/* A place that was reserved is given up without a commit, but for its first 'kept' bytes. */
void piece_abandon(struct xvs_stream *s, uint32_t kept);
/* Frees one on the heap. */
void piece_free(struct trunk *t, struct xvs_stream *s);
/* What is gathered, if anything, will not be sent, and the backend is not to see it. */
void piece_drop(struct trunk *t, struct xvs_stream *s);
/* The same, and the program is done with a place that it had reserved. */
void piece_release(struct trunk *t, struct xvs_stream *s);
/* Memory has come back: wakes the streams that wait for it. */
void piece_unblock(struct trunk *t);

#endif
