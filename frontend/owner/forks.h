/* SPDX-License-Identifier: MIT */
/* forks.h: the devices that this process owns, and what becomes of them in a process that is forked from it: nothing.
 *
 * All but forks_start() between enter and leave, during which no other thread forks and no other device changes what
 * orphan() looks at.  They do not nest.  Any thread. */
#ifndef XVS_FORKS_H
#define XVS_FORKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "list.h"

/* A device that this process owns. */
struct owned {
    struct list link;
    dev_t dev;                  /* its lock file */
    ino_t ino;
    /* In a forked child: the device becomes one that does nothing.  Calls only what a signal handler may. */
    void (*orphan)(struct owned *owned);
};

int  forks_start(void);                         /* once a process at least: 0 or -ENOMEM */
void forks_enter(void);
void forks_leave(void);
void forks_add(struct owned *owned);
void forks_remove(struct owned *owned);         /* harmless when it is not there */
bool forks_owns(dev_t dev, ino_t ino);          /* a lock file */

#endif
