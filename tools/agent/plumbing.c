/* SPDX-License-Identifier: MIT */
/* plumbing.c: see plumbing.h. */
#include "plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pty.h"

#define TERMINAL_MOST (128u << 10)      /* what a terminal can hold back; the kernel does not tell */

/* Ours, which is 'mine', does not block; none of the numbers is below 3. */
static int make_pipe(int pair[2], int mine)
{
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(pair[mine], F_SETFL, O_NONBLOCK) < 0) {
        close(pair[0]);
        close(pair[1]);
        pair[0] = pair[1] = -1;
        return -errno;
    }
    return 0;
}

static int open_null(int flags, int *fd)
{
    *fd = open("/dev/null", flags | O_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

/* A terminal is in all three places of the command's, and in two of ours. */
static int plumb_terminal(const struct start *start, struct plumbing *p)
{
    int err = pty_open(start->rows, start->columns, &p->out[0], &p->out[1]);

    if (!err && ((p->in[1] = fcntl(p->out[0], F_DUPFD_CLOEXEC, 3)) < 0 || (p->in[0] = fcntl(p->out[1], F_DUPFD_CLOEXEC, 3)) < 0 ||
                 (p->err[1] = fcntl(p->out[1], F_DUPFD_CLOEXEC, 3)) < 0))
        err = -errno;
    return err;
}

int plumb(const struct start *start, struct plumbing *p)
{
    int err;

    memset(p, -1, sizeof *p);
    if ((err = make_pipe(p->report, 0)))
        return err;
    if (start->detach)
        return (err = open_null(O_RDONLY, &p->in[0])) || (err = open_null(O_WRONLY, &p->out[1])) ? err
               : open_null(O_WRONLY, &p->err[1]);
    if (start->tty)
        return plumb_terminal(start, p);
    if ((err = start->has_stdin ? make_pipe(p->in, 1) : open_null(O_RDONLY, &p->in[0])))
        return err;
    return (err = make_pipe(p->out, 0)) ? err : make_pipe(p->err, 0);
}

static void drop(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
    pair[0] = pair[1] = -1;
}

void plumbing_drop(struct plumbing *p)
{
    drop(p->in);
    drop(p->out);
    drop(p->err);
    drop(p->report);
}

size_t plumbing_capacity(int fd)
{
    int size = fcntl(fd, F_GETPIPE_SZ);

    return size > 0 ? (size_t)size : TERMINAL_MOST;
}
