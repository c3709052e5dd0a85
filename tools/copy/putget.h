/* SPDX-License-Identifier: MIT */
/* putget.h: the services put and get of a guest's agent: one conversation, in a process of its own, with descriptors that block.
 *
 *     put    START, then the archive with what is said beside it (said.h); the answer: PROBLEM for each, DONE, EXIT
 *     get    START; the answer: TOTAL if wanted, the archive with what is said beside it, PROBLEM for each, DONE, EXIT
 *
 * EXIT's status is 0 if all was copied, 1 if not.  ERROR in its place: nothing further can be. */
#ifndef XVS_PUTGET_H
#define XVS_PUTGET_H

/* From in to out.  argument: what the caller wrote behind the service's name; there is none.  An exit status for the process: 0 if the
 * caller was told how it ended, with EXIT or with ERROR. */
int putget_put(int in, int out, const char *argument);
int putget_get(int in, int out, const char *argument);

#endif
