/* SPDX-License-Identifier: MIT */
/* both_ways.c: sends standard input to a port and prints what comes back, both at once, as an echo of more than the buffers hold needs it.
 *
 *     cc both_ways.c $(pkg-config --cflags --libs xvs) -o both_ways
 *     xvs serve 1234 web1 -- cat                      in dom0
 *     ./both_ways 1234 <picture >picture.again        in the guest web1
 *
 * With the blocking helpers this would stand still: a program inside xvs_send_all() receives nothing, its peer can then send nothing more,
 * and so reads nothing more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xvs.h>

#define PATIENCE 5000           /* milliseconds */

/* 0 at the end of what comes, or a negative errno. */
static int exchange(struct xvs *x, struct xvs_stream *s)
{
    static char out[65536], in[65536];
    size_t at = 0, have = 0;
    struct xvs_event event;
    int at_end = 0;
    ssize_t n;

    for (;;) {
        /* Each direction as far as it goes. */
        for (n = 0; !at_end && n >= 0;) {
            if (at == have) {
                at = 0;
                have = fread(out, 1, sizeof out, stdin);
                if (!have) {
                    at_end = 1;
                    xvs_shutdown(s, SHUT_WR);
                    break;
                }
            }
            if ((n = xvs_send(s, out + at, have - at, 0)) > 0)
                at += (size_t)n;
        }
        if (n < 0 && n != -EAGAIN)
            return (int)n;
        while ((n = xvs_recv(s, in, sizeof in, 0)) > 0)
            if (fwrite(in, 1, (size_t)n, stdout) != (size_t)n)
                return -EIO;
        if (n != -EAGAIN)
            return (int)n;
        /* Neither goes on: until one can. */
        if ((n = xvs_wait(x, -1)) < 0 && n != -EINTR)
            return (int)n;
        while (xvs_next_event(x, &event))
            ;
    }
}

int main(int argc, char **argv)
{
    struct xvs_stream *s;
    struct xvs *x;
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: both_ways PORT\n");
        return 2;
    }
    if (xvs_open(NULL, &x)) {
        fprintf(stderr, "both_ways: %s\n", xvs_open_error());
        return 1;
    }
    if ((err = xvs_wait_up(x, PATIENCE))) {
        fprintf(stderr, "both_ways: the device is not up: %s\n", xvs_reason(x));
    } else if ((err = xvs_connect_wait(x, XVS_CID_HOST, (uint32_t)strtoul(argv[1], NULL, 10), PATIENCE, &s))) {
        fprintf(stderr, "both_ways: cannot connect: %s\n", strerror(-err));
    } else {
        if ((err = exchange(x, s)))
            fprintf(stderr, "both_ways: %s\n", strerror(-err));
        xvs_stream_close(s);
    }
    xvs_close(x);
    return err || fflush(stdout) ? 1 : 0;
}
