/* SPDX-License-Identifier: MIT */
/* bench_xvs.c: xvs, measured from inside a guest against the daemon's own services (xvsd.conf: services = yes), or
 * against a peer that runs "bench_xvs sink".
 *
 *     bench_xvs stream SIZE [copy|zerocopy] [CID PORT]     throughput to discard, or to a sink elsewhere
 *     bench_xvs rtt [SPIN]                  one byte to echo and back; SPIN microseconds of looking before sleeping
 *     bench_xvs connects                    connections opened and closed, many at a time
 *     bench_xvs streams COUNT               stream_64k, with COUNT streams open and 1 % of them active
 *     bench_xvs sink PORT                   serves streams: takes all, answers the end with one byte
 *     bench_xvs hostsock PATH PORT          in dom0: through the UNIX socket to a sink in the guest
 *     bench_xvs idle COUNT SECONDS          COUNT connections that do nothing; prints "ready"
 *     bench_xvs flood SECONDS               writes to discard without end, with all its might
 *     bench_xvs ping COUNT MEASURE          the 99th percentile of round trips */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"
#include "xvs.h"

#define ECHO 7
#define DISCARD 9

static struct xvs *x;

static void device(int spin, int end)
{
    struct xvs_options o;
    int err;

    xvs_options_init(&o);
    o.max_streams = 70000;
    if (spin >= 0)
        o.spin = (uint32_t)spin;
    bench_pin(end);
    if (xvs_open(&o, &x))
        bench_die("%s", xvs_open_error());
    if ((err = xvs_wait_up(x, 10000)))
        bench_die("the device does not come up: %s: %s", strerror(-err), xvs_reason(x));
}

static struct xvs_stream *connected(uint64_t cid, uint32_t port)
{
    struct xvs_stream *s;
    int err = xvs_connect_wait(x, cid, port, 5000, &s);

    if (err)
        bench_die("connect to %llu:%u: %s", (unsigned long long)cid, port, strerror(-err));
    return s;
}

static struct xvs_stats stats(void)
{
    struct xvs_stats now = { .size = sizeof now };

    xvs_get_stats(x, &now);
    return now;
}

/* ---- streams ---- */

static void drain_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(x, &ev))
        ;
}

static void wait_to_write(ssize_t n)
{
    if (n != -EAGAIN)
        bench_die("send: %s", strerror((int)-n));
    xvs_wait(x, -1);
    drain_events();
}

static void send_copying(struct xvs_stream *s, const char *buf, uint32_t size, uint64_t left)
{
    unsigned flags = size <= 64 ? XVS_MORE : 0;

    for (; left >= size; left -= size)
        for (size_t done = 0; done < size; ) {
            ssize_t n = xvs_send(s, buf + done, size - done, flags);

            if (n < 0)
                wait_to_write(n);
            done += n > 0 ? (size_t)n : 0;
        }
    xvs_flush(x);
}

/* The bytes are made in the ring's own memory: one copy from where they lie stands for their making. */
static void send_in_place(struct xvs_stream *s, const char *buf, uint32_t size, uint64_t left)
{
    while (left) {
        size_t want = left < size ? left : size;
        void *piece;
        ssize_t n = xvs_reserve(s, want, &piece);

        if (n < 0) {
            wait_to_write(n);
            continue;
        }
        memcpy(piece, buf, (size_t)n);
        xvs_commit(s, (size_t)n, 0);
        left -= (size_t)n;
    }
}

static void finish(struct xvs_stream *s)
{
    char ack;

    xvs_shutdown(s, SHUT_WR);
    if (xvs_recv_wait(s, &ack, 1, -1) < 0)
        bench_die("the far end did not finish");
    xvs_stream_close(s);
}

static void stream(uint32_t size, bool in_place, uint64_t cid, uint32_t port, const char *measure, const char *platform_kicks)
{
    uint64_t total = bench_amount(size == 64 ? 256u << 20 : UINT64_C(2) << 30) / size * size;
    struct bench_series rate = { .count = 0 }, kicks = { .count = 0 };
    char *buf = malloc(size);

    memset(buf, 'x', size);
    for (int run = 0; run < bench_runs(); run++) {
        struct xvs_stream *s = connected(cid, port);
        struct xvs_stats a = stats(), b;
        double begin = bench_now();

        (in_place ? send_in_place : send_copying)(s, buf, size, total);
        finish(s);
        bench_add(&rate, (size == 64 ? (double)(total / size) : (double)total) / (bench_now() - begin) / 1e6);
        b = stats();
        bench_add(&kicks, (double)(b.notifications_sent + b.notifications_received - a.notifications_sent -
                                   a.notifications_received) / ((double)total / 1048576));
        drain_events();
    }
    bench_report(measure, "xvs", &rate, size == 64 ? "Mmsg/s" : "MB/s");
    if (platform_kicks)
        bench_report(platform_kicks, "xvs", &kicks, "1/MiB");
    free(buf);
}

static void stream_verb(int argc, char **argv)
{
    uint32_t size = (uint32_t)atoi(argv[2]);
    bool in_place = argc > 3 && strcmp(argv[3], "zerocopy") == 0, elsewhere = argc > 5;
    char measure[48];

    device(-1, BENCH_NEAR);
    if (size == 64)
        snprintf(measure, sizeof measure, "msgs_64b");
    else
        snprintf(measure, sizeof measure, "%s_%uk%s", elsewhere ? "guest_to_guest" : "stream", size >> 10,
                 in_place ? "_zerocopy" : "");
    stream(size, in_place, elsewhere ? strtoull(argv[4], NULL, 10) : XVS_CID_HOST,
           elsewhere ? (uint32_t)atoi(argv[5]) : DISCARD, elsewhere && size == 65536 ? "guest_to_guest" : measure,
           size == 65536 && !in_place && !elsewhere ? "notifications_per_mib" : NULL);
}

/* ---- round trips ---- */

static double trip(struct xvs_stream *s)
{
    double begin = bench_now();
    char c = 'x';

    if (xvs_send_all(s, &c, 1, -1) || xvs_recv_wait(s, &c, 1, -1) != 1)
        bench_die("echo: the stream ended");
    return bench_now() - begin;
}

static void rtt(int spin)
{
    uint32_t trips = (uint32_t)bench_amount(spin ? 200000 : 50000);
    struct bench_series s = { .count = 0 };
    struct xvs_stream *stream_;

    device(spin, BENCH_NEAR);
    stream_ = connected(XVS_CID_HOST, ECHO);
    for (int run = 0; run < bench_runs(); run++) {
        double begin = bench_now();

        for (uint32_t n = 0; n < trips; n++)
            trip(stream_);
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
    }
    bench_report(spin ? "rtt_spin" : "rtt_sleep", "xvs", &s, "us");
}

static void ping(uint32_t count, const char *measure)
{
    struct bench_series s = { .count = 0 };
    double *us = malloc(count * sizeof *us);
    struct xvs_stream *stream_;

    device(-1, BENCH_NEAR);
    stream_ = connected(XVS_CID_HOST, ECHO);
    for (int run = 0; run < bench_runs(); run++) {
        for (uint32_t n = 0; n < count; n++)
            us[n] = trip(stream_) * 1e6;
        bench_add(&s, bench_percentile(us, count, 99));
    }
    bench_report(measure, "xvs", &s, "us");
    free(us);
}

static void flood(double seconds)
{
    char *buf = calloc(1, 65536);
    struct xvs_stream *s;
    double end;

    device(-1, BENCH_FAR);
    s = connected(XVS_CID_HOST, DISCARD);
    puts("ready");
    fflush(stdout);
    for (end = bench_now() + seconds; bench_now() < end; )
        send_copying(s, buf, 65536, 64u << 20);
    xvs_stream_reset(s);
    xvs_close(x);
}

/* ---- connections ---- */

#define WINDOW 128              /* connections under way at a time */

static void connects(void)
{
    uint64_t count = bench_amount(200000);
    struct bench_series rate = { .count = 0 };

    device(-1, BENCH_NEAR);
    for (int run = 0; run < bench_runs(); run++) {
        uint64_t begun = 0, open = 0, ended = 0;
        double begin = bench_now();

        while (ended < count) {
            struct xvs_event ev;

            for (; open < WINDOW && begun < count; begun++, open++) {
                struct xvs_stream *s;
                int err = xvs_connect(x, XVS_CID_HOST, DISCARD, &s);

                if (err == -EADDRNOTAVAIL || err == -ENOBUFS)
                    break;
                if (err)
                    bench_die("connect: %s", strerror(-err));
            }
            xvs_wait(x, -1);
            while (xvs_next_event(x, &ev)) {
                if (ev.what & XVS_EVENT_HUP && xvs_stream_error(ev.stream))
                    bench_die("connection ended: %s", strerror(-xvs_stream_error(ev.stream)));
                if (ev.what & XVS_EVENT_OPEN) {
                    xvs_stream_close(ev.stream);
                    open--;
                    ended++;
                }
            }
        }
        bench_add(&rate, (double)count / (bench_now() - begin));
    }
    bench_report("connects_per_s", "xvs", &rate, "1/s");
}

static void streams(uint32_t count)
{
    uint32_t active = count / 100 ? count / 100 : 1;
    uint64_t total = bench_amount(UINT64_C(2) << 30), each = total / active / 65536 * 65536;
    struct xvs_stream **s = calloc(count, sizeof *s);
    struct bench_series rate = { .count = 0 };
    char *buf = calloc(1, 65536), measure[32];

    device(-1, BENCH_NEAR);
    for (uint32_t i = 0; i < count; i++)
        s[i] = connected(XVS_CID_HOST, DISCARD);
    drain_events();
    for (int run = 0; run < bench_runs(); run++) {
        uint64_t *left = calloc(active, sizeof *left);
        uint32_t busy = active;
        double begin = bench_now();

        for (uint32_t i = 0; i < active; i++)
            left[i] = each;
        while (busy) {
            bool moved = false;

            for (uint32_t i = 0; i < active; i++) {
                ssize_t n;

                if (!left[i])
                    continue;
                n = xvs_send(s[i * 100], buf, left[i] < 65536 ? left[i] : 65536, 0);
                if (n < 0 && n != -EAGAIN)
                    bench_die("send: %s", strerror((int)-n));
                if (n > 0) {
                    moved = true;
                    left[i] -= (uint64_t)n;
                    busy -= !left[i];
                }
            }
            if (!moved) {
                xvs_wait(x, -1);
                drain_events();
            }
        }
        bench_add(&rate, (double)(each * active) / (bench_now() - begin) / 1e6);
        free(left);
    }
    snprintf(measure, sizeof measure, count == 10000 ? "streams_10k" : "streams_%u", count);
    bench_report(measure, "xvs", &rate, "MB/s");
    xvs_close(x);
}

static void idle(uint32_t count, unsigned seconds)
{
    device(-1, BENCH_NEAR);
    for (uint32_t i = 0; i < count; i++)
        connected(XVS_CID_HOST, DISCARD);
    printf("ready %llu\n", (unsigned long long)stats().memory);
    fflush(stdout);
    for (double end = bench_now() + seconds; bench_now() < end; drain_events())
        xvs_wait(x, 1000);
}

/* ---- sinks ---- */

static void take(struct xvs_stream *s)
{
    struct iovec iov[32];
    static char copy[1u << 20];
    int n;

    /* As an application would: the bytes are copied out. */
    while ((n = xvs_peek(s, iov, 32)) > 0)
        for (int i = 0; i < n; i++) {
            size_t len = iov[i].iov_len < sizeof copy ? iov[i].iov_len : sizeof copy;

            memcpy(copy, iov[i].iov_base, len);
            xvs_done(s, len);
            if (len < iov[i].iov_len)
                break;
        }
    if (n == -EAGAIN)
        return;
    if (n == 0)
        xvs_send(s, "x", 1, 0);
    xvs_stream_close(s);
}

static void sink(uint32_t port)
{
    struct xvs_listener *l;
    int err;

    device(-1, BENCH_FAR);
    if ((err = xvs_listen(x, port, 16, &l)))
        bench_die("listen on %u: %s", port, strerror(-err));
    puts("ready");
    fflush(stdout);
    while (xvs_wait(x, -1) >= 0) {
        struct xvs_event ev;

        while (xvs_next_event(x, &ev)) {
            struct xvs_stream *s;

            if (ev.what & XVS_EVENT_ACCEPT)
                while (xvs_accept(l, &s) == 0)
                    ;
            if (ev.stream)
                take(ev.stream);
        }
    }
}

static void hostsock(const char *path, uint32_t port)
{
    uint64_t total = bench_amount(UINT64_C(1) << 30);
    struct bench_series rate = { .count = 0 };
    char *buf = calloc(1, 65536);

    bench_pin(BENCH_NEAR);
    for (int run = 0; run < bench_runs(); run++) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char line[32];
        double begin;
        int n;

        snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
        if (connect(fd, (struct sockaddr *)&to, sizeof to))
            bench_die("%s: %s", path, strerror(errno));
        n = snprintf(line, sizeof line, "CONNECT %u\n", port);
        bench_write(fd, line, (size_t)n);
        do
            bench_read(fd, line, 1);
        while (line[0] != '\n');
        begin = bench_now();
        for (uint64_t left = total; left; left -= 65536)
            bench_write(fd, buf, 65536);
        shutdown(fd, SHUT_WR);
        bench_read(fd, line, 1);
        bench_add(&rate, (double)total / (bench_now() - begin) / 1e6);
        close(fd);
    }
    bench_report("hostsock_to_guest", "xvs", &rate, "MB/s");
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";

    if (!strcmp(verb, "stream") && argc >= 3)
        stream_verb(argc, argv);
    else if (!strcmp(verb, "rtt"))
        rtt(argc > 2 ? atoi(argv[2]) : 0);
    else if (!strcmp(verb, "ping") && argc == 4)
        ping((uint32_t)atoi(argv[2]), argv[3]);
    else if (!strcmp(verb, "flood") && argc == 3)
        flood(atof(argv[2]));
    else if (!strcmp(verb, "connects"))
        connects();
    else if (!strcmp(verb, "streams") && argc == 3)
        streams((uint32_t)atoi(argv[2]));
    else if (!strcmp(verb, "idle") && argc == 4)
        idle((uint32_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
    else if (!strcmp(verb, "sink") && argc == 3)
        sink((uint32_t)atoi(argv[2]));
    else if (!strcmp(verb, "hostsock") && argc == 4)
        hostsock(argv[2], (uint32_t)atoi(argv[3]));
    else
        bench_die("usage: bench_xvs stream SIZE [copy|zerocopy] [CID PORT] | rtt [SPIN] | connects | streams COUNT | sink PORT | "
                  "hostsock PATH PORT | idle COUNT SECONDS | flood SECONDS | ping COUNT MEASURE");
    return 0;
}
