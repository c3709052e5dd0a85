/* SPDX-License-Identifier: MIT */
/* joined_front.c: a device of the library as it is once it is up, without xenstore.  See joined.h. */
#include "joined.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct xvs *front_open(uint64_t cid)
{
    const struct back_nodes limits = { .max_ring_page_order = VSOCKIF_MAX_RING_PAGE_ORDER,
                                       .max_pool_pages = VSOCKIF_MAX_POOL_PAGES };
    struct vmux_config config = {
        .conn_size = sizeof(struct xvs_stream),
        .tx_cap = 1u << 20,
        .first_port = 1024,
        .max_resets = VSOCKIF_MAX_RESETS,
        .dispose = stream_dispose,
    };
    struct xvs *x = calloc(1, sizeof *x);
    enum attempt what;
    int err;

    if (!x)
        joined_fail("out of memory");
    xvs_options_init(&x->opt);
    wake_init(&x->wake);
    x->store_fd = x->evtchn_fd = x->lock.fd = -1;
    x->store_check = LIFE_NEVER;
    list_init(&x->events);
    list_init(&x->gathering);
    list_init(&x->hungry);
    list_init(&x->fed);
    list_init(&x->listeners);
    source_init(&x->source, SOURCE_DEVICE);
    config.max_conns = x->opt.max_streams;
    config.buf_alloc = x->opt.buffer;
    config.dispose_arg = x;
    if ((err = vmux_new(&config, &x->mux)) || (err = share_open(&x->share, &x->opt, &limits, 0, &what)))
        joined_fail("cannot open a device: %s", strerror(-err));
    link_front_init(&x->link, &x->share.mem);
    link_front_publish(&x->link);
    shm_store_byte(&x->share.control->back_live, 1);
    x->cid = cid;
    x->up = true;
    return x;
}

const struct link_memory *front_memory(const struct xvs *x)
{
    return &x->share.mem;
}

struct xenevtchn_handle *front_channel(const struct xvs *x)
{
    return x->share.evtchn;
}

size_t front_record_size(void)
{
    return sizeof(struct xvs_stream);
}

size_t front_shared(const struct xvs *x)
{
    const struct share *s = &x->share;

    return (1 + 2 * s->ring_pages + s->tx_pages + s->rx_pages) * (size_t)VSOCKIF_PAGE_SIZE;
}

/* As xvs_process(), without descriptors. */
void joined_guest(struct xvs *x)
{
    do {
        x->share.evtchn->to_guest = false;
        if (pump_receive(x, now_ms()) < 0)
            joined_fail("the library: %s", x->report.reason);
        xvs_flush(x);
    } while (!link_front_arm(&x->link, wants_room(x)));
}
