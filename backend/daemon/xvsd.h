/* SPDX-License-Identifier: MIT */
/* xvsd.h: the daemon as a whole: one process, one thread, one loop.
 *
 *     main.c         options, signals, start, stop
 *     ends.c         the table of what can be at the other end of a guest's stream
 *     xenstored.c    the connection to xenstored, which may go and come back
 *     claim.c        one daemon a host
 *
 * Everything else is in the rooms beside this one, from the ground up: base, settings, memory, lane, ends, guest, control.  Nothing
 * here locks, and nothing blocks but xenstored's answers. */
#ifndef XVSD_H
#define XVSD_H

#include "control.h"
#include "farewell.h"

struct xvsd {
    struct loop loop;
    uv_signal_t hup, term, interrupt;
    struct alarm stop;          /* when a stop becomes impatient */
    struct settings *settings;
    const char *settings_path;
    const char *run_dir_option; /* NULL: not given */
    bool verbose;
    struct rundir rundir;
    struct lanes lanes;
    struct farewells farewells;
    struct registry registry;
    struct verbs_about about;
    struct control *control;
    struct source store_source;
    struct alarm store_check;
    bool unclaimed;             /* xenstore does not say yet that we serve this host: claim.h */
    bool failed;                /* it ends, and not because it was asked to */
};

#endif
