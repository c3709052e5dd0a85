/* SPDX-License-Identifier: MIT */
/* service.c: see service.h.  Which service it is, the port says for as long as the stream lives. */
#include "service.h"

#include <errno.h>
#include <string.h>

#include "gate.h"
#include "stream.h"

#define PORT_ECHO    7u
#define PORT_DISCARD 9u
#define PORT_SOURCE  19u

#define PIECES 32

static int offer(struct stream *s)
{
    uint32_t port = s->v.local.port;

    if (!s->lane->all->settings->services || s->v.local.cid != VSOCKIF_CID_HOST ||
        (port != PORT_ECHO && port != PORT_DISCARD && port != PORT_SOURCE))
        return -ENOENT;
    if (!gate_lets_out(s->lane, POLICY_UNIX, NULL, port))
        return -EACCES;
    stream_opened(s);
    vmux_answer(s->lane->mux, &s->v);
    stream_wake(s);
    return 0;
}

static enum stream_again echo(struct stream *s)
{
    struct iovec from, to[PIECES];
    enum stream_again again;
    uint32_t len;
    int used;

    if (inbox_is_empty(&s->inbox))
        return STREAM_WAITS;
    len = inbox_peek(&s->lane->inboxes, &s->inbox, VSOCKIF_MAX_PACKET, &from, 1, &used);
    if (!(len = stream_room(s, len, to, PIECES, &used, &again))) {
        stream_is_stuck(s);
        return again;
    }
    stream_copy(to, &from, len);
    stream_send(s, len);
    stream_consumed(s, len);
    return inbox_is_empty(&s->inbox) ? STREAM_WAITS : STREAM_MORE;
}

static enum stream_again discard(struct stream *s)
{
    if (!inbox_is_empty(&s->inbox))
        stream_consumed(s, s->inbox.bytes);
    return STREAM_WAITS;
}

static enum stream_again source(struct stream *s)
{
    enum stream_again again = STREAM_WAITS;
    struct iovec to[PIECES];
    uint32_t len;
    int used;

    stream_discard(s);
    if (s->guest_eof || vconn_is_send_shut(&s->v.c) ||
        !(len = stream_room(s, VSOCKIF_MAX_PACKET, to, PIECES, &used, &again)))
        return again;
    for (int i = 0; i < used; i++)
        memset(to[i].iov_base, '.', to[i].iov_len);
    stream_send(s, len);
    return STREAM_MORE;
}

static enum stream_again serve(struct stream *s)
{
    if (s->v.local.port == PORT_ECHO)
        return echo(s);
    return s->v.local.port == PORT_SOURCE ? source(s) : discard(s);
}

static enum stream_again turn(struct stream *s)
{
    enum stream_again again = STREAM_WAITS;

    if (!stream_is_closed(s))
        again = serve(s);
    if (!stream_is_closed(s) && s->guest_eof && !s->told_eof && inbox_is_empty(&s->inbox)) {
        s->told_eof = true;
        stream_shut(s, VSOCKIF_SHUTDOWN_SEND);
    }
    if (stream_is_closed(s)) {
        stream_end(s);
        return STREAM_ENDED;
    }
    return again;
}

static void judge(struct stream *s)
{
    if (!gate_lets_out(s->lane, POLICY_UNIX, NULL, s->v.local.port))
        stream_cut(s);
}

const struct end_kind service_end = {
    .name = "service",
    .size = sizeof(struct stream),
    .policy = POLICY_UNIX,
    .offer = offer,
    .turn = turn,
    .judge = judge
};
