/* SPDX-License-Identifier: MIT */
/* client.c: says something to a port of the host, and prints the answer.
 *
 *     cc client.c $(pkg-config --cflags --libs xvs) -o client
 *     xvs serve 1234 web1 -- rev              in dom0
 *     ./client 1234 "able was I"              in the guest web1 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <xvs.h>

#define PATIENCE 5000           /* milliseconds */

/* 0 or a negative errno. */
static int converse(struct xvs_stream *s, const char *words)
{
    char buffer[4096];
    ssize_t n;
    int err;

    if ((err = xvs_send_all(s, words, strlen(words), PATIENCE)) || (err = xvs_send_all(s, "\n", 1, PATIENCE)))
        return err;
    /* The peer reads the end of the stream, and can still answer. */
    if ((err = xvs_shutdown(s, SHUT_WR)))
        return err;
    while ((n = xvs_recv_wait(s, buffer, sizeof buffer, PATIENCE)) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    return (int)n;
}

int main(int argc, char **argv)
{
    struct xvs_stream *s;
    struct xvs *x;
    int err;

    if (argc != 3) {
        fprintf(stderr, "usage: client PORT WORDS\n");
        return 2;
    }
    if (xvs_open(NULL, &x)) {
        fprintf(stderr, "client: %s\n", xvs_open_error());
        return 1;
    }
    if ((err = xvs_wait_up(x, PATIENCE))) {
        fprintf(stderr, "client: the device is not up: %s\n", xvs_reason(x));
    } else if ((err = xvs_connect_wait(x, XVS_CID_HOST, (uint32_t)strtoul(argv[1], NULL, 10), PATIENCE, &s))) {
        fprintf(stderr, "client: cannot connect: %s\n", strerror(-err));
    } else {
        if ((err = converse(s, argv[2])))
            fprintf(stderr, "client: %s\n", strerror(-err));
        xvs_stream_close(s);
    }
    xvs_close(x);
    return err ? 1 : 0;
}
