/* SPDX-License-Identifier: MIT */
/* joined_front.c: a device of the library as it is once it is up, without xenstore.  See joined.h. */
#include "joined.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "handle.h"
#include "packets.h"
#include "shm.h"
#include "table.h"

struct xvs *front_open(uint64_t cid)
{
    const struct back_nodes limits = { .max_ring_page_order = VSOCKIF_MAX_RING_PAGE_ORDER,
                                       .max_pool_pages = VSOCKIF_MAX_POOL_PAGES };
    struct xvs *x = calloc(1, sizeof *x);
    enum attempt what;
    int err;

    if (!x)
        joined_fail("out of memory");
    xvs_options_init(&x->opt);
    wake_init(&x->wake);
    bus_init(&x->bus, &x->opt, &x->trunk, &x->report, &x->wake, &x->lock);
    x->bus.store_check = LIFE_NEVER;
    if ((err = table_open(&x->trunk, &x->wake, &x->opt)) || (err = share_open(&x->bus.share, &x->opt, &limits, 0, &what)))
        joined_fail("cannot open a device: %s", strerror(-err));
    packets_begin(&x->trunk, &x->bus.share.mem, x->bus.share.evtchn, x->bus.share.port);
    shm_store_byte(&x->bus.share.control->back_live, 1);
    x->trunk.cid = cid;
    x->trunk.up = true;
    return x;
}

const struct link_memory *front_memory(const struct xvs *x)
{
    return &x->bus.share.mem;
}

struct xenevtchn_handle *front_channel(const struct xvs *x)
{
    return x->bus.share.evtchn;
}

size_t front_record_size(void)
{
    return sizeof(struct xvs_stream);
}

size_t front_shared(const struct xvs *x)
{
    const struct share *s = &x->bus.share;

    return (1 + 2 * s->ring_pages + s->tx_pages + s->rx_pages) * (size_t)VSOCKIF_PAGE_SIZE;
}

/* As xvs_process(), without descriptors. */
void joined_guest(struct xvs *x)
{
    do {
        x->bus.share.evtchn->to_guest = false;
        if (packets_receive(&x->trunk, clock_coarse_ms()) < 0)
            joined_fail("the library: %s", x->trunk.why);
        xvs_flush(x);
    } while (!link_front_arm(&x->trunk.link, wants_room(&x->trunk)));
}

void joined_allow_messages(struct xvs *x, bool allow)
{
    vmux_allow_seqpacket(x->trunk.mux, allow);
    back_allow_messages(x->trunk.cid, allow);
}
