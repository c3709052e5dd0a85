/* SPDX-License-Identifier: MIT */
/* sandbox.c: see sandbox.h.  What is on the list was seen to be used, or is another form of the same for another libc.  What
 * makes a socket, opens anything but /proc/self (worker.h), or begins a program is not on it. */
#include "sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS 512               /* numbers that have names here */

static const char *const allowed[] = {
    /* bytes */
    "read", "write", "readv", "writev", "recvmsg", "sendmsg", "recvfrom", "sendto", "lseek",
    /* descriptors that others have made */
    "accept4", "close", "shutdown", "fcntl", "eventfd2", "ioctl", "getsockopt", "setsockopt", "getsockname", "getpeername", "fstat",
    "newfstatat", "openat", "getdents64", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "poll", "ppoll",
    /* memory */
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex", "getrandom",
    /* time, and giving way */
    "clock_gettime", "gettimeofday", "clock_nanosleep", "sched_yield", "restart_syscall",
    /* the end */
    "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "getpid", "gettid", "tgkill",
};

/* By their numbers, filled in before: within the handler nothing may be asked of the library. */
static char names[CALLS][24];

static void on_violation(int number, siginfo_t *info, void *context)
{
    unsigned call = (unsigned)info->si_syscall;
    char line[120];
    int len = snprintf(line, sizeof line, "xvsd: the worker ends: it has made the system call %u (%s), which is not on its list\n", call,
                       call < CALLS && *names[call] ? names[call] : "?");

    (void)number;
    (void)context;
    (void)!write(STDERR_FILENO, line, (size_t)len);
    signal(SIGSYS, SIG_DFL);
    raise(SIGSYS);
}

static void learn_names(void)
{
    for (int i = 0; i < CALLS; i++) {
        char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), i);

        snprintf(names[i], sizeof names[i], "%s", name ? name : "");
        free(name);
    }
}

int sandbox_refuse_rings(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int err = filter ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0) : -ENOMEM;

    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}

int sandbox_enter(void)
{
    struct sigaction violation = { .sa_sigaction = on_violation, .sa_flags = SA_SIGINFO };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int err = filter ? 0 : -ENOMEM;

    learn_names();
    for (size_t i = 0; !err && i < sizeof allowed / sizeof *allowed; i++) {
        int call = seccomp_syscall_resolve_name(allowed[i]);

        if (call >= 0)          /* else there is none of that name on this machine */
            err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
    }
    if (!err && sigaction(SIGSYS, &violation, NULL))
        err = -errno;
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}
