/* SPDX-License-Identifier: MIT */
/* inspect.c: what a person or a tool may want to know.  Reads private state only. */
#include "internal.h"

#include <string.h>

void xvs_get_stats(const struct xvs *x, struct xvs_stats *stats)
{
    size_t size = stats->size < sizeof *stats ? stats->size : sizeof *stats;
    uint64_t pages = 2u * x->share.ring_pages + x->share.tx_pages + x->share.rx_pages + !!x->share.control;
    struct xvs_stats all = {
        .size = size,
        .tx_bytes = x->totals.tx_bytes + x->link.count.tx_bytes,
        .tx_packets = x->totals.tx_packets + x->link.count.tx_packets,
        .rx_bytes = x->totals.rx_bytes + x->link.count.rx_bytes,
        .rx_packets = x->totals.rx_packets + x->link.count.rx_packets,
        .notifications_sent = x->sent_kicks,
        .notifications_received = x->received_kicks,
        .streams_opened = x->opened,
        .resets = x->resets,
        .reconnects = x->ups ? x->ups - 1 : 0,
        .memory = sizeof *x + vmux_memory(x->mux) + x->heap_bytes + pages * VSOCKIF_PAGE_SIZE,
        .streams = vmux_count(x->mux),
        .rx_buffers_held = x->up ? link_front_held(&x->link) : 0,
    };

    memcpy(stats, &all, size);
}

static void dump_stream(struct vmux_conn *conn, void *arg)
{
    const struct xvs_stream *s = stream_of(conn);
    const struct vconn *c = &conn->c;

    fprintf(arg, "  %llu:%u - %llu:%u %s%s unread %u gathered %u room %u owed 0x%x shut %x/%x error %d\n",
            (unsigned long long)conn->local.cid, conn->local.port, (unsigned long long)conn->peer.cid, conn->peer.port,
            vconn_state_name(c->state), conn->released ? " (released)" : conn->listener ? " (backlog)" : "",
            s->unread, s->piece_len, vconn_room(c), c->owed, c->shut_here, c->shut_peer, c->error);
}

static void dump_ring(const char *name, const struct ring *r, FILE *to)
{
    fprintf(to, "  %s ring: out %u published %u, in %u seen %u, %u slots\n", name, r->out, r->published, r->in, r->in_seen,
            ring_slots(r));
}

void xvs_dump(const struct xvs *x, FILE *to)
{
    fprintf(to, "vsock/%u: %s, CID %llu, life %s/%s, %s\n", x->opt.device, x->up ? "up" : "down",
            (unsigned long long)x->cid, life_state_name(x->life.own), life_state_name(x->life.peer), x->report.reason);
    if (x->up) {
        dump_ring("tx", &x->link.tx, to);
        dump_ring("rx", &x->link.rx, to);
        fprintf(to, "  tx pool free %u bytes, tx ids free %u, rx buffers held %u of %u, gathering %u%s\n",
                pool_free_bytes(&x->link.pool), x->link.free_ids, link_front_held(&x->link), x->link.buffers,
                x->gather_count, wants_room(x) ? ", streams wait for room" : "");
    }
    fprintf(to, "  notifications sent %llu received %llu, resets %llu, streams %u\n", (unsigned long long)x->sent_kicks,
            (unsigned long long)x->received_kicks, (unsigned long long)x->resets, vmux_count(x->mux));
    vmux_each(x->mux, dump_stream, to);
}

const char *xvs_version(void)
{
    return XVS_VERSION;
}
