/* SPDX-License-Identifier: MIT */
/* proc.h: what /proc says of processes. */
#ifndef XVS_PROC_H
#define XVS_PROC_H

#include <stdbool.h>
#include <sys/types.h>

struct proc_facts {
    char state;                     /* 'Z', 'X': it has ended */
    pid_t parent, session;
    unsigned flags;                 /* PF_… of the kernel's sched.h */
    unsigned long long began;       /* clock ticks since the machine was booted */
};

/* False: there is no such process, or nobody says so. */
bool proc_read(pid_t pid, struct proc_facts *f);
/* Every process that there is, in no order. */
void proc_each(void (*each)(pid_t pid, const struct proc_facts *f, void *arg), void *arg);

#endif
