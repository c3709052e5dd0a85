/* SPDX-License-Identifier: MIT */
/* test_tools_offspring.c: who descends from one, by sessions; each time in a child of the test, with two children of its own. */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_said.h"
#include "harness.h"
#include "offspring.h"

static char said[400];

/* A child that waits, in a session of its own once this returns; or in ours. */
static pid_t child(bool apart)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe(ready) || (pid = fork()) < 0)
        return -1;
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);       /* it has the pipe that what is said comes by */
        if (apart)
            setsid();
        close(ready[0]);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    close(ready[0]);
    return pid;
}

static bool ends(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* 0: only the child of our session is met, then each. */
static int only_ours(void)
{
    pid_t near, far;

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) || (near = child(false)) < 0 || (far = child(true)) < 0)
        return 1;
    if (offspring_signal(OFFSPRING_ANY, 0) != 2 || offspring_signal(far, 0) != 1)
        return 2;
    if (offspring_signal(getsid(0), SIGKILL) != 1 || !ends(near))
        return 3;
    if (offspring_signal(getsid(0), 0) != 0 || offspring_signal(OFFSPRING_ANY, SIGKILL) != 1 || !ends(far))
        return 4;
    return 0;
}

/* The same in a PID namespace that the session's leader is not of, as in many a container. */
static int only_ours_where_the_session_has_no_number(void)
{
    int status;
    pid_t pid;

    if (unshare(CLONE_NEWPID | CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || (pid = fork()) < 0)
        return 10;
    if (!pid)
        _exit(mount("proc", "/proc", "proc", 0, NULL) ? 11 : getsid(0) != 0 ? 12 : only_ours());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 13;
}

static void a_signal_is_for_one_session(void)
{
    EQ(child_said(only_ours, said, sizeof said), 0);
}

static void a_session_without_a_number_is_one_too(void)
{
    if (geteuid())
        SKIP("it takes root to make a PID namespace");
    EQ(child_said(only_ours_where_the_session_has_no_number, said, sizeof said), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_signal_is_for_one_session),
        TEST(a_session_without_a_number_is_one_too),
    };

    return harness_run("offspring", tests, sizeof tests / sizeof *tests, argc, argv);
}
