/* SPDX-License-Identifier: MIT */
/* putget.h: the services put and get of a guest's agent: one conversation, in a process of its own, with descriptors that block.
 *
 *     put    START, then the archive with what is said beside it (said.h); the answer: PROBLEM for each, DONE, EXIT
 *     get    START; the answer: TOTAL if wanted, the archive with what is said beside it, PROBLEM for each, DONE, EXIT
 *
 * EXIT's status is 0 if all was copied, 1 if not.  ERROR in its place: nothing further can be. */
#ifndef XVS_PUTGET_H
#define XVS_PUTGET_H

#include <stdbool.h>

/* Whether there is such a service here. */
bool putget_knows(const char *service);
/* Does it, from in to out.  An exit status for the process: 0 when EXIT was said, whatever it says. */
int  putget_serve(const char *service, int in, int out);

#endif
