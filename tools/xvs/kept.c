/* SPDX-License-Identifier: MIT */
/* kept.c: see kept.h. */
#include "kept.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "offspring.h"
#include "say.h"

#define GRACE (5 * SECOND)
#define STEP  (SECOND / 20)
#define END   SIGUSR1           /* to the keeper */

/* ---- the keeper ---- */

struct keeper {
    pid_t caller, program;
    sigset_t signals;
    sigset_t whole_group;       /* those that have come not by way of the caller */
    int status;                 /* the program's, once it has ended */
    bool has_ended;
};

static void become(char *const argv[], const sigset_t *mask, int cannot, int absent)
{
    int err;

    prctl(PR_SET_PDEATHSIG, SIGTERM);           /* the keeper may be killed, too */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    err = errno;
    _exit(fail(err == ENOENT ? absent : cannot, "%s: %s", argv[0], strerror(err)));
}

static void reap(struct keeper *k)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == k->program) {
            k->status = status;
            k->has_ended = true;
        }
}

static void end_all(struct keeper *k)
{
    int64_t until = clock_ns() + GRACE;
    struct timespec step = { .tv_nsec = STEP };
    pid_t session = getsid(0);

    offspring_signal(session, SIGTERM);
    offspring_signal(session, SIGCONT);
    while (offspring_signal(session, clock_ns() < until ? 0 : SIGKILL)) {
        sigtimedwait(&k->signals, NULL, &step); /* SIGCHLD, as a rule */
        reap(k);
    }
    reap(k);
}

static void keep(struct keeper *k)
{
    siginfo_t info;
    int number;

    while (!k->has_ended) {
        if ((number = sigwaitinfo(&k->signals, &info)) < 0)
            continue;
        if (number == END)
            end_all(k);
        else if (number != SIGCHLD && info.si_pid != k->caller)
            sigaddset(&k->whole_group, number);
        else if (number != SIGCHLD && !sigismember(&k->whole_group, number))
            offspring_signal(getsid(0), number);
        reap(k);
    }
}

/* Of what we have, the caller's connections among it, nothing is held: their end is what tells the guest of the caller's. */
static void be_keeper(char *const argv[], pid_t caller, const sigset_t *mask, int cannot, int absent)
{
    static const int numbers[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, END };
    struct keeper k = { .caller = caller };

    sigemptyset(&k.signals);
    sigemptyset(&k.whole_group);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;

        sigaddset(&k.signals, numbers[i]);
        /* The loop's are the caller's; what is ignored stays so, as nohup(1) wants it to be. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            signal(numbers[i], SIG_DFL);
    }
    if (prctl(PR_SET_PDEATHSIG, END) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || (k.program = fork()) < 0)
        _exit(fail(cannot, "%s: %s", argv[0], strerror(errno)));
    if (!k.program)
        become(argv, mask, cannot, absent);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    prctl(PR_SET_NAME, "xvs-keeper");
    if (getppid() != caller)
        end_all(&k);
    keep(&k);
    _exit(kept_status(k.status));
}

/* ---- who calls ---- */

int kept_start(char *const argv[], pid_t *keeper, int cannot, int absent)
{
    pid_t us = getpid();
    sigset_t all, mask;
    int err = 0;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask);
    if ((*keeper = fork()) == 0)
        be_keeper(argv, us, &mask, cannot, absent);
    err = *keeper < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return err;
}

void kept_pass(pid_t keeper, int number)
{
    kill(keeper, number);
}

void kept_end(pid_t keeper)
{
    kill(keeper, END);
}

int kept_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
