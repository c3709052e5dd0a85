/* SPDX-License-Identifier: MIT */
/* spawn.c: see spawn.h. */
#include "spawn.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "sandbox.h"
#include "xvsd.h"

/* ---- the keeper's side ---- */

/* In the child.  Between fork() and exec() there is one thread, so anything may be called. */
__attribute__((noreturn))
static void become(int fd, const char *const *arguments)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    unsetenv("NOTIFY_SOCKET");          /* the keeper alone speaks to the init system */
    if (dup2(fd, WALL_FD) == WALL_FD && !close_range(WALL_FD + 1, ~0U, 0))
        execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
    journal(JOURNAL_ERROR, "cannot run /proc/self/exe again: %s", strerror(errno));
    _exit(127);
}

pid_t spawn(int fd, const char *const *arguments)
{
    pid_t pid = fork();

    if (pid == 0)
        become(fd, arguments);
    pid = pid < 0 ? -errno : pid;
    close(fd);
    return pid;
}

void spawn_reap(pid_t pid, char *how, size_t size)
{
    int status = 0;

    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        snprintf(how, size, "it died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WIFSIGNALED(status))
        snprintf(how, size, "it was killed");
    else
        snprintf(how, size, "it ended with status %d", WEXITSTATUS(status));
}

/* ---- the child's side ---- */

void spawned(const char *name)
{
    prctl(PR_SET_NAME, name);           /* otherwise "exe", of /proc/self/exe */
    /* A terminal or an init system sends these to all of us; the keeper says what is to be done. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

int spawn_give_up(const char *user, const char *dir)
{
    const struct passwd *who = getpwnam(user);
    int err;

    if (!who) {
        journal(JOURNAL_ERROR, "there is no user %s for the worker; make it, or name another one (--user)", user);
        return -ENOENT;
    }
    tzset();                    /* its file is out of sight afterwards */
    if (!chroot(dir) && !chdir("/") && !setgroups(0, NULL) && !setresgid(who->pw_gid, who->pw_gid, who->pw_gid) &&
        !setresuid(who->pw_uid, who->pw_uid, who->pw_uid) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
        !prctl(PR_SET_DUMPABLE, 0))
        err = sandbox_enter();
    else
        err = -errno;
    if (!err)
        return 0;
    journal(JOURNAL_ERROR, "the worker cannot become user %s in %s: %s", user, dir, strerror(-err));
    return err;
}
