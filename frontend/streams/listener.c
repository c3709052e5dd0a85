/* SPDX-License-Identifier: MIT */
/* listener.c: listeners are the table's; they outlive every reset of the device. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

int xvs_listen(struct xvs *x, uint32_t port, unsigned backlog, struct xvs_listener **out)
{
    struct xvs_listener *l;
    int err;

    *out = NULL;
    if (!backlog)
        return -EINVAL;
    if (!(l = calloc(1, sizeof *l)))
        return -ENOMEM;
    l->x = x;
    source_init(&l->source, SOURCE_LISTENER);
    if ((err = vmux_listen(x->mux, port, backlog, l, &l->l))) {
        free(l);
        return err;
    }
    list_append(&x->listeners, &l->link);
    *out = l;
    return 0;
}

void xvs_listener_close(struct xvs_listener *l)
{
    struct xvs *x;

    if (!l)
        return;
    x = l->x;
    vmux_unlisten(x->mux, l->l);
    source_drop(&l->source);
    list_remove(&l->link);
    free(l);
    pump_flush(x);
}

void xvs_listener_set_user(struct xvs_listener *l, void *user)
{
    l->user = user;
}

uint32_t xvs_listener_port(const struct xvs_listener *l)
{
    return vmux_listener_port(l->l);
}
