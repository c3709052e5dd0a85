/* SPDX-License-Identifier: MIT */
/* children.h: the processes that the agent has begun, and how they are made to end.
 *
 * Each leads a process group, most a session as well.  A child is its owner's until it has ended or is let go; then it ends here, alone. */
#ifndef XVS_CHILDREN_H
#define XVS_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

#define CHILDREN_GRACE (5 * SECOND)     /* between a signal that asks and SIGKILL */

struct children {
    struct loop *loop;
    struct list all;
    void (*none)(struct children *c);   /* the last has ended; may be NULL */
};

struct child {
    struct list link;
    struct children *children;
    pid_t pid;
    bool has_ended, asked;              /* asked: to end, so SIGKILL follows */
    bool late;                          /* its time limit is over */
    uint64_t ended_at;                  /* in the kernel's ticks */
    struct timer kill, limit;
    /* Once, unless it was let go: waitpid()'s status.  The child is not the owner's any more. */
    void (*ended)(void *arg, int status, bool late);
    void *arg;
};

/* Takes the loop's 'child'. */
void children_begin(struct children *c, struct loop *l);
/* child_hang_up() for each that has not been asked to end. */
void children_hang_up(struct children *c);
/* Forgets them all; with kills, whatever is left gets SIGKILL, and is not waited for. */
void children_end(struct children *c, bool kills);

/* Before the process is begun, so that there is nothing to be undone after it: NULL, no memory. */
struct child *child_new(struct children *c, void (*ended)(void *arg, int status, bool late), void *arg);
/* It runs; SIGTERM when ms milliseconds are over (0: never), and SIGKILL later. */
void child_runs(struct child *c, pid_t pid, uint32_t ms);
/* It does not. */
void child_free(struct child *c);
/* To its process group. */
void child_signal(struct child *c, int number);
/* To its process group SIGHUP, and SIGKILL to its session when the grace is over. */
void child_hang_up(struct child *c);
/* The owner hears no more of it. */
void child_let_go(struct child *c);

#endif
