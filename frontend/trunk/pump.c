/* SPDX-License-Identifier: MIT */
/* pump.c: moves packets between the rings and the table of connections, in batches: everything that has come is
 * taken in, then everything that is owed goes out, then the backend is notified at most once. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define BUDGET 4096             /* packets in one go: a backend that never stops does not keep us for ever */

void pump_fault(struct xvs *x, const char *why)
{
    report_reason(&x->report, "the backend broke the protocol: %s; closing the device and trying again", why);
    life_front_fault(&x->life, "the backend broke the protocol", now_ms());
    x->up = false;
}

void pump_apply(struct xvs *x, struct vmux_event *ev)
{
    struct xvs_stream *s;

    if (ev->kind == VMUX_INCOMING) {
        struct xvs_listener *l = vmux_listener_user(ev->listener);

        source_raise(&x->events, &l->source, XVS_EVENT_ACCEPT);
        return;
    }
    if (ev->kind != VMUX_CONN || ev->conn->released)
        return;
    s = stream_of(ev->conn);
    stream_adopt(x, s);
    if (ev->now & VCONN_NOW_EOF)
        s->eof = true;
    if (ev->now & VCONN_NOW_DEAF)
        s->piece_good = 0;
    if (ev->now & VCONN_NOW_CLOSED) {
        if (s->v.c.error == ECONNRESET)
            x->resets++;
        send_drop(x, s);
        list_remove(&s->blocked_link);
    }
    if (s->v.listener)
        return;                 /* nobody has accepted it: stream.c tells what has happened when somebody does */
    if (ev->now & VCONN_NOW_OPEN)
        source_raise(&x->events, &s->source, XVS_EVENT_OPEN);
    if (ev->now & (VCONN_NOW_DATA | VCONN_NOW_EOF))
        source_raise(&x->events, &s->source, XVS_EVENT_IN);
    if (ev->now & VCONN_NOW_CLOSED)
        source_raise(&x->events, &s->source, XVS_EVENT_HUP);
    if (s->wants_out && (ev->now & (VCONN_NOW_ROOM | VCONN_NOW_DEAF | VCONN_NOW_CLOSED))) {
        s->wants_out = false;
        source_raise(&x->events, &s->source, XVS_EVENT_OUT);
    }
}

static void return_pieces(struct xvs *x, const struct link_packet *packet)
{
    for (uint32_t i = 0; i < packet->count; i++)
        link_front_return(&x->link, packet->piece[i].id);
}

/* One packet from the backend: 0, or -EPROTO with the device faulted. */
static int take_packet(struct xvs *x, struct link_packet *packet, uint64_t now)
{
    const struct vsockif_hdr *hdr = &packet->hdr;
    struct vmux_event ev;

    if (hdr->dst_cid != x->cid || hdr->src_cid == x->cid || hdr->src_cid == VSOCKIF_CID_LOCAL) {
        pump_fault(x, "packet with addresses that are not ours");
        return -EPROTO;
    }
    vmux_rx(x->mux, hdr, now, &ev);
    if (ev.kind == VMUX_VIOLATION) {
        pump_fault(x, ev.why);
        return -EPROTO;
    }
    if (ev.kind == VMUX_CONN && (ev.now & VCONN_NOW_DATA) && !ev.conn->released) {
        stream_adopt(x, stream_of(ev.conn));
        receive_packet(x, stream_of(ev.conn), packet);
    } else {
        return_pieces(x, packet);
    }
    pump_apply(x, &ev);
    return 0;
}

void pump_reap(struct xvs *x)
{
    /* An error stays where it is: pump_receive() meets it again. */
    if (link_front_reap(&x->link) > 0)
        send_unblock(x);
}

void pump_await(struct xvs *x)
{
    if (!ring_arm(&x->link.tx, 1))
        wake_again(&x->wake);
}

int pump_receive(struct xvs *x, uint64_t now)
{
    struct link_packet packet;
    int reaped = link_front_reap(&x->link), n = 0, got = 0;

    while (reaped >= 0 && n < BUDGET && (got = link_front_recv(&x->link, &packet)) > 0) {
        if (take_packet(x, &packet, now))
            return -EPROTO;
        n++;
    }
    if (reaped < 0 || got < 0) {
        pump_fault(x, x->link.why);
        return -EPROTO;
    }
    if (reaped)
        send_unblock(x);
    return n + reaped;
}

/* Sends packets without data; those between streams of this guest come straight back. */
static void send_owed(struct xvs *x)
{
    struct vsockif_hdr hdr;
    struct vmux_conn *conn;

    while (link_front_can_control(&x->link) && x->link.free_ids > slots_kept(x) &&
           vmux_owed_by(x->mux, &hdr, &conn)) {
        /* From now on there is room, and nothing else says so. */
        if (hdr.op == VSOCKIF_OP_RESPONSE && conn && stream_of(conn)->wants_out) {
            stream_of(conn)->wants_out = false;
            source_raise(&x->events, &stream_of(conn)->source, XVS_EVENT_OUT);
        }
        if (hdr.dst_cid == VSOCKIF_CID_LOCAL) {
            struct vmux_event ev;

            vmux_loop(x->mux, &hdr, now_ms(), &ev);
            pump_apply(x, &ev);
        } else {
            link_front_control(&x->link, &hdr);
        }
    }
}

void pump_flush(struct xvs *x)
{
    if (!x->up)
        return;
    if (vmux_has_owed(x->mux))
        send_owed(x);
    if (link_front_publish(&x->link))
        device_notify(x);
    /* What is still owed has no slot.  The caller may be about to poll(), so this cannot wait for the next process. */
    if (vmux_has_owed(x->mux))
        pump_await(x);
}

static void end_stream(struct vmux_conn *conn, void *arg)
{
    struct xvs *x = arg;
    struct xvs_stream *s = stream_of(conn);

    if (conn->released || !s->x)
        return;
    list_remove(&s->blocked_link);
    x->resets++;
    source_raise(&x->events, &s->source, XVS_EVENT_HUP | (s->wants_out ? XVS_EVENT_OUT : 0));
    s->wants_out = false;
}

static void evacuate(struct vmux_conn *conn, void *arg)
{
    struct xvs_stream *s = stream_of(conn);

    if (!s->x)
        return;
    send_drop(arg, s);
    receive_evacuate(arg, s);
}

void pump_reset(struct xvs *x)
{
    x->up = false;
    vmux_each(x->mux, evacuate, x);
    vmux_transport_reset(x->mux, end_stream, x);
    x->totals.tx_bytes += x->link.count.tx_bytes;
    x->totals.tx_packets += x->link.count.tx_packets;
    x->totals.rx_bytes += x->link.count.rx_bytes;
    x->totals.rx_packets += x->link.count.rx_packets;
    x->link.count = (struct link_counters){ 0 };
}
