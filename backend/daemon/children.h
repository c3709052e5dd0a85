/* SPDX-License-Identifier: MIT */
/* children.h: the worker and the dialer, and how they live: a wall, a process, and another one when it is gone. */
#ifndef XVSD_CHILDREN_H
#define XVSD_CHILDREN_H

#include "keeper.h"

struct child_kind {
    const char *name, *option;  /* for people; for the program */
    bool is_worker;             /* it has the rights of options.user */
    /* In one process: begins with fd, which it takes in any case; 0 or a negative errno.  And ends, harmless if it did not begin. */
    int (*begin)(struct keeper *k, int fd);
    void (*end)(struct keeper *k);
    void (*tell)(struct keeper *k);                     /* it is new, and hears of everything */
    void (*lost)(struct keeper *k);                     /* it is gone; NULL */
    void (*hear)(struct child *c, const struct wall_msg *m);    /* NULL: it has nothing to say */
};

/* Not started. */
void child_init(struct child *c, struct keeper *k, const struct child_kind *kind);
/* 0 or a negative errno. */
int  child_start(struct child *c);
/* It is gone, or is to go, and why if the wall does not say it; another one is started, if k->ending does not say otherwise. */
void child_lose(struct child *c, const char *why);
/* Lets both end in order, but not for ever. */
void children_stop(struct keeper *k);

#endif
