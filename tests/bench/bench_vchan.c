/* SPDX-License-Identifier: MIT */
/* bench_vchan.c: libxenvchan between a guest (the client, near, which sends) and dom0 (the server, far).
 *
 *     bench_vchan server DOMID PATH        in dom0; serves one client, then ends
 *     bench_vchan client PATH              in the guest: measures and reports
 *
 * Rings of 1 MiB each way, the largest that libxenvchan does. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenctrl.h>
#include <libxenvchan.h>

#include "bench.h"

#define RING (1u << 20)

/* What the client asks for next: the server takes 'bytes' in pieces of 'size' and answers with one byte, or, with echo,
 * sends each piece back. */
struct order {
    uint64_t bytes;
    uint32_t size, echo;
};

static void send_all(struct libxenvchan *v, const void *data, size_t len)
{
    for (size_t done = 0; done < len; ) {
        int n = libxenvchan_write(v, (const char *)data + done, len - done);

        if (n < 0)
            bench_die("libxenvchan_write: %s", strerror(errno));
        done += (size_t)n;
    }
}

static void recv_all(struct libxenvchan *v, void *data, size_t len)
{
    for (size_t done = 0; done < len; ) {
        int n = libxenvchan_read(v, (char *)data + done, len - done);

        if (n < 0)
            bench_die("libxenvchan_read: %s", strerror(errno));
        done += (size_t)n;
    }
}

static int server(int domid, const char *path)
{
    struct libxenvchan *v = libxenvchan_server_init(NULL, domid, path, RING, RING);
    char *buf = malloc(1u << 20);
    struct order o;

    if (!v || !buf)
        bench_die("libxenvchan_server_init %s for domain %d: %s", path, domid, strerror(errno));
    v->blocking = 1;
    bench_pin(BENCH_FAR);
    puts("ready");
    fflush(stdout);
    for (;;) {
        recv_all(v, &o, sizeof o);
        if (!o.bytes)
            break;
        for (uint64_t left = o.bytes; left; ) {
            if (o.echo) {
                recv_all(v, buf, o.size);
                send_all(v, buf, o.size);
                left -= o.size;
            } else {
                int n = libxenvchan_read(v, buf, left < o.size ? left : o.size);

                if (n < 0)
                    bench_die("libxenvchan_read: %s", strerror(errno));
                left -= (uint64_t)n;
            }
        }
        if (!o.echo)
            send_all(v, "x", 1);
    }
    libxenvchan_close(v);
    return 0;
}

static void stream(struct libxenvchan *v, const char *measure, uint32_t size, uint64_t total)
{
    struct order o = { .bytes = total / size * size, .size = size < 65536 ? 65536 : size };
    struct bench_series s = { .count = 0 };
    char *buf = calloc(1, size), ack;

    for (int run = 0; run < bench_runs(); run++) {
        double begin = bench_now();

        send_all(v, &o, sizeof o);
        for (uint64_t left = o.bytes; left; left -= size)
            send_all(v, buf, size);
        recv_all(v, &ack, 1);
        bench_add(&s, (size == 64 ? (double)(o.bytes / size) : (double)o.bytes) / (bench_now() - begin) / 1e6);
    }
    bench_report(measure, "libxenvchan", &s, size == 64 ? "Mmsg/s" : "MB/s");
    free(buf);
}

static void rtt(struct libxenvchan *v, uint32_t trips)
{
    struct order o = { .bytes = trips, .size = 1, .echo = 1 };
    struct bench_series s = { .count = 0 };
    char c = 'x';

    for (int run = 0; run < bench_runs(); run++) {
        double begin;

        send_all(v, &o, sizeof o);
        begin = bench_now();
        for (uint32_t n = 0; n < trips; n++) {
            send_all(v, &c, 1);
            recv_all(v, &c, 1);
        }
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
    }
    bench_report("rtt_sleep", "libxenvchan", &s, "us");
}

static int client(const char *path)
{
    struct libxenvchan *v = libxenvchan_client_init(NULL, 0, path);
    struct order end = { .bytes = 0 };

    if (!v)
        bench_die("libxenvchan_client_init %s: %s", path, strerror(errno));
    v->blocking = 1;
    bench_pin(BENCH_NEAR);
    stream(v, "stream_4k", 4096, bench_amount(1u << 30));
    stream(v, "stream_64k", 65536, bench_amount(4u << 29));
    stream(v, "stream_512k", 524288, bench_amount(4u << 29));
    stream(v, "msgs_64b", 64, bench_amount(64u << 20));
    rtt(v, (uint32_t)bench_amount(50000));
    send_all(v, &end, sizeof end);
    libxenvchan_close(v);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "server") == 0)
        return server(atoi(argv[2]), argv[3]);
    if (argc == 3 && strcmp(argv[1], "client") == 0)
        return client(argv[2]);
    bench_die("usage: bench_vchan server DOMID PATH | client PATH");
}
