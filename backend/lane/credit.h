/* SPDX-License-Identifier: MIT */
/* credit.h: a stream that is two connections, of which each end gives what the other end has given.
 *
 * buf_alloc and fwd_cnt pass through, so nothing is queued between the two, and there is no promise of our own to keep.  Pure;
 * one thread. */
#ifndef XVSD_CREDIT_H
#define XVSD_CREDIT_H

#include "vmux.h"

/* One of the two, and its table. */
struct credit_end {
    struct vmux *mux;
    struct vmux_conn *conn;
};

static inline uint32_t credit_in_flight(const struct vmux_conn *conn)
{
    return conn->c.tx_cnt - conn->c.peer_fwd;
}

/* An end tells of what it has consumed when half of what it takes its peer's window for is used.  Where the far end may send no more
 * than 'most', which may be less, it would wait for ever: so this one is asked.  After each packet that went to it. */
static inline void credit_ask(struct credit_end end, uint32_t most)
{
    if (most < end.conn->c.peer_alloc && credit_in_flight(end.conn) >= most / 2)
        vmux_want_room(end.mux, end.conn);
}

/* What 'from' has given goes on to 'to', of which no more than 'promise' is promised.  Both are open. */
void credit_pass(struct credit_end from, struct credit_end to, uint32_t promise);

#endif
