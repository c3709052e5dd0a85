/* SPDX-License-Identifier: MIT */
/* bench_vchan.c: libxenvchan between a guest (the client, near, which sends) and dom0 (the server, far).
 *
 *     bench_vchan server DOMID PATH        in dom0; serves one client, then ends
 *     bench_vchan client PATH              in the guest: measures and reports
 *
 * Rings of 1 MiB each way, the largest that libxenvchan does. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenctrl.h>
#include <libxenvchan.h>
#include <xenevtchn.h>

#include "bench.h"

#define RING (1u << 20)

/* ---- notifications: libxenvchan calls these before Xen's own ---- */

#define EXPORT __attribute__((visibility("default")))

static uint64_t kicks;

EXPORT int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
    static int (*real)(xenevtchn_handle *h, evtchn_port_t port);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "xenevtchn_notify");
    kicks++;
    return real(h, port);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    static xenevtchn_port_or_error_t (*real)(xenevtchn_handle *h);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "xenevtchn_pending");
    kicks++;
    return real(h);
}

/* ---- the two ends ---- */

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

static double stream_run(struct libxenvchan *v, const char *buf, uint32_t size, uint64_t total)
{
    struct order o = { .bytes = total, .size = size < 65536 ? 65536 : size };
    double begin = bench_now();
    char ack;

    send_all(v, &o, sizeof o);
    for (uint64_t left = total; left; left -= size)
        send_all(v, buf, size);
    recv_all(v, &ack, 1);
    return bench_now() - begin;
}

static void stream(struct libxenvchan *v, const char *measure, uint32_t size, uint64_t full)
{
    struct bench_series s = { .count = 0 }, notifications = { .count = 0 };
    uint64_t total = bench_bytes(full, size);
    char *buf = calloc(1, size);

    if (!bench_wants(measure, "libxenvchan"))
        return;
    stream_run(v, buf, size, bench_warm(total, size));
    for (int run = 0; run < bench_runs(); run++) {
        uint64_t before = kicks;
        double seconds = stream_run(v, buf, size, total);

        bench_add(&s, (size == 64 ? (double)(total / size) : (double)total) / seconds / 1e6);
        bench_add(&notifications, (double)(kicks - before) / ((double)total / 1048576));
    }
    bench_report(measure, "libxenvchan", &s, size == 64 ? "Mmsg/s" : "MB/s");
    if (size == 65536)
        bench_report("notifications_per_mib", "libxenvchan", &notifications, "1/MiB");
    free(buf);
}

static void rtt(struct libxenvchan *v, uint32_t trips)
{
    struct order o = { .bytes = trips, .size = 1, .echo = 1 };
    struct bench_series s = { .count = 0 };
    char c = 'x';

    if (!bench_wants("rtt_sleep", "libxenvchan"))
        return;
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
    stream(v, "stream_4k", 4096, 1u << 30);
    stream(v, "stream_64k", 65536, UINT64_C(2) << 30);
    stream(v, "stream_512k", 524288, UINT64_C(2) << 30);
    stream(v, "msgs_64b", 64, 64u << 20);
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
