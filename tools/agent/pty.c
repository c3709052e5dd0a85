/* SPDX-License-Identifier: MIT */
/* pty.c: see pty.h. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int pty_resize(int ours, uint16_t rows, uint16_t columns)
{
    struct winsize size = { .ws_row = rows, .ws_col = columns };

    return ioctl(ours, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* By descriptor, so that what is at a name does not matter. */
static int open_other(int ours)
{
    int fd = ioctl(ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[64];

    if (fd >= 0 || (errno != EINVAL && errno != ENOTTY))
        return fd;
    return ptsname_r(ours, name, sizeof name) ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int pty_open(uint16_t rows, uint16_t columns, int *ours, int *theirs)
{
    struct termios modes;
    int err = 0;

    *theirs = -1;
    if ((*ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) < 0)
        return -errno;
    if (grantpt(*ours) < 0 || unlockpt(*ours) < 0 || (*theirs = open_other(*ours)) < 0) {
        err = -errno;
        close(*ours);
        return err;
    }
    pty_resize(*ours, rows, columns);
    /* A letter may be several bytes, and the key that takes one back takes all of them. */
    if (tcgetattr(*theirs, &modes) == 0) {
        modes.c_iflag |= IUTF8;
        tcsetattr(*theirs, TCSANOW, &modes);
    }
    return 0;
}

int pty_foreground(int ours)
{
    pid_t group = tcgetpgrp(ours);

    return group > 0 ? group : 0;
}
