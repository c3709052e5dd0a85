/* SPDX-License-Identifier: MIT */
/* warden.c: see warden.h. */
#include "warden.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "notify.h"
#include "offspring.h"

#define READY SIGUSR1           /* from the agent */

static pid_t warden;
static sigset_t signals, before;

/* Each that dies leaves us its children, so this ends when there is nobody: whoever forked meanwhile is killed with the next turn. */
static void end_all(void)
{
    struct timespec step = { .tv_nsec = 20000000 };
    pid_t pid;

    for (;;) {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return;
        offspring_signal(OFFSPRING_ANY, SIGKILL);
        sigtimedwait(&signals, NULL, &step);    /* SIGCHLD, as a rule */
    }
}

static void ward(pid_t agent)
{
    siginfo_t info;
    int status = 0, number;
    bool alive = true, asked;
    pid_t pid;

    prctl(PR_SET_NAME, "xvs-agent-ward");
    while (alive) {
        if ((number = sigwaitinfo(&signals, &info)) < 0)
            continue;
        if (number == READY && info.si_pid == agent)
            notify("READY=1");
        else if (number != READY && number != SIGCHLD)
            kill(agent, number);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == agent) {
                alive = false;
                break;
            }
    }
    asked = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    end_all();
    /* As the agent did, so that whoever asked it to end sees that it has.  Bare: what was to be tidied up was the agent's. */
    if (asked) {
        signal(WTERMSIG(status), SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
        raise(WTERMSIG(status));
    }
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

void warden_hold(void)
{
    static const int numbers[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, READY };

    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &signals, &before);
}

void warden_release(void)
{
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int warden_begin(void)
{
    pid_t pid;

    warden = getpid();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || (pid = fork()) < 0)
        return -errno;
    if (pid)
        ward(pid);
    notify_forget();
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return -errno;
    return warden_lives() ? 0 : -ESRCH;
}

void warden_ready(void)
{
    kill(warden, READY);
}

bool warden_lives(void)
{
    return getppid() == warden;
}
