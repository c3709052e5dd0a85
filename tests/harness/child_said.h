/* SPDX-License-Identifier: MIT */
/* child_said.h: how a child ended that did one thing, and what it said. */
#ifndef XVS_TEST_CHILD_SAID_H
#define XVS_TEST_CHILD_SAID_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "harness.h"

/* waitpid()'s status of a child that exits with what act() gives; its standard error, up to size - 1 bytes, in said. */
static inline int child_said(int (*act)(void), char *said, size_t size)
{
    int ends[2], status = -1;
    ssize_t n, len = 0;
    pid_t pid;

    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    if ((pid = child_fork()) == 0) {
        dup2(ends[1], STDERR_FILENO);
        syscall(SYS_exit_group, act());         /* bare: a sanitizer's has more to do */
    }
    close(ends[1]);
    while ((n = read(ends[0], said + len, size - 1 - (size_t)len)) > 0)
        len += n;
    said[len] = '\0';
    close(ends[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

#endif
