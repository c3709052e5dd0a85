/* SPDX-License-Identifier: MIT */
/* ring.c: the guest's end of a xenstore ring (xen/io/xs_wire.h), over the very same
 * grants and event channels that the guest's programs use. */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xen/io/xs_wire.h>

#include "gnttab.h"

#define XENSTORE_REF 1                 /* GNTTAB_RESERVED_XENSTORE */

struct ring {
    xengntshr_handle *shr;
    xenevtchn_handle *evt;
    int port;
    struct xenstore_domain_interface *page;
};

int ring_open(struct ring **out)
{
    struct ring *ring = calloc(1, sizeof *ring);
    uint32_t ref;

    if (!ring)
        return -ENOMEM;
    if (!(ring->shr = xengntshr_open(NULL, 0)) || !(ring->evt = xenevtchn_open(NULL, 0))
        || !(ring->page = gnt_share(ring->shr, 0, 1, &ref, 1, SIM_NONE, SIM_NONE, XENSTORE_REF))
        || (ring->port = xenevtchn_bind_unbound_port(ring->evt, 0)) < 0
        || fcntl(xenevtchn_fd(ring->evt), F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return -errno;         /* the process ends: nothing to undo */
    *out = ring;
    return 0;
}

uint32_t ring_port(const struct ring *ring)
{
    return (uint32_t)ring->port;
}

int ring_fd(const struct ring *ring)
{
    return xenevtchn_fd(ring->evt);
}

void ring_events(struct ring *ring)
{
    int port;

    while ((port = xenevtchn_pending(ring->evt)) >= 0)
        xenevtchn_unmask(ring->evt, (uint32_t)port);
}

void ring_notify(struct ring *ring)
{
    xenevtchn_notify(ring->evt, (uint32_t)ring->port);
}

size_t ring_read(struct ring *ring, void *data, size_t size)
{
    struct xenstore_domain_interface *page = ring->page;
    uint32_t cons = page->rsp_cons, prod = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);
    size_t done = 0;

    while (done < size && cons != prod && prod - cons <= XENSTORE_RING_SIZE)
        ((char *)data)[done++] = page->rsp[MASK_XENSTORE_IDX(cons++)];
    __atomic_store_n(&page->rsp_cons, cons, __ATOMIC_SEQ_CST);
    return done;
}

size_t ring_write(struct ring *ring, const void *data, size_t size)
{
    struct xenstore_domain_interface *page = ring->page;
    uint32_t prod = page->req_prod, cons = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);
    size_t done = 0;

    while (done < size && prod - cons < XENSTORE_RING_SIZE)
        page->req[MASK_XENSTORE_IDX(prod++)] = ((const char *)data)[done++];
    __atomic_store_n(&page->req_prod, prod, __ATOMIC_SEQ_CST);
    return done;
}
