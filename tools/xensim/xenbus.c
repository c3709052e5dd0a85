/* SPDX-License-Identifier: MIT */
/* xenbus.c: xensim-xenbus, the process that is a domain.
 *
 *     xensim-xenbus N NAME     be domain N: killing this process crashes it
 *     xensim-xenbus --init     write dom0's part of xenstore
 *     xensim-xenbus --bury N   remove a dead domain's part
 * Run by xensimd, with descriptor 3 to write one byte to when the domain is up. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mux.h"
#include "proto.h"
#include "ring.h"
#include "tree.h"

static int fail(const char *what, int err)
{
    fprintf(stderr, "xensim-xenbus: cannot %s: %s\n", what, strerror(-err));
    return 1;
}

static int be_domain(uint32_t domid, const char *name)
{
    struct xs_handle *xs;
    struct ring *ring = NULL;
    char path[128], number[16];
    int listener, err;

    /* Started with dom0's xenstore in the environment, as the toolstack. */
    snprintf(number, sizeof number, "%u", domid);
    setenv(SIM_ENV_DOMID, number, 1);
    snprintf(path, sizeof path, "%s/dom%u.sock", getenv(SIM_ENV_DIR), domid);
    if ((err = ring_open(&ring)) < 0)
        return fail("set up the xenstore ring", err);
    if ((listener = mux_listen(path)) < 0)
        return fail("listen for the domain's xenstore clients", listener);
    if (!(xs = tree_open()))
        return fail("connect to xenstored as dom0", -errno);
    if ((err = tree_add(xs, domid, name)) < 0)
        return fail("write the domain's nodes", err);
    if (!xs_introduce_domain(xs, domid, 1, ring_port(ring)))
        return fail("introduce the domain to xenstored", -errno);
    xs_close(xs);
    if (write(3, "r", 1) == 1)
        close(3);
    return fail("serve", mux_serve(ring, listener));
}

int main(int argc, char **argv)
{
    struct xs_handle *xs;
    int err;

    if (argc == 2 && !strcmp(argv[1], "--init")) {
        if (!(xs = tree_open()))
            return fail("connect to xenstored", -errno);
        err = tree_init(xs);
        return err ? fail("write dom0's nodes", err) : 0;
    }
    if (argc == 3 && !strcmp(argv[1], "--bury")) {
        if (!(xs = tree_open()))
            return fail("connect to xenstored", -errno);
        return tree_bury(xs, (uint32_t)strtoul(argv[2], NULL, 10)) ? 1 : 0;
    }
    if (argc == 3 && getenv(SIM_ENV_DIR) && *argv[1] != '-')
        return be_domain((uint32_t)strtoul(argv[1], NULL, 10), argv[2]);
    fprintf(argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr,
            "xensim-xenbus is run by xensimd; use 'xensim create' to make a domain\n");
    return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
}
