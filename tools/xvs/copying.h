/* SPDX-License-Identifier: MIT */
/* copying.h: what xvs cp does, once it is known what is to go where. */
#ifndef XVS_COPYING_H
#define XVS_COPYING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "place.h"
#include "request.h"

struct copying {
    struct place *places;       /* the sources, and behind them the destination; what cannot be together is not there */
    size_t sources;
    struct request request;     /* its options */
    int64_t patience, retry;    /* ns, as in struct dial */
    bool json;
};

/* An exit status, message given. */
int copying_run(struct copying *c);

#endif
