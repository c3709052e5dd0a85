/* SPDX-License-Identifier: MIT */
/* kept.h: a program of this machine with our standard input, output and error, that does not outlive us, however we end.
 *
 * Between us and it stands a process, the keeper, which is its parent and ends as it does.  It ends all that has come of the program (in
 * our session: what has made itself a daemon is none of that) by SIGTERM, and five seconds later by SIGKILL, when it is told to, or
 * when we die. */
#ifndef XVS_KEPT_H
#define XVS_KEPT_H

#include <sys/types.h>

/* Found by PATH, with the signals as a shell would have them.  0 and the keeper, whose end SIGCHLD tells of, or a negative errno.  If it
 * cannot be run that is said, and the keeper ends with one of these. */
int  kept_start(char *const argv[], pid_t *keeper, int cannot, int absent);
/* SIGINT, SIGTERM or SIGHUP for the program and all that has come of it; not if the whole process group has got it, as from a terminal. */
void kept_pass(pid_t keeper, int number);
/* It is to end. */
void kept_end(pid_t keeper);
/* Of waitpid(): the program's exit status, or 128 + N. */
int  kept_status(int status);

#endif
