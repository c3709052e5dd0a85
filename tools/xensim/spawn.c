/* SPDX-License-Identifier: MIT */
/* spawn.c: the daemon's children.  They die with it, however it dies. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host.h"

static void setenv_path(const char *name, const char *format, const char *a, const char *b)
{
    char value[8300];

    snprintf(value, sizeof value, format, a, b);
    setenv(name, value, 1);
}

/* Runs argv as part of domain 'domid', with 'ready_fd' (or -1) as its descriptor 3
 * and its output in log/<log>.log.  The pid, or -errno. */
pid_t spawn(char *const argv[], uint32_t domid, const char *log, int ready_fd)
{
    pid_t parent = getpid(), pid;
    char path[256], number[16];
    sigset_t none;
    int fd;

    if ((pid = fork()) != 0)
        return pid < 0 ? -errno : pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    snprintf(path, sizeof path, "%s/log/%s.log", host.dir, log);
    if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    if (ready_fd == 3)
        fcntl(3, F_SETFD, 0);
    else if (ready_fd >= 0)
        dup2(ready_fd, 3);
    snprintf(number, sizeof number, "%u", domid);
    setenv(SIM_ENV_DIR, host.dir, 1);
    setenv(SIM_ENV_DOMID, number, 1);
    setenv_path("XENSTORED_RUNDIR", "%s/xenstored%s", host.dir, "");
    setenv_path("LD_LIBRARY_PATH", "%s/../ctrl:%s/../lib", host.bin, host.bin);
    unsetenv("XENSTORED_PATH");
    unsetenv("LD_PRELOAD");
    execv(argv[0], argv);
    fprintf(stderr, "xensimd: cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}
