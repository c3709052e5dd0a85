/* SPDX-License-Identifier: MIT */
/* xvsd.h: the daemon's programs.
 *
 *     main.c         options; which of the two it is
 *     start.c        the keeper (keeper.h): signals, start, stop, what the children say
 *     decided.c      what the administrator has decided, read for all of them
 *     inforce.c      …and how that comes into force, at first and again
 *     asks.c         what clients of the control socket want of the keeper
 *     xenstored.c    its connection to xenstored, which may go and come back
 *     claim.c        one daemon a host
 *     children.c     its children, spawn.c as processes
 *     sandbox.c      the system calls that a worker may make
 *     labour.c       the worker: what worker/ and control/ are made of at run time
 *     dialling.c     the dialer
 *     ends.c         the table of what can be at the other end of a guest's stream
 *
 * Everything else is in the rooms beside this one, from the ground up: base, settings, wall; for the keeper dirs and guest; for the worker
 * memory, lane, ends, worker, control.  No process has threads, nothing here locks, and nothing blocks but what the keeper asks
 * xenstored. */
#ifndef XVSD_H
#define XVSD_H

#include <stdbool.h>

struct options {
    const char *config;         /* SETTINGS_FILE if it was not given, which may not exist then */
    bool config_given;
    const char *run_dir;        /* NULL: not given */
    const char *user;           /* whose rights the worker has; NULL: ours */
    bool check, verbose, one_process;
};

/* Each is a program: the exit status. */
int keeper_main(const struct options *o);
/* The keeper's children: their end of the wall is the descriptor WALL_FD, and their first argument one of these.  The worker's others: who
 * it is to be, and the directory that it is to see; NULL for what the keeper is. */
int labour_main(const char *user, const char *dir);
int dialer_main(void);

#define WALL_FD       3
#define LABOUR_OPTION "--worker"
#define DIALER_OPTION "--dialer"

#endif
