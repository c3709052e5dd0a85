/* SPDX-License-Identifier: MIT */
/* files.c: see files.h. */
#include "files.h"

#include <errno.h>
#include <unistd.h>

void files_raise(struct rlimit *given)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, given) < 0)
        *given = (struct rlimit){ 1024, 1024 };
    most = *given;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
}

bool is_short(int err)
{
    switch (-err) {
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return true;
    default:
        return false;
    }
}

int files_left(unsigned count)
{
    int fds[8], err = 0;
    unsigned n = 0;

    while (!err && n < count && n < 8)
        if ((fds[n] = dup(STDIN_FILENO)) < 0)
            err = -errno;
        else
            n++;
    while (n)
        close(fds[--n]);
    return err;
}
