/* SPDX-License-Identifier: MIT */
/* owed.c: packets without data leave.
 *
 * Order matters where two packets carry the same pair of addresses: the RST of an old connection leaves before anything
 * of its successor, because the old one was in the queue first; and resets without a connection leave before
 * all else, because each answers a packet that came before the REQUEST of any connection now in the table. */
#include "vmux_impl.h"

void owed_reset(struct vmux *m, const struct vaddr *local, const struct vaddr *peer, unsigned type, struct reason reason)
{
    uint32_t i;

    if (m->reset_count == m->config.max_resets)
        return;
    i = (m->first_reset + m->reset_count++) % m->config.max_resets;
    m->resets[i] = (struct reset){ *local, *peer, reason, (uint16_t)type };
}

static void address(struct vsockif_hdr *hdr, const struct vaddr *local, const struct vaddr *peer)
{
    hdr->src_cid = local->cid;
    hdr->dst_cid = peer->cid;
    hdr->src_port = local->port;
    hdr->dst_port = peer->port;
}

static struct reason take_reset(struct vmux *m, struct vsockif_hdr *hdr)
{
    struct reset *reset = &m->resets[m->first_reset];

    *hdr = (struct vsockif_hdr){ .type = reset->type, .op = VSOCKIF_OP_RST };
    address(hdr, &reset->local, &reset->peer);
    m->first_reset = (m->first_reset + 1) % m->config.max_resets;
    m->reset_count--;
    return reset->reason;
}

bool vmux_owed_by(struct vmux *m, struct vsockif_hdr *hdr, struct vmux_sender *by)
{
    struct vmux_conn *conn;

    by->conn = NULL;
    by->bare = m->reset_count > 0;
    if (by->bare) {
        by->reason = take_reset(m, hdr);
        return true;
    }
    if (list_is_empty(&m->owed))
        return false;
    conn = container_of(list_take(&m->owed), struct vmux_conn, owed_link);
    vconn_owed(&conn->c, hdr);
    address(hdr, &conn->local, &conn->peer);
    by->reason = hdr->op == VSOCKIF_OP_RST ? conn->c.reason : REASON(NONE);
    if (!vmux_settle(m, conn) && !conn->released)
        by->conn = conn;
    return true;
}

bool vmux_owed(struct vmux *m, struct vsockif_hdr *hdr)
{
    struct vmux_sender by;

    return vmux_owed_by(m, hdr, &by);
}

bool vmux_has_owed(const struct vmux *m)
{
    return m->reset_count || !list_is_empty(&m->owed);
}

bool vmux_is_choked(const struct vmux *m)
{
    return m->config.offer && m->reset_count == m->config.max_resets;
}

void vmux_send(struct vmux *m, struct vmux_conn *conn, uint32_t len, struct vsockif_hdr *hdr)
{
    vconn_send(&conn->c, len, hdr);
    address(hdr, &conn->local, &conn->peer);
    vmux_settle(m, conn);
}
