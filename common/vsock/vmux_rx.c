/* SPDX-License-Identifier: MIT */
/* vmux_rx.c: a packet arrives.  First the header is judged on its own (section 7 of vsockif.h), then against who the two
 * ends are, then by its connection; what has none is refused. */
#include "vmux_impl.h"

static const char *check_message(const struct vsockif_hdr *hdr)
{
    if (hdr->type == VSOCKIF_TYPE_STREAM)
        return "RW of a stream with flags";
    if (hdr->flags & ~(VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR) || hdr->flags == VSOCKIF_SEQ_EOR)
        return "RW of a seqpacket with flags other than 0, 1 or 3";
    return NULL;
}

static inline const char *check_op(const struct vsockif_hdr *hdr)
{
    switch (hdr->op) {
    case VSOCKIF_OP_RW:
        if (hdr->len == 0)
            return "RW without data";
        if (hdr->len > VSOCKIF_MAX_PACKET)
            return "a packet longer than 65536 bytes";
        return hdr->flags ? check_message(hdr) : NULL;
    case VSOCKIF_OP_SHUTDOWN:
        if (hdr->flags == 0 || hdr->flags & ~(VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND))
            return "SHUTDOWN with flags other than 1, 2 or 3";
        break;
    case VSOCKIF_OP_REQUEST:
    case VSOCKIF_OP_RESPONSE:
    case VSOCKIF_OP_RST:
    case VSOCKIF_OP_CREDIT_UPDATE:
    case VSOCKIF_OP_CREDIT_REQUEST:
        if (hdr->flags)
            return "flags on an op that has none";
        break;
    default:
        return "an op that does not exist";
    }
    return hdr->len ? "data on an op that has none" : NULL;
}

static const char *check_type(const struct vsockif_hdr *hdr, bool has_seqpacket)
{
    if (hdr->type != VSOCKIF_TYPE_STREAM && hdr->type != VSOCKIF_TYPE_SEQPACKET)
        return "the type of a packet is neither STREAM nor SEQPACKET";
    if (hdr->type == VSOCKIF_TYPE_SEQPACKET && !has_seqpacket)
        return "the type of a packet is SEQPACKET, a feature that was not agreed on";
    return NULL;
}

const char *vsockif_check(const struct vsockif_hdr *hdr)
{
    const char *why = check_type(hdr, true);

    return why ? why : check_op(hdr);
}

static const char *check_cids(const struct vmux *m, const struct vsockif_hdr *hdr)
{
    bool is_backend = m->config.offer;

    if ((hdr->src_cid == VSOCKIF_CID_LOCAL && (is_backend || hdr->op != VSOCKIF_OP_RST)) ||
        (hdr->dst_cid == VSOCKIF_CID_LOCAL && !is_backend))
        return "CID 1 on the wire";
    if (m->peer_cid && hdr->src_cid != m->peer_cid)
        return "the source CID is not the sender's";
    if (m->local_cid && hdr->dst_cid != m->local_cid)
        return "the destination CID is not ours";
    return NULL;
}

/* Why nobody here takes a REQUEST: l is who listens at its port, on a side where somebody must. */
static struct reason refusal(const struct vmux *m, const struct vmux_listener *l, unsigned type)
{
    if (!m->config.offer && !l)
        return REASON(NOBODY);
    if (l && l->type != type)
        return REASON(TYPE);
    if (l && l->waiting >= l->limit)
        return REASON(BACKLOG);
    return m->count >= m->config.max_conns ? REASON(LIMIT) : REASON(SHORT);
}

static void rx_request(struct vmux *m, const struct vsockif_hdr *hdr, const struct vaddr *local,
                       const struct vaddr *peer, struct vmux_event *ev)
{
    struct vmux_listener *l = NULL;
    struct vmux_conn *conn;

    if (hdr->fwd_cnt != 0) {
        ev->kind = VMUX_VIOLATION;
        ev->why = "REQUEST with a fwd_cnt";
        return;
    }
    if ((!m->config.offer && (!(l = ports_find(m, local->port)) || l->type != hdr->type || l->waiting >= l->limit)) ||
        !(conn = vmux_add(m, local, peer))) {
        ev->refused = refusal(m, l, hdr->type);
        owed_reset(m, local, peer, hdr->type, ev->refused);
        return;
    }
    vconn_offer(&conn->c, hdr, m->config.buf_alloc, m->config.tx_cap);
    ev->conn = conn;
    if (m->config.offer) {
        ev->kind = VMUX_OFFER;
        return;
    }
    ev->kind = VMUX_INCOMING;
    ev->listener = l;
    vconn_answer(&conn->c);
    backlog_push(l, conn);
    vmux_settle(m, conn);
}

/* A packet of an earlier connection of conn's pair, or the beginning of a later one (section 10).  True if that ends conn. */
static bool rx_other_type(struct vmux *m, struct vmux_conn *conn, const struct vsockif_hdr *hdr)
{
    bool is_over = hdr->op == VSOCKIF_OP_REQUEST;

    if (hdr->op == VSOCKIF_OP_RST || (conn->c.state == VCONN_CONNECTING && !is_over))
        return false;
    owed_reset(m, &conn->local, &conn->peer, hdr->type, REASON(NONE));
    if (is_over)
        vconn_transport_reset(&conn->c);
    return is_over;
}

/* The last packet of conn has not left yet.  It answers whatever the peer still sends; and a peer that resets, or begins
 * anew, has forgotten conn and needs no RST, which would hit its next connection.  True if the packet is for a new one. */
static bool rx_closed(struct vmux *m, struct vmux_conn *conn, unsigned op)
{
    if (op != VSOCKIF_OP_RST && op != VSOCKIF_OP_REQUEST)
        return false;
    vconn_transport_reset(&conn->c);
    vmux_settle(m, conn);
    return op == VSOCKIF_OP_REQUEST;
}

void vmux_rx(struct vmux *m, const struct vsockif_hdr *hdr, uint64_t now, struct vmux_event *ev)
{
    *ev = (struct vmux_event){ .kind = VMUX_VIOLATION };
    if (hdr->type != VSOCKIF_TYPE_STREAM && (ev->why = check_type(hdr, m->seqpacket)))
        return;
    if (!(ev->why = check_op(hdr)) && !(ev->why = check_cids(m, hdr)))
        vmux_loop(m, hdr, now, ev);
}

void vmux_loop(struct vmux *m, const struct vsockif_hdr *hdr, uint64_t now, struct vmux_event *ev)
{
    struct vaddr local = { hdr->dst_cid, hdr->dst_port }, peer = { hdr->src_cid, hdr->src_port };
    struct vmux_conn *conn;

    *ev = (struct vmux_event){ .kind = VMUX_NOTHING };
    conn = pairs_find(m, &local, &peer);
    if (conn && conn->c.state == VCONN_CLOSED) {
        if ((conn->c.type != hdr->type && hdr->op != VSOCKIF_OP_REQUEST) || !rx_closed(m, conn, hdr->op))
            return;
        conn = NULL;
    }
    if (!conn) {
        if (hdr->op == VSOCKIF_OP_REQUEST)
            rx_request(m, hdr, &local, &peer, ev);
        else if (hdr->op != VSOCKIF_OP_RST)
            owed_reset(m, &local, &peer, hdr->type, REASON(NONE));
        return;
    }
    if (conn->c.type == hdr->type)
        ev->now = vconn_rx(&conn->c, hdr, now, &ev->why);
    else if (rx_other_type(m, conn, hdr))
        ev->now = VCONN_NOW_CLOSED;
    if (ev->now & VCONN_NOW_VIOLATION) {
        ev->kind = VMUX_VIOLATION;
        ev->conn = conn->released ? NULL : conn;
    } else if (ev->now && !conn->released) {
        ev->kind = VMUX_CONN;
        ev->conn = conn;
    }
    vmux_settle(m, conn);
}
