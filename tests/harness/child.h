/* SPDX-License-Identifier: MIT */
/* child.h: a process that does not outlive the test that began it, even if that is killed. */
#ifndef XVS_TEST_CHILD_H
#define XVS_TEST_CHILD_H

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* As fork().  The kernel forgets it when the process changes its effective user, as xvsd does for a moment: such a one is seen
 * to by leftovers.sh. */
static inline pid_t child_fork(void)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);         /* it was killed before that */
    }
    return pid;
}

#endif
