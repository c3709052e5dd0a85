/* SPDX-License-Identifier: MIT */
/* sim.h: what the tests of hosted Xen share.
 *
 * run.sh starts a host with guests 1, 2 and 3 and runs each program in its dom0.
 * Everything waits for an event with a time limit; nothing sleeps for luck. */
#ifndef XENSIM_TESTS_SIM_H
#define XENSIM_TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "../../tools/xensim/become.h"
#include "harness.h"

/* As domain 'domid'; REQUIREs success. */
xenevtchn_handle *evtchn_as(unsigned domid);
xengnttab_handle *gnttab_as(unsigned domid);
xengntshr_handle *gntshr_as(unsigned domid);
struct xs_handle *xs_as(unsigned domid);

/* The next event within 'ms' (unmasked again), or -1. */
int next_event(xenevtchn_handle *xce, int ms);

/* A bound pair; the binder's spurious event is taken. */
struct pair {
    xenevtchn_handle *a, *b;
    int at_a, at_b;
};
struct pair pair_open(unsigned a, unsigned b);
void pair_close(struct pair *p);

/* The front command, as in "ls --json %s"; its exit status, its output in 'sim_out'. */
int sim(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern char sim_out[16384];
const char *sim_dir(void);

/* One number of 'xensim ls --json', such as "granted". */
long count_of(unsigned domid, const char *what);

/* Waits until it is 'value'; EQs. */
void await_count(unsigned domid, const char *what, long value);

/* Runs 'child' in a fork; the pipe ends let both sides wait for each other. */
struct child {
    pid_t pid;
    int in, out;
};
struct child child_start(void (*run)(int in, int out));
void child_tell(struct child *c);      /* one byte to it */
void child_await(struct child *c);     /* one byte from it */
void child_kill(struct child *c);      /* SIGKILL and wait */
void say_byte(int fd);
void await_byte(int fd);

int open_fds(void);

#endif
