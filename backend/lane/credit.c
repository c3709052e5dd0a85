/* SPDX-License-Identifier: MIT */
/* credit.c: see credit.h. */
#include "credit.h"

void credit_pass(struct credit_end from, struct credit_end to, uint32_t promise)
{
    int32_t news = (int32_t)(from.conn->c.peer_fwd - to.conn->c.fwd_cnt);

    to.conn->c.notes |= VCONN_NOTE_PASSED;
    if (promise != to.conn->c.buf_alloc)
        vmux_set_buf_alloc(to.mux, to.conn, promise);
    if (news > 0)
        vmux_consumed(to.mux, to.conn, (uint32_t)news);
}
