/* SPDX-License-Identifier: MIT */
/* table.c: see table.h. */
#include "table.h"

#include <errno.h>

#include "piece.h"
#include "tell.h"
#include "unread.h"

/* The table is about to use the record again. */
static void dispose(struct vmux_conn *conn, void *arg)
{
    struct xvs_stream *s = stream_of(conn);

    if (!s->trunk)
        return;
    piece_release(arg, s);
    unread_drop(arg, s);
    list_remove(&s->blocked_link);
    source_drop(&s->source);
}

int table_open(struct trunk *t, struct wake *wake, const struct xvs_options *opt)
{
    struct vmux_config config = {
        .conn_size = sizeof(struct xvs_stream),
        .max_conns = opt->max_streams,
        .buf_alloc = opt->buffer,
        .tx_cap = 1u << 20,
        .first_port = 1024,
        .max_resets = VSOCKIF_MAX_RESETS,
        .dispose = dispose,
        .dispose_arg = t,
    };

    t->wake = wake;
    t->buffer = opt->buffer;
    t->connect_timeout = opt->connect_timeout;
    list_init(&t->events);
    list_init(&t->listeners);
    list_init(&t->gathering);
    list_init(&t->hungry);
    list_init(&t->fed);
    return vmux_new(&config, &t->mux);
}

static void end_stream(struct vmux_conn *conn, void *arg)
{
    struct trunk *t = arg;
    struct xvs_stream *s = stream_of(conn);

    if (conn->released || !s->trunk)
        return;
    list_remove(&s->blocked_link);
    t->resets++;
    source_raise(&t->events, &s->source, XVS_EVENT_HUP | (s->wants_out ? XVS_EVENT_OUT : 0));
    s->wants_out = false;
}

static void evacuate(struct vmux_conn *conn, void *arg)
{
    struct xvs_stream *s = stream_of(conn);

    if (!s->trunk)
        return;
    piece_drop(arg, s);
    if (!unread_evacuate(arg, s))
        tell_failed(arg, s, ENOMEM);
}

void table_reset(struct trunk *t)
{
    t->up = false;
    vmux_each(t->mux, evacuate, t);
    vmux_transport_reset(t->mux, end_stream, t);
    t->totals.tx_bytes += t->link.count.tx_bytes;
    t->totals.tx_packets += t->link.count.tx_packets;
    t->totals.rx_bytes += t->link.count.rx_bytes;
    t->totals.rx_packets += t->link.count.rx_packets;
    t->link.count = (struct link_counters){ 0 };
}

void table_close(struct trunk *t)
{
    vmux_free(t->mux);
    t->mux = NULL;
}
