/* SPDX-License-Identifier: MIT */
/* listener.c: listeners are the table's; they outlive every reset of the device. */
#include <errno.h>
#include <stdlib.h>

#include "packets.h"

static int listen_for(struct xvs *x, uint32_t port, unsigned backlog, unsigned type, struct xvs_listener **out)
{
    struct trunk *t = trunk_of(x);
    struct xvs_listener *l;
    int err;

    *out = NULL;
    if (!backlog)
        return -EINVAL;
    if (!(l = calloc(1, sizeof *l)))
        return -ENOMEM;
    l->trunk = t;
    source_init(&l->source, SOURCE_LISTENER);
    if ((err = vmux_listen(t->mux, port, backlog, l, &l->l))) {
        free(l);
        return err;
    }
    vmux_listener_set_type(l->l, type);
    list_append(&t->listeners, &l->link);
    *out = l;
    return 0;
}

int xvs_listen(struct xvs *x, uint32_t port, unsigned backlog, struct xvs_listener **out)
{
    return listen_for(x, port, backlog, VSOCKIF_TYPE_STREAM, out);
}

int xvs_listen_seqpacket(struct xvs *x, uint32_t port, unsigned backlog, struct xvs_listener **out)
{
    return listen_for(x, port, backlog, VSOCKIF_TYPE_SEQPACKET, out);
}

void xvs_listener_close(struct xvs_listener *l)
{
    struct trunk *t;

    if (!l)
        return;
    t = l->trunk;
    vmux_unlisten(t->mux, l->l);
    source_drop(&l->source);
    list_remove(&l->link);
    free(l);
    packets_flush(t);
}

void xvs_listener_set_user(struct xvs_listener *l, void *user)
{
    l->user = user;
}

uint32_t xvs_listener_port(const struct xvs_listener *l)
{
    return vmux_listener_port(l->l);
}
