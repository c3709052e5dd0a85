/* SPDX-License-Identifier: MIT */
/* rawback.c: see rawback.h. */
#include "rawback.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

int rawback_open(struct rawback *b, uint32_t front, uint32_t number, uint64_t cid)
{
    struct attach_device d = { .id = { .front = front, .back = 0, .number = number }, .cid = cid };
    int err;

    memset(b, 0, sizeof *b);
    b->id = d.id;
    b->cid = cid;
    paths_of(&b->paths, &d.id);
    if ((err = store_open(&b->store)))
        return err;
    attach_remove(b->store, &d.id);
    return attach_create(b->store, &d);
}

int rawback_offer(struct rawback *b)
{
    struct back_nodes n = { .cid = b->cid, .versions = 1u << VSOCKIF_VERSION, .max_ring_page_order = 4,
                            .max_pool_pages = 512, .max_queues = 1, .features = b->features };

    if (b->features)
        n.versions |= 1u << VSOCKIF_VERSION_FEATURES;
    return nodes_offer(b->store, &b->paths, &n);
}

uint8_t rawback_front_state(struct rawback *b)
{
    uint8_t own = 0, peer = 0;
    char why[256];

    nodes_look(b->store, b->paths.back, b->paths.front, &own, &peer, why);
    return peer;
}

int rawback_set_state(struct rawback *b, unsigned state)
{
    return nodes_set_state(b->store, b->paths.back, state);
}

static void *map(struct rawback *b, uint32_t pages, int prot, uint32_t *used)
{
    void *p = xengnttab_map_domain_grant_refs(b->gnttab, pages, b->id.front, &b->control->ref[*used], prot);

    *used += pages;
    return p;
}

int rawback_map(struct rawback *b)
{
    struct link_memory mem = { 0 };
    uint32_t used = 0;
    char why[256];
    int err = nodes_read_front(b->store, &b->paths, &b->nodes, why), port;

    if (err)
        return err;
    b->gnttab = xengnttab_open(NULL, 0);
    b->evtchn = xenevtchn_open(NULL, 0);
    if (!b->gnttab || !b->evtchn)
        return -ENOENT;
    if ((port = xenevtchn_bind_interdomain(b->evtchn, b->id.front, b->nodes.event_channel)) < 0)
        return -errno;
    b->port = (evtchn_port_t)port;
    fcntl(xenevtchn_fd(b->evtchn), F_SETFL, O_NONBLOCK);
    b->control = xengnttab_map_grant_ref_notify(b->gnttab, b->id.front, b->nodes.control_ref, PROT_READ | PROT_WRITE,
                                                offsetof(struct vsockif_control, back_live), b->port);
    if (!b->control)
        return -errno;
    b->ring_pages = b->control->tx_ring_pages;
    b->tx_pages = b->control->tx_pool_pages;
    b->rx_pages = b->control->rx_pool_pages;
    mem.tx_ring = map(b, b->ring_pages, PROT_READ | PROT_WRITE, &used);
    mem.rx_ring = map(b, b->ring_pages, PROT_READ | PROT_WRITE, &used);
    mem.tx_pool = map(b, b->tx_pages, PROT_READ, &used);
    mem.rx_pool = map(b, b->rx_pages, PROT_READ | PROT_WRITE, &used);
    mem.tx_order = mem.rx_order = (uint32_t)__builtin_ctz(b->ring_pages);
    mem.tx_bytes = b->tx_pages * VSOCKIF_PAGE_SIZE;
    mem.rx_bytes = b->rx_pages * VSOCKIF_PAGE_SIZE;
    if (!mem.tx_ring || !mem.rx_ring || !mem.tx_pool || !mem.rx_pool)
        return -EFAULT;
    link_back_init(&b->link, &mem);
    shm_store_byte(&b->control->back_live, 1);
    return rawback_set_state(b, VSOCKIF_CONNECTED);
}

void rawback_unmap(struct rawback *b)
{
    if (!b->gnttab)
        return;
    xengnttab_unmap(b->gnttab, b->link.mem.rx_pool, b->rx_pages);
    xengnttab_unmap(b->gnttab, b->link.mem.tx_pool, b->tx_pages);
    xengnttab_unmap(b->gnttab, b->link.mem.rx_ring, b->ring_pages);
    xengnttab_unmap(b->gnttab, b->link.mem.tx_ring, b->ring_pages);
    shm_store_byte(&b->control->back_live, 0);
    xengnttab_unmap(b->gnttab, b->control, 1);
    xengnttab_close(b->gnttab);
    xenevtchn_close(b->evtchn);
    b->gnttab = NULL;
    b->evtchn = NULL;
}

void rawback_kick(struct rawback *b)
{
    int port;

    link_back_publish(&b->link);
    xenevtchn_notify(b->evtchn, b->port);
    while ((port = xenevtchn_pending(b->evtchn)) >= 0)
        xenevtchn_unmask(b->evtchn, (evtchn_port_t)port);
}

struct vsockif_hdr rawback_header(const struct rawback *b, unsigned op, uint32_t host_port, uint32_t guest_port)
{
    return (struct vsockif_hdr){ .src_cid = VSOCKIF_CID_HOST, .dst_cid = b->cid, .src_port = host_port,
                                 .dst_port = guest_port, .type = VSOCKIF_TYPE_STREAM, .op = (uint16_t)op,
                                 .buf_alloc = 65536 };
}

int rawback_send(struct rawback *b, const struct vsockif_hdr *hdr)
{
    struct iovec iov[LINK_PIECES];
    int n = 0;

    if (link_back_refill(&b->link))
        return -EPROTO;
    if (!link_back_can_send(&b->link) ||
        (hdr->len && link_back_room(&b->link, hdr->len, iov, LINK_PIECES, &n) < hdr->len))
        return -ENOBUFS;
    for (int i = 0; i < n; i++)
        memset(iov[i].iov_base, 'x', iov[i].iov_len);
    link_back_send(&b->link, hdr);
    rawback_kick(b);
    return 0;
}

int rawback_recv(struct rawback *b, struct vsockif_hdr *hdr)
{
    struct link_request request;
    int n = link_back_recv(&b->link, &request);

    if (n > 0) {
        *hdr = request.hdr;
        link_back_done(&b->link, request.id);
        rawback_kick(b);
    }
    return n;
}

void rawback_close(struct rawback *b)
{
    rawback_unmap(b);
    attach_remove(b->store, &b->id);
    store_close(b->store);
}
