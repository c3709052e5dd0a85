/* SPDX-License-Identifier: MIT */
/* echo_blocking.c: an echo for one stream after the other, with the blocking helpers: no events, no poll().
 *
 *     cc echo_blocking.c $(pkg-config --cflags --libs xvs) -o echo_blocking
 *     ./echo_blocking 7 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xvs.h>

static void echo(struct xvs_stream *s)
{
    static char buffer[65536];
    ssize_t n;

    while ((n = xvs_recv_wait(s, buffer, sizeof buffer, -1)) > 0)
        if (xvs_send_all(s, buffer, (size_t)n, -1) < 0)
            break;
    xvs_stream_close(s);
}

int main(int argc, char **argv)
{
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 7;
    struct xvs_listener *listener;
    struct xvs_stream *s;
    struct xvs *x;
    int err;

    if (xvs_open(NULL, &x)) {
        fprintf(stderr, "echo_blocking: %s\n", xvs_open_error());
        return 1;
    }
    if (!(err = xvs_listen(x, (uint32_t)port, 16, &listener)))
        while (!(err = xvs_accept_wait(listener, -1, &s)))
            echo(s);
    fprintf(stderr, "echo_blocking: port %lu: %s\n", port, strerror(-err));
    xvs_close(x);
    return 1;
}
