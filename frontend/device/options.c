/* SPDX-License-Identifier: MIT */
/* options.c: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"
#include "spinner.h"
#include "vconn.h"
#include "words.h"

#define MIN_POOL (64u << 10)
#define MAX_POOL (2u << 20)
#define DEFAULT_POOL (960u << 10)       /* with its rings, two such devices go into gntalloc's 1024 pages */

_Static_assert(XVS_SPIN_AUTO == SPINNER_AUTO, "one value, in and out");

void xvs_options_init(struct xvs_options *options)
{
    *options = (struct xvs_options){
        .size = sizeof *options,
        .buffer = 512u << 10,
        .tx_pool = DEFAULT_POOL,
        .rx_pool = DEFAULT_POOL,
        .max_streams = 65536,
        .connect_timeout = VCONN_CONNECT_MS,
        .spin = XVS_SPIN_AUTO,
    };
}

void options_of(struct xvs_options *out, const struct xvs_options *given)
{
    xvs_options_init(out);
    if (given)
        memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
}

const char *options_run_dir(const struct xvs_options *o)
{
    const char *dir = o->run_dir ? o->run_dir : getenv("XVS_RUN_DIR");

    return dir && *dir ? dir : "/run/xvs";
}

int options_check_device(const struct xvs_options *o)
{
    if (o->device >= PATHS_DEVICES)
        return words_say(-EINVAL, "xvs_options.device: %u is not below %u", o->device, PATHS_DEVICES);
    return 0;
}

int options_check(const struct xvs_options *o)
{
    if (options_check_device(o))
        return -EINVAL;
    if (o->buffer < 4096 || o->buffer > 64u << 20)
        return words_say(-EINVAL, "xvs_options.buffer: %u is not within 4096 and 67108864 bytes", o->buffer);
    if (o->tx_pool < MIN_POOL || o->tx_pool > MAX_POOL || o->tx_pool % VSOCKIF_PAGE_SIZE)
        return words_say(-EINVAL, "xvs_options.tx_pool: %u is not whole pages within 65536 and 2097152 bytes", o->tx_pool);
    if (o->rx_pool < MIN_POOL || o->rx_pool > MAX_POOL || o->rx_pool % VSOCKIF_PAGE_SIZE)
        return words_say(-EINVAL, "xvs_options.rx_pool: %u is not whole pages within 65536 and 2097152 bytes", o->rx_pool);
    if ((o->tx_pool + o->rx_pool) / VSOCKIF_PAGE_SIZE + 32 > VSOCKIF_CONTROL_REFS)
        return words_say(-EINVAL, "xvs_options.tx_pool and rx_pool: together more than %u bytes",
                         (VSOCKIF_CONTROL_REFS - 32) * VSOCKIF_PAGE_SIZE);
    if (!o->max_streams)
        return words_say(-EINVAL, "xvs_options.max_streams: 0 streams are of no use");
    return 0;
}
