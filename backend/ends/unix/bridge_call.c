/* SPDX-License-Identifier: MIT */
/* bridge_call.c: a host program calls a port of the guest's (greet.h). */
#include "bridge_inside.h"

#include <errno.h>

int bridge_request(struct hostside *host, const struct bridge_caller *caller)
{
    struct lane *lane = host->lane;
    struct vaddr local = { VSOCKIF_CID_HOST, VSOCKIF_PORT_ANY }, peer = { lane->cid, caller->port };
    struct stream *s;
    struct bridge *b;
    int err;

    if (!lane_is_connected(lane))
        return -ENOTCONN;
    if (caller->messages && !vmux_has_seqpacket(lane->mux))
        return -ESOCKTNOSUPPORT;
    if ((err = stream_connect(lane, &bridge_end, local, peer, UINT32_MAX, &s)))
        return err;
    if (caller->messages) {
        vconn_set_type(&s->v.c, VSOCKIF_TYPE_SEQPACKET);
        vmux_set_buf_alloc(lane->mux, &s->v, stream_window(s));
    }
    b = bridge_of(s);
    b->socket.fd = -1;
    fate_init(&b->fate, &bridge_watched_kind);
    if ((err = bridge_take_socket(b, caller->fd))) {
        vmux_abort(lane->mux, &s->v, ECONNRESET, REASON(SHORT));
        stream_end(s);
        return err;
    }
    b->writable = b->by_host = true;
    b->is_channel = caller->says == BRIDGE_CHANNEL;
    b->line_waits = caller->line;
    b->holds = b->keeps = caller->says == BRIDGE_CALL;
    b->mark = caller->mark;
    return 0;
}
