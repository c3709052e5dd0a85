/* SPDX-License-Identifier: MIT */
/* storeproxy.c: see storeproxy.h. */
#include "storeproxy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "harness.h"

#define PAIRS 16

static const char *dir;
static char before[200];
static struct sockaddr_un here = { .sun_family = AF_UNIX }, there = { .sun_family = AF_UNIX };
static pid_t pid;
static int order = -1;          /* 'c' or 'm' goes in, the same letter comes back when it is done */

/* ---- in the process ---- */

static int listener = -1, pair[PAIRS][2];
static unsigned pairs;

static void hang_up(unsigned i)
{
    close(pair[i][0]);
    close(pair[i][1]);
    memmove(pair[i], pair[--pairs], sizeof pair[i]);
}

static void cut(void)
{
    unlink(here.sun_path);
    close(listener);
    listener = -1;
    while (pairs)
        hang_up(0);
}

static void mend(void)
{
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 8))
        _exit(1);
}

static void join(void)
{
    int from = accept(listener, NULL, NULL), to = socket(AF_UNIX, SOCK_STREAM, 0);

    if (pairs == PAIRS || connect(to, (struct sockaddr *)&there, sizeof there)) {
        close(from);
        close(to);
        return;
    }
    pair[pairs][0] = from;
    pair[pairs++][1] = to;
}

static bool pass_on(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);

    return n > 0 && write(to, bytes, (size_t)n) == n;
}

static void serve(int orders)
{
    mend();
    for (;;) {
        struct pollfd p[2 + 2 * PAIRS] = { { .fd = orders, .events = POLLIN }, { .fd = listener, .events = POLLIN } };
        char letter;

        for (unsigned i = 0; i < 2 * pairs; i++)
            p[2 + i] = (struct pollfd){ .fd = pair[i / 2][i % 2], .events = POLLIN };
        poll(p, 2 + 2 * pairs, -1);
        for (unsigned i = pairs; i-- > 0; )
            if ((p[2 + 2 * i].revents && !pass_on(pair[i][0], pair[i][1])) ||
                (p[3 + 2 * i].revents && !pass_on(pair[i][1], pair[i][0])))
                hang_up(i);
        if (p[1].revents)
            join();
        if (!p[0].revents)
            continue;
        if (read(orders, &letter, 1) != 1)
            _exit(0);
        if (letter == 'c')
            cut();
        else
            mend();
        if (write(orders, &letter, 1) != 1)
            _exit(1);
    }
}

/* ---- in the test ---- */

static void give(char letter)
{
    if (write(order, &letter, 1) != 1 || read(order, &letter, 1) != 1)
        fprintf(stderr, "the proxy of xenstored is gone\n");
}

int storeproxy_start(void)
{
    int ends[2];

    snprintf(before, sizeof before, "%s", getenv("XENSTORED_RUNDIR"));
    if (!(dir = harness_directory("store")) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return -errno;
    snprintf(here.sun_path, sizeof here.sun_path, "%.80s/socket", dir);
    snprintf(there.sun_path, sizeof there.sun_path, "%.90s/socket", before);
    if ((pid = child_fork()) < 0)
        return -errno;
    if (!pid) {
        signal(SIGPIPE, SIG_IGN);
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    order = ends[0];
    give('c');                  /* it listens for certain after this pair */
    give('m');
    setenv("XENSTORED_RUNDIR", dir, 1);
    return 0;
}

void storeproxy_leave(void)
{
    setenv("XENSTORED_RUNDIR", before, 1);
}

void storeproxy_cut(void)
{
    give('c');
}

void storeproxy_mend(void)
{
    give('m');
}

void storeproxy_stop(void)
{
    if (pid <= 0)
        return;
    close(order);
    waitpid(pid, NULL, 0);
    pid = 0;
}
