/* SPDX-License-Identifier: MIT */
/* bench_xvs.c: xvs, measured from inside a guest against the daemon's own services (xvsd.conf: services = yes), or
 * against a peer that runs "bench_xvs sink".
 *
 *     bench_xvs stream SIZE [copy|zerocopy] [CID PORT]     throughput to discard, or to a sink elsewhere
 *     bench_xvs rtt [SPIN]                  one byte to echo and back; SPIN microseconds of looking before sleeping, -1: as it comes
 *     bench_xvs connects                    connections opened and closed, many at a time
 *     bench_xvs streams COUNT               stream_64k, with COUNT streams open and 1 % of them active
 *     bench_xvs sink PORT                   serves streams: takes all, answers the end with one byte
 *     bench_xvs echo PORT                   the same, and sends back what it takes
 *     bench_xvs idle COUNT SECONDS          COUNT connections that do nothing; prints "ready", and the bytes held before and then
 *     bench_xvs guests FIRST COUNT SECONDS  in dom0 of a hosted Xen: plays that many guests, each with a device that is
 *                                           up and idle; prints "ready", and the bytes that each holds, shared pages included
 *     bench_xvs flood SECONDS               writes to discard without end, with all its might
 *     bench_xvs ping COUNT MEASURE [SPIN]   the 99th percentile of round trips
 *     bench_xvs beside                      the same, on the device on which a stream writes to discard without end; and what that has */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

struct plan {
    const char *measure;
    uint32_t size;
    bool in_place;
    uint64_t cid;
    uint32_t port;
};

/* Seconds from the first byte to the far end's word that it has all. */
static double stream_run(const struct plan *p, const char *buf, uint64_t total)
{
    struct xvs_stream *s = connected(p->cid, p->port);
    double begin = bench_now();

    (p->in_place ? send_in_place : send_copying)(s, buf, p->size, total);
    finish(s);
    drain_events();
    return bench_now() - begin;
}

static void stream(const struct plan *p)
{
    uint64_t total = bench_bytes(p->size == 64 ? 256u << 20 : UINT64_C(2) << 30, p->size);
    struct bench_series rate = { .count = 0 }, kicks = { .count = 0 };
    char *buf = malloc(p->size);

    memset(buf, 'x', p->size);
    stream_run(p, buf, bench_warm(total, p->size));
    for (int run = 0; run < bench_runs(); run++) {
        struct xvs_stats a = stats(), b;
        double seconds = stream_run(p, buf, total);

        b = stats();
        bench_add(&rate, (p->size == 64 ? (double)(total / p->size) : (double)total) / seconds / 1e6);
        bench_add(&kicks, (double)(b.notifications_sent + b.notifications_received - a.notifications_sent -
                                   a.notifications_received) / ((double)total / 1048576));
    }
    bench_report(p->measure, "xvs", &rate, p->size == 64 ? "Mmsg/s" : "MB/s");
    if (!strcmp(p->measure, "stream_64k"))
        bench_report("notifications_per_mib", "xvs", &kicks, "1/MiB");
    free(buf);
}

static void stream_verb(int argc, char **argv)
{
    struct plan p = { .size = (uint32_t)atoi(argv[2]), .cid = XVS_CID_HOST, .port = DISCARD };
    char measure[48];

    if (!p.size || p.size > 16u << 20)
        bench_die("stream: a size from 1 to 16777216");
    p.in_place = argc > 3 && strcmp(argv[3], "zerocopy") == 0;
    if (argc > 5) {
        p.cid = strtoull(argv[4], NULL, 10);
        p.port = (uint32_t)atoi(argv[5]);
    }
    if (p.size == 64)
        snprintf(measure, sizeof measure, "msgs_64b");
    else if (p.port != DISCARD)
        snprintf(measure, sizeof measure, "guest_to_%s", p.cid == XVS_CID_HOST ? "host" : "guest");
    else
        snprintf(measure, sizeof measure, "stream_%uk%s", p.size >> 10, p.in_place ? "_zerocopy" : "");
    p.measure = measure;
    device(-1, BENCH_NEAR);
    stream(&p);
    xvs_close(x);
}

/* ---- round trips ---- */

static void trip(struct xvs_stream *s)
{
    char c = 'x';

    if (xvs_send_all(s, &c, 1, -1) || xvs_recv_wait(s, &c, 1, -1) != 1)
        bench_die("echo: the stream ended");
}

static void rtt(int spin)
{
    uint32_t trips = (uint32_t)bench_amount(spin > 0 ? 200000 : 50000);
    struct bench_series s = { .count = 0 };
    struct xvs_stream *stream_;

    device(spin, BENCH_NEAR);
    stream_ = connected(XVS_CID_HOST, ECHO);
    for (uint32_t n = 0; n < 200; n++)
        trip(stream_);
    for (int run = 0; run < bench_runs(); run++) {
        double begin = bench_now();

        for (uint32_t n = 0; n < trips; n++)
            trip(stream_);
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
    }
    bench_report(spin < 0 ? "rtt_installed" : spin ? "rtt_spin" : "rtt_sleep", "xvs", &s, "us");
}

static void ping(int spin, uint32_t count, const char *measure)
{
    struct bench_series s = { .count = 0 };
    double *us = malloc(count * sizeof *us);
    struct xvs_stream *stream_;

    device(spin, BENCH_NEAR);
    stream_ = connected(XVS_CID_HOST, ECHO);
    for (int run = -1; run < bench_runs(); run++) {
        for (uint32_t n = 0; n < count; n++) {
            double begin = bench_now();

            trip(stream_);
            us[n] = (bench_now() - begin) * 1e6;
        }
        if (run >= 0)
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

/* Sends what there is room for, but a MiB at most: true if that is all. */
static bool push(struct xvs_stream *s, const char *buf, uint64_t *sent)
{
    for (int i = 0; i < 16; i++) {
        ssize_t n = xvs_send(s, buf, 65536, 0);

        if (n == -EAGAIN)
            return true;
        if (n < 0)
            bench_die("send: %s", strerror((int)-n));
        *sent += (uint64_t)n;
    }
    return false;
}

/* A turn of the flood, and of the device. */
static void turn_beside(struct xvs_stream *flood_, const char *buf, uint64_t *sent)
{
    xvs_wait(x, push(flood_, buf, sent) ? -1 : 0);
    drain_events();
}

/* Seconds until a byte is back, while the flood goes on. */
static double trip_beside(struct xvs_stream *ping_, struct xvs_stream *flood_, const char *buf, uint64_t *sent)
{
    double begin = bench_now();
    char c = 'x';
    ssize_t n;

    while ((n = xvs_send(ping_, &c, 1, 0)) == -EAGAIN)
        turn_beside(flood_, buf, sent);
    while (n == 1 && (n = xvs_recv(ping_, &c, 1, 0)) == -EAGAIN) {
        turn_beside(flood_, buf, sent);
        n = 1;
    }
    if (n != 1)
        bench_die("the echo ended");
    return bench_now() - begin;
}

static void beside(void)
{
    uint32_t count = (uint32_t)bench_amount(20000);
    struct bench_series late = { .count = 0 }, rate = { .count = 0 };
    double *us = malloc(count * sizeof *us);
    char *buf = calloc(1, 65536);
    struct xvs_stream *flood_, *ping_;

    device(-1, BENCH_NEAR);
    flood_ = connected(XVS_CID_HOST, DISCARD);
    ping_ = connected(XVS_CID_HOST, ECHO);
    for (int run = -1; run < bench_runs(); run++) {
        double begin = bench_now();
        uint64_t sent = 0;

        for (uint32_t n = 0; n < count; n++) {
            push(flood_, buf, &sent);
            us[n] = trip_beside(ping_, flood_, buf, &sent) * 1e6;
        }
        if (run < 0)
            continue;
        bench_add(&rate, (double)sent / (bench_now() - begin) / 1e6);
        bench_add(&late, bench_percentile(us, count, 99));
    }
    bench_report("own_flood_ping_p99", "xvs", &late, "us");
    bench_report("own_flood", "xvs", &rate, "MB/s");
    xvs_stream_reset(flood_);
    xvs_close(x);
    free(us);
    free(buf);
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

/* One of those that send. */
struct sender {
    struct xvs_stream *s;
    uint64_t left;
    bool ready;                 /* no -EAGAIN since it was last told that it can write */
};

static void note_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(x, &ev))
        if (ev.user && ev.what & XVS_EVENT_OUT)
            ((struct sender *)ev.user)->ready = true;
}

/* A packet of each that can write; true if one could. */
static bool send_round(struct sender *all, uint32_t count, const char *buf, uint32_t *busy)
{
    bool moved = false;

    for (struct sender *a = all; a < all + count; a++) {
        ssize_t n;

        if (!a->left || !a->ready)
            continue;
        n = xvs_send(a->s, buf, a->left < 65536 ? a->left : 65536, 0);
        if (n < 0 && n != -EAGAIN)
            bench_die("send: %s", strerror((int)-n));
        if (n < 0) {
            a->ready = false;
            continue;
        }
        moved = true;
        a->left -= (uint64_t)n;
        *busy -= !a->left;
    }
    return moved;
}

static double streams_run(struct sender *all, uint32_t count, uint64_t each)
{
    static const char buf[65536];
    uint32_t busy = count;
    double begin = bench_now();

    for (uint32_t i = 0; i < count; i++) {
        all[i].left = each;
        all[i].ready = true;
    }
    while (busy)
        if (!send_round(all, count, buf, &busy)) {
            xvs_wait(x, -1);
            note_events();
        }
    return bench_now() - begin;
}

static void streams(uint32_t count)
{
    uint32_t active = count / 100 ? count / 100 : 1;
    uint64_t each = bench_bytes((UINT64_C(2) << 30) / active, 65536);
    struct bench_series rate = { .count = 0 };
    struct sender *all = calloc(active, sizeof *all);
    char measure[32];

    device(-1, BENCH_NEAR);
    for (uint32_t i = 0; i < count; i++) {
        struct xvs_stream *s = connected(XVS_CID_HOST, DISCARD);

        if (i % 100 == 0 && i / 100 < active) {
            all[i / 100].s = s;
            xvs_stream_set_user(s, &all[i / 100]);
        }
    }
    drain_events();
    streams_run(all, active, bench_warm(each, 65536));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&rate, (double)(each * active) / streams_run(all, active, each) / 1e6);
    if (count == 10000)
        snprintf(measure, sizeof measure, "streams_10k");
    else
        snprintf(measure, sizeof measure, "streams_%u", count);
    bench_report(measure, "xvs", &rate, "MB/s");
    xvs_close(x);
    free(all);
}

static void idle(uint32_t count, unsigned seconds)
{
    uint64_t before;

    device(-1, BENCH_NEAR);
    before = stats().memory;
    for (uint32_t i = 0; i < count; i++)
        connected(XVS_CID_HOST, DISCARD);
    printf("ready %llu %llu\n", (unsigned long long)before, (unsigned long long)stats().memory);
    fflush(stdout);
    for (double end = bench_now() + seconds; bench_now() < end; drain_events())
        xvs_wait(x, 1000);
}

/* ---- many guests ---- */

/* What the libraries of a hosted Xen, and ours, read at each open. */
static void become(uint32_t domid)
{
    const char *dir = getenv("XENSIM_DIR");
    char text[4200];

    if (!dir)
        bench_die("guests: run me in a hosted Xen");
    snprintf(text, sizeof text, "%u", domid);
    setenv("XENSIM_DOMID", text, 1);
    snprintf(text, sizeof text, "%s/run/dom%u", dir, domid);
    setenv("XVS_RUN_DIR", text, 1);
    unsetenv("XENSTORED_RUNDIR");
    snprintf(text, sizeof text, "%s/dom%u.sock", dir, domid);
    setenv("XENSTORED_PATH", text, 1);
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void guests(uint32_t first, uint32_t count, unsigned seconds)
{
    struct xvs **all = calloc(count, sizeof *all);
    struct pollfd *fds = calloc(count, sizeof *fds);
    struct xvs_options o;
    uint64_t memory = 0;

    raise_limit();
    bench_pin(BENCH_FAR);
    xvs_options_init(&o);
    for (uint32_t i = 0; i < count; i++) {
        become(first + i);
        if (xvs_open(&o, &all[i]))
            bench_die("guest %u: %s", first + i, xvs_open_error());
        fds[i] = (struct pollfd){ .fd = xvs_fd(all[i]), .events = POLLIN };
    }
    for (uint32_t i = 0; i < count; i++) {
        int err = xvs_wait_up(all[i], 60000);

        if (err)
            bench_die("guest %u does not come up: %s: %s", first + i, strerror(-err), xvs_reason(all[i]));
        x = all[i];
        memory += stats().memory;
    }
    printf("ready %llu\n", (unsigned long long)memory / count);
    fflush(stdout);
    for (double end = bench_now() + seconds; bench_now() < end; ) {
        poll(fds, count, 1000);
        for (uint32_t i = 0; i < count; i++)
            if (fds[i].revents)
                xvs_process(all[i]);
    }
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

static void give_back(struct xvs_stream *s)
{
    char bytes[4096];
    ssize_t n;

    while ((n = xvs_recv(s, bytes, sizeof bytes, 0)) > 0)
        xvs_send(s, bytes, (size_t)n, 0);
    if (n != -EAGAIN)
        xvs_stream_close(s);
}

static void serve(uint32_t port, void (*handle)(struct xvs_stream *s))
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
                handle(ev.stream);
        }
    }
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";

    if (!strcmp(verb, "stream") && argc >= 3)
        stream_verb(argc, argv);
    else if (!strcmp(verb, "rtt"))
        rtt(argc > 2 ? atoi(argv[2]) : 0);
    else if (!strcmp(verb, "ping") && argc == 4)
        ping(-1, (uint32_t)atoi(argv[2]), argv[3]);
    else if (!strcmp(verb, "ping") && argc == 5)
        ping(atoi(argv[4]), (uint32_t)atoi(argv[2]), argv[3]);
    else if (!strcmp(verb, "flood") && argc == 3)
        flood(atof(argv[2]));
    else if (!strcmp(verb, "beside"))
        beside();
    else if (!strcmp(verb, "connects"))
        connects();
    else if (!strcmp(verb, "streams") && argc == 3)
        streams((uint32_t)atoi(argv[2]));
    else if (!strcmp(verb, "idle") && argc == 4)
        idle((uint32_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
    else if (!strcmp(verb, "sink") && argc == 3)
        serve((uint32_t)atoi(argv[2]), take);
    else if (!strcmp(verb, "echo") && argc == 3)
        serve((uint32_t)atoi(argv[2]), give_back);
    else if (!strcmp(verb, "guests") && argc == 5)
        guests((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), (unsigned)atoi(argv[4]));
    else
        bench_die("usage: bench_xvs stream SIZE [copy|zerocopy] [CID PORT] | rtt [SPIN] | connects | streams COUNT | sink PORT | "
                  "echo PORT | idle COUNT SECONDS | guests FIRST COUNT SECONDS | "
                  "flood SECONDS | ping COUNT MEASURE [SPIN] | beside");
    return 0;
}
