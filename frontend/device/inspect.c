/* SPDX-License-Identifier: MIT */
/* inspect.c: what a person or a tool may want to know.  Reads private state only. */
#include "handle.h"

#include <string.h>

void xvs_get_stats(const struct xvs *x, struct xvs_stats *stats)
{
    const struct trunk *t = &x->trunk;
    const struct share *s = &x->bus.share;
    size_t size = stats->size < sizeof *stats ? stats->size : sizeof *stats;
    uint64_t pages = 2u * s->ring_pages + s->tx_pages + s->rx_pages + !!s->control;
    struct xvs_stats all = {
        .size = size,
        .tx_bytes = t->totals.tx_bytes + t->link.count.tx_bytes,
        .tx_packets = t->totals.tx_packets + t->link.count.tx_packets,
        .rx_bytes = t->totals.rx_bytes + t->link.count.rx_bytes,
        .rx_packets = t->totals.rx_packets + t->link.count.rx_packets,
        .notifications_sent = t->sent_kicks,
        .notifications_received = x->received_kicks,
        .streams_opened = t->opened,
        .resets = t->resets,
        .reconnects = x->bus.ups ? x->bus.ups - 1 : 0,
        .memory = sizeof *x + vmux_memory(t->mux) + t->heap_bytes + pages * VSOCKIF_PAGE_SIZE,
        .streams = vmux_count(t->mux),
        .rx_buffers_held = t->up ? link_front_held(&t->link) : 0,
    };

    memcpy(stats, &all, size);
}

static void dump_stream(struct vmux_conn *conn, void *arg)
{
    const struct xvs_stream *s = stream_of(conn);
    const struct vconn *c = &conn->c;

    fprintf(arg, "  %llu:%u - %llu:%u%s %s%s unread %u gathered %u room %u owed 0x%x shut %x/%x error %d%s%s\n",
            (unsigned long long)conn->local.cid, conn->local.port, (unsigned long long)conn->peer.cid, conn->peer.port,
            has_messages(s) ? " seqpacket" : "", vconn_state_name(c->state), conn->released ? " (released)" : conn->listener ? " (backlog)" : "",
            s->unread, s->piece_len, vconn_room(c), c->owed, c->shut_here, c->shut_peer, c->error,
            c->reason.code ? " " : "", c->reason.code ? reason_word(c->reason.code) : "");
}

static void dump_ring(const char *name, const struct ring *r, FILE *to)
{
    fprintf(to, "  %s ring: out %u published %u, in %u seen %u, %u slots\n", name, r->out, r->published, r->in, r->in_seen,
            ring_slots(r));
}

void xvs_dump(const struct xvs *x, FILE *to)
{
    const struct trunk *t = &x->trunk;

    fprintf(to, "vsock/%u: %s, CID %llu, life %s/%s, %s\n", x->opt.device, t->up ? "up" : "down",
            (unsigned long long)t->cid, life_state_name(x->bus.life.own), life_state_name(x->bus.life.peer), x->report.reason);
    if (t->up) {
        fprintf(to, "  pools of %u and %u KiB%s\n", x->bus.share.mem.tx_bytes / 1024, x->bus.share.mem.rx_bytes / 1024,
                x->bus.share.is_small ? ", for want of gntalloc's pages" : "");
        dump_ring("tx", &t->link.tx, to);
        dump_ring("rx", &t->link.rx, to);
        fprintf(to, "  tx pool free %u bytes, tx ids free %u, rx buffers held %u of %u, gathering %u%s\n",
                pool_free_bytes(&t->link.pool), t->link.free_ids, link_front_held(&t->link), t->link.buffers,
                t->gather_count, wants_room(t) ? ", streams wait for room" : "");
    }
    fprintf(to, "  notifications sent %llu received %llu, resets %llu, streams %u\n", (unsigned long long)t->sent_kicks,
            (unsigned long long)x->received_kicks, (unsigned long long)t->resets, vmux_count(t->mux));
    vmux_each(t->mux, dump_stream, to);
}

const char *xvs_version(void)
{
    return XVS_VERSION;
}
