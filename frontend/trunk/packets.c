/* SPDX-License-Identifier: MIT */
/* packets.c: see packets.h. */
#include "packets.h"

#include <errno.h>

#include "clock.h"
#include "piece.h"
#include "tell.h"
#include "unread.h"

#define BUDGET 4096             /* packets in one go: a backend that never stops does not keep us for ever */

void packets_begin(struct trunk *t, const struct link_memory *mem, xenevtchn_handle *evtchn, evtchn_port_t port)
{
    link_front_init(&t->link, mem);
    link_front_publish(&t->link);
    t->evtchn = evtchn;
    t->port = port;
}

/* ---- in ---- */

static void return_pieces(struct trunk *t, const struct link_packet *packet)
{
    for (uint32_t i = 0; i < packet->count; i++)
        link_front_return(&t->link, packet->piece[i].id);
}

/* The backend broke a rule. */
static int fault(struct trunk *t, const char *why)
{
    t->why = why;
    t->up = false;
    return -EPROTO;
}

/* One packet from the backend: 0, or -EPROTO. */
static int take_packet(struct trunk *t, struct link_packet *packet, uint64_t now)
{
    const struct vsockif_hdr *hdr = &packet->hdr;
    struct vmux_event ev;

    if (hdr->dst_cid != t->cid || hdr->src_cid == t->cid || hdr->src_cid == VSOCKIF_CID_LOCAL)
        return fault(t, "packet with addresses that are not ours");
    vmux_rx(t->mux, hdr, now, &ev);
    if (ev.kind == VMUX_VIOLATION)
        return fault(t, ev.why);
    if (ev.kind == VMUX_CONN && (ev.now & VCONN_NOW_DATA) && !ev.conn->released) {
        stream_adopt(t, stream_of(ev.conn));
        if (!unread_packet(t, stream_of(ev.conn), packet))
            tell_failed(t, stream_of(ev.conn), ENOMEM);
    } else {
        vmux_heard(&ev, hdr, packet->reason);
        return_pieces(t, packet);
    }
    tell_event(t, &ev);
    return 0;
}

void packets_reap(struct trunk *t)
{
    /* An error stays where it is: packets_receive() meets it again. */
    if (link_front_reap(&t->link) > 0)
        piece_unblock(t);
}

void packets_await(struct trunk *t)
{
    if (!ring_arm(&t->link.tx, 1))
        wake_again(t->wake);
}

int packets_receive(struct trunk *t, uint64_t now)
{
    struct link_packet packet;
    int reaped = link_front_reap(&t->link), n = 0, got = 0;

    while (reaped >= 0 && n < BUDGET && (got = link_front_recv(&t->link, &packet)) > 0) {
        if (take_packet(t, &packet, now))
            return -EPROTO;
        n++;
    }
    if (reaped < 0 || got < 0)
        return fault(t, t->link.why);
    if (reaped)
        piece_unblock(t);
    return n + reaped;
}

void packets_expire(struct trunk *t, uint64_t now)
{
    struct vmux_event ev;

    if (now >= vmux_next_deadline(t->mux))
        while (vmux_expire(t->mux, now, &ev))
            tell_event(t, &ev);
}

/* ---- out ---- */

/* Sends packets without data; those between streams of this guest come straight back. */
static void send_owed(struct trunk *t)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    while (link_front_can_control(&t->link) && t->link.free_ids > slots_kept(t) &&
           vmux_owed_by(t->mux, &hdr, &by)) {
        /* From now on there is room, and nothing else says so. */
        if (hdr.op == VSOCKIF_OP_RESPONSE && by.conn && stream_of(by.conn)->wants_out) {
            stream_of(by.conn)->wants_out = false;
            source_raise(&t->events, &stream_of(by.conn)->source, XVS_EVENT_OUT);
        }
        if (hdr.dst_cid == VSOCKIF_CID_LOCAL) {
            struct vmux_event ev;

            vmux_loop(t->mux, &hdr, clock_coarse_ms(), &ev);
            vmux_heard(&ev, &hdr, by.reason);
            tell_event(t, &ev);
        } else {
            link_front_control(&t->link, &hdr, by.reason);
        }
    }
}

static void notify(struct trunk *t)
{
    uint64_t begin = spinner_times(&t->spinner) ? clock_now_ns() : 0;

    t->sent_kicks++;
    xenevtchn_notify(t->evtchn, t->port);
    if (begin)
        spinner_price(&t->spinner, clock_now_ns() - begin);
}

void packets_flush(struct trunk *t)
{
    if (!t->up)
        return;
    if (vmux_has_owed(t->mux))
        send_owed(t);
    if (link_front_publish(&t->link))
        notify(t);
    /* What is still owed has no slot.  The caller may be about to poll(), so this cannot wait for the next process. */
    if (vmux_has_owed(t->mux))
        packets_await(t);
}
