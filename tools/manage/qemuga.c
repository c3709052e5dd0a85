/* SPDX-License-Identifier: MIT */
/* qemuga.c: see qemuga.h. */
#include "qemuga.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "say.h"

#define PROGRAM  "qemu-ga"
#define PATIENCE 10u            /* seconds, for the lock */
#define HOOK     "/etc/qemu/fsfreeze-hook"

/* ---- the program ---- */

/* Where it is, into path: false if it is nowhere. */
static bool find_program(char path[4096])
{
    const char *at = getenv("PATH");

    if (!at || !*at)
        at = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (;;) {
        size_t len = strcspn(at, ":");

        if (len && len < 4000) {
            snprintf(path, 4096, "%.*s/" PROGRAM, (int)len, at);
            if (access(path, X_OK) == 0)
                return true;
        }
        if (!at[len])
            return false;
        at += len + 1;
    }
}

const char *qemuga_absent(void)
{
    char path[4096];

    return find_program(path) ? NULL : "qemu-guest-agent is not installed in this guest: install the package of that name (apt install qemu-guest-agent)";
}

/* ---- one at a time ---- */

static void ignore(int number)
{
    (void)number;
}

int qemuga_lock(char why[QEMUGA_WHY])
{
    const struct sigaction wakes = { .sa_handler = ignore }, dies = { .sa_handler = SIG_DFL };
    char path[4096];
    int fd, err = 0;

    snprintf(path, sizeof path, "%s/qga.lock", run_dir());
    if (mkdir(run_dir(), 0755) < 0 && errno != EEXIST)
        err = -errno;
    if (err || (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0) {
        err = err ? err : -errno;
        snprintf(why, QEMUGA_WHY, "%.180s: %s", path, strerror(-err));
        return err;
    }
    sigaction(SIGALRM, &wakes, NULL);
    alarm(PATIENCE);
    if (flock(fd, LOCK_EX) < 0) {
        err = errno == EINTR ? -EBUSY : -errno;
        snprintf(why, QEMUGA_WHY, err == -EBUSY ? "somebody else speaks with this guest's qemu-guest-agent, which hears one at a time%s"
                                                : "its lock: %s", err == -EBUSY ? "" : strerror(-err));
    }
    alarm(0);
    sigaction(SIGALRM, &dies, NULL);
    if (err)
        close(fd);
    return err ? err : fd;
}

/* ---- beginning it ---- */

static int make_socket(const struct sockaddr_un *a, char why[QEMUGA_WHY])
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = fd < 0 ? -errno : 0;
    mode_t mask = umask(0177);

    if (!err && unlink(a->sun_path) < 0 && errno != ENOENT)
        err = -errno;
    if (!err && (bind(fd, (const struct sockaddr *)a, sizeof *a) < 0 || listen(fd, 16) < 0))
        err = -errno;
    umask(mask);
    if (!err)
        return fd;
    snprintf(why, QEMUGA_WHY, "%.108s: %s", a->sun_path, strerror(-err));
    if (fd >= 0)
        close(fd);
    return err;
}

/* In the new process.  It is nobody's child but the warden's, and no part of the session that is killed when a caller goes. */
static void become(const char *path, int listener, int report)
{
    char *argv[] = { (char *)(uintptr_t)PROGRAM, (char *)(uintptr_t)"-t", (char *)(uintptr_t)run_dir(), NULL, NULL };
    char number[24];
    sigset_t none;
    int null, err;

    if (access(HOOK, X_OK) == 0)
        argv[3] = (char *)(uintptr_t)"-F" HOOK;
    setsid();
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The report may be where the listener is to be. */
    if ((report = fcntl(report, F_DUPFD_CLOEXEC, 10)) < 0 || (null = open("/dev/null", O_RDWR)) < 0)
        _exit(1);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (listener == 3)
        fcntl(listener, F_SETFD, 0);
    else
        dup2(listener, 3);
    snprintf(number, sizeof number, "%ld", (long)getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", "1", 1);
    execv(path, argv);
    err = errno;
    if (write(report, &err, sizeof err) < 0)
        _exit(2);
    _exit(1);
}

/* Takes the listener. */
static int begin(int listener, char why[QEMUGA_WHY])
{
    char path[4096];
    int report[2] = { -1, -1 }, err = 0;
    pid_t pid = -1;

    if (!find_program(path)) {
        err = -ENOENT;
        snprintf(why, QEMUGA_WHY, "%s", qemuga_absent());
    } else if (pipe2(report, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        err = -errno;
        snprintf(why, QEMUGA_WHY, "it cannot be begun: %s", strerror(-err));
    } else if (!pid) {
        become(path, listener, report[1]);
    }
    if (report[1] >= 0)
        close(report[1]);
    if (!err && read(report[0], &err, sizeof err) == sizeof err) {
        snprintf(why, QEMUGA_WHY, "%.150s: %s", path, strerror(err));
        err = -err;
    }
    if (!err)
        say("qemu-guest-agent: process %ld", (long)pid);
    if (report[0] >= 0)
        close(report[0]);
    close(listener);
    return err;
}

static int join(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

int qemuga_connect(char why[QEMUGA_WHY])
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd, listener, err;

    if ((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s/qga.sock", run_dir()) >= sizeof a.sun_path) {
        snprintf(why, QEMUGA_WHY, "the path of its socket is too long");
        return -ENAMETOOLONG;
    }
    if ((fd = join(&a)) == -ENOENT || fd == -ECONNREFUSED) {
        if ((listener = make_socket(&a, why)) < 0)
            return listener;
        if ((err = begin(listener, why)))
            return err;
        fd = join(&a);
    }
    if (fd < 0)
        snprintf(why, QEMUGA_WHY, "%.108s: %s", a.sun_path, strerror(-fd));
    return fd;
}
