/* SPDX-License-Identifier: MIT */
/* echo.c: an echo for any number of streams, driven by events: what an agent in a guest looks like.
 *
 *     cc echo.c $(pkg-config --cflags --libs xvs) -o echo
 *     ./echo 7                                in the guest
 *     xvs ping web1 7                         in dom0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <xvs.h>

/* Sends back what has arrived, straight from the memory in which it arrived.  -EAGAIN from either call ends the turn: an event will
 * tell when there is more to read, or room to write. */
static void echo(struct xvs_stream *s)
{
    struct iovec piece[16];
    ssize_t sent;
    int n;

    while ((n = xvs_peek(s, piece, 16)) > 0) {
        if ((sent = xvs_sendv(s, piece, n, 0)) < 0) {
            n = (int)sent;
            break;
        }
        xvs_done(s, (size_t)sent);
    }
    if (n == -EAGAIN)
        return;
    /* 0: the peer has sent all, and has been sent all.  Otherwise the stream is broken.  In both cases: */
    xvs_stream_close(s);
}

static void accept_all(struct xvs_listener *l)
{
    struct xvs_stream *s;

    while (xvs_accept(l, &s) == 0)
        ;                       /* its events follow; there is nothing to remember about it */
}

static void log_line(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "echo: %s\n", line);
}

int main(int argc, char **argv)
{
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 7;
    struct xvs_options options;
    struct xvs_listener *listener;
    struct xvs_event event;
    struct xvs *x;
    int err;

    xvs_options_init(&options);
    options.log = log_line;
    if ((err = xvs_open(&options, &x))) {
        fprintf(stderr, "echo: %s\n", xvs_open_error());
        return 1;
    }
    /* The device need not be up, and may go down and come back: listeners stay. */
    if ((err = xvs_listen(x, (uint32_t)port, 128, &listener))) {
        fprintf(stderr, "echo: cannot listen at port %lu: %s\n", port, strerror(-err));
        xvs_close(x);
        return 1;
    }
    do {
        /* A program with more descriptors polls them here, too, or puts this one into its own epoll set. */
        struct pollfd p = { .fd = xvs_fd(x), .events = POLLIN };

        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            break;
        err = xvs_process(x);
        while (!err && xvs_next_event(x, &event)) {
            if (event.listener)
                accept_all(event.listener);
            else if (event.stream)
                echo(event.stream);
        }
    } while (!err);
    xvs_close(x);
    return 1;
}
