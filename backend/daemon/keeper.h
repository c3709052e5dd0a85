/* SPDX-License-Identifier: MIT */
/* keeper.h: the keeper as a whole (wall.h). */
#ifndef XVSD_KEEPER_H
#define XVSD_KEEPER_H

#include "anydir.h"
#include "decided.h"
#include "dialer.h"
#include "labour.h"
#include "registry.h"
#include "xvsd.h"

/* The worker or the dialer. */
struct child {
    struct keeper *keeper;
    const struct child_kind *kind;
    struct wall wall;
    pid_t pid;                  /* 0 in one process */
    struct alarm restart;       /* it is gone: another one then */
    uint64_t since;             /* ms: it was started, or that was tried */
};

#define KEEPER_STATUS "status.sock"
#define KEEPER_ASKS   16u

/* What was asked, and has to wait. */
struct keeper_ask { struct wall_msg m; uint64_t until; /* ms */ };

struct keeper {
    const struct options *options;
    struct loop loop;
    uv_signal_t hup, term, interrupt;
    struct alarm stop;          /* when a stop becomes impatient */
    struct decided decided;     /* what is in force */
    struct rundir rundir;
    struct any_dir any;
    struct child worker, dialer;
    struct keeper_ask ask[KEEPER_ASKS];
    unsigned asks;              /* of them are in use, the oldest first */
    struct alarm asks_due;
    struct labour labour;       /* in one process: the worker, */
    struct dialer dialling;     /* …and the dialer */
    bool ready, ending;         /* whoever asks may be answered; children may go */
    int control_fd;             /* the control socket, for the worker; -1 */
    struct sockfile status;     /* …and the one that only tells: KEEPER_STATUS */
    struct registry registry;
    struct source store_source;
    struct alarm store_check;
    bool unclaimed;             /* xenstore does not say yet that we serve this host: claim.h */
    bool failed;                /* it ends, and not because it was asked to */
};

#endif
