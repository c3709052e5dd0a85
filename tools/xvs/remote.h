/* SPDX-License-Identifier: MIT */
/* remote.h: a command in another domain as if it were here: its three streams, or a terminal, its signals, and how it ended. */
#ifndef XVS_REMOTE_H
#define XVS_REMOTE_H

#include "side.h"
#include "start.h"

/* Exit statuses beside the command's own; xvs-exec(1) lists them. */
enum { REMOTE_LATE = 124, REMOTE_FAILED = 125 };

struct remote {
    const char *peer;
    struct start start;         /* what to run; the terminal's size is looked at here */
    int64_t patience, retry;    /* ns, as in struct dial */
};

/* Runs it to its end: the exit status, with a message if it is one of ours. */
int remote_run(const struct remote *r);

#endif
