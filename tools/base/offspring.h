/* SPDX-License-Identifier: MIT */
/* offspring.h: the processes that descend from this one, which has to be a subreaper (PR_SET_CHILD_SUBREAPER): else whoever has lost his
 * parent descends from nobody. */
#ifndef XVS_OFFSPRING_H
#define XVS_OFFSPRING_H

#include <sys/types.h>

/* No session.  0 is one: that whose leader is not of our PID namespace (a container's first process has it, with all that it starts). */
#define OFFSPRING_ANY ((pid_t)-1)

/* Each that is alive gets the signal, 0: none; session: of that one alone, or OFFSPRING_ANY.  How many they are; who forks meanwhile may be
 * missed. */
unsigned offspring_signal(pid_t session, int number);

#endif
