/* SPDX-License-Identifier: MIT */
/* screen.c: see screen.h.  The escape sequences are those of every terminal since the VT100, and xterm's for the other screen. */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"       /* the other screen, no cursor, empty */
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before;
static bool is_open;
static volatile sig_atomic_t resized, stopped, continued, ended;

static void write_all(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, text, len);

        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return;             /* it is gone, and so shall we */
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void take(void)
{
    struct termios raw = before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)IXON;
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    write_all(ENTER, strlen(ENTER));
}

static void give_back(void)
{
    write_all(LEAVE, strlen(LEAVE));
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

/* ---- signals: they only leave a mark, and come while we wait and at no other time ---- */

static void on_signal(int number)
{
    switch (number) {
    case SIGWINCH: resized = 1; break;
    case SIGTSTP:  stopped = 1; break;
    case SIGCONT:  continued = 1; break;
    default:       ended = number; break;
    }
}

static const int signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void catch_signals(void)
{
    struct sigaction act = { .sa_handler = on_signal };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &act, NULL);
        sigaddset(&set, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* As if nobody had caught it. */
static void stop_here(void)
{
    struct sigaction usual = { .sa_handler = SIG_DFL }, ours;
    sigset_t set;

    give_back();
    sigaction(SIGTSTP, &usual, &ours);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, NULL);       /* it stands still here */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    take();
}

/* ---- the terminal ---- */

int screen_open(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return -ENOTTY;
    if (tcgetattr(STDIN_FILENO, &before))
        return -errno;
    is_open = true;
    atexit(screen_close);
    catch_signals();
    take();
    return 0;
}

void screen_close(void)
{
    if (!is_open)
        return;
    is_open = false;
    give_back();
}

void screen_size(unsigned *rows, unsigned *columns)
{
    struct winsize size;

    *rows = 24;
    *columns = 80;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
}

/* Each line takes its place, and what stood there to the right of it, or below the last, goes. */
void screen_draw(const char *text, size_t len)
{
    const char *end = text + len;
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);

    if (!f)
        return;
    fputs("\033[H", f);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);

        fwrite(text, 1, n, f);
        fputs("\033[K", f);
        text += n + 1;
        if (text < end)
            fputs("\r\n", f);
    }
    fputs("\033[J", f);
    if (!fclose(f))
        write_all(out, size);
    free(out);
}

enum screen_event screen_wait(int ms, char *bytes, size_t most, size_t *len)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    sigset_t none;
    ssize_t n;
    int got;

    *len = 0;
    sigemptyset(&none);
    got = ppoll(&p, 1, &time, &none);
    if (ended)
        return SCREEN_END;
    if (stopped) {
        stopped = 0;
        stop_here();
        return SCREEN_REDRAW;
    }
    if (resized || continued) {
        resized = continued = 0;
        return SCREEN_REDRAW;
    }
    if (got <= 0)
        return SCREEN_TIME;
    n = read(STDIN_FILENO, bytes, most);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? SCREEN_TIME : SCREEN_END;
    if (n == 0 && p.revents & (POLLHUP | POLLERR))
        return SCREEN_END;
    *len = (size_t)n;
    return SCREEN_KEYS;
}
