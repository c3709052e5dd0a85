/* SPDX-License-Identifier: MIT */
/* term.c: see term.h. */
#include "term.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

int term_raw(struct term *t)
{
    struct termios modes;

    if (!t->raw && tcgetattr(STDIN_FILENO, &t->before) < 0)
        return -errno;
    modes = t->before;
    cfmakeraw(&modes);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) < 0)
        return -errno;
    t->raw = true;
    return 0;
}

void term_restore(struct term *t)
{
    if (t->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
    t->raw = false;
}

bool term_size(uint16_t *rows, uint16_t *columns)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return false;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return *rows && *columns;
}
