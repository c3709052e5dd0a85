/* SPDX-License-Identifier: MIT */
/* bench_base.c: what the machine itself can do, to compare with: an AF_UNIX socketpair, one memcpy through shared
 * memory, a cache line that goes back and forth, a raw event channel, and system calls.
 *
 *     bench_base [DOMID]      DOMID is the domain that it runs in, of a hosted Xen: for the event channel to dom0, whose
 *                             end the same program plays */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "bench.h"
#include "shm.h"

/* ---- socketpair ---- */

static double socket_run(char *buf, size_t size, uint64_t total)
{
    double begin, took;
    int sv[2];
    char ack;
    pid_t far;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
        bench_die("socketpair: %s", strerror(errno));
    if (!(far = bench_fork())) {
        ssize_t n;

        close(sv[0]);
        while ((n = read(sv[1], buf, size)) > 0)
            ;
        bench_write(sv[1], "x", 1);
        _exit(0);
    }
    close(sv[1]);
    begin = bench_now();
    for (uint64_t left = total; left; left -= size)
        bench_write(sv[0], buf, size);
    shutdown(sv[0], SHUT_WR);
    bench_read(sv[0], &ack, 1);
    took = bench_now() - begin;
    close(sv[0]);
    bench_join(far);
    return took;
}

/* Messages a second for 64 bytes, else bytes a second; both in millions. */
static double rate(size_t size, uint64_t total, double seconds)
{
    return (size == 64 ? (double)(total / size) : (double)total) / seconds / 1e6;
}

static void socket_stream(const char *measure, size_t size, uint64_t full)
{
    uint64_t total = bench_bytes(full, size);
    struct bench_series s = { .count = 0 };
    char *buf = calloc(1, size);

    if (!bench_wants(measure, "socketpair"))
        return;
    socket_run(buf, size, bench_warm(total, size));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&s, rate(size, total, socket_run(buf, size, total)));
    bench_report(measure, "socketpair", &s, size == 64 ? "Mmsg/s" : "MB/s");
    free(buf);
}

/* ---- system calls ---- */

/* One write() and one read() of a pipe, in one process: the least that a socket's two calls can cost, without a sleep and without
 * anybody at the other end. */
static double pipe_run(int *ends, char *buf, size_t size, uint64_t count)
{
    double begin = bench_now();

    for (uint64_t n = 0; n < count; n++) {
        bench_write(ends[1], buf, size);
        bench_read(ends[0], buf, size);
    }
    return bench_now() - begin;
}

/* Of one byte microseconds a pair, else a stream's figures. */
static void pipe_calls(const char *measure, size_t size, uint64_t full)
{
    uint64_t count = size == 1 ? bench_amount(full) : bench_bytes(full, size) / size;
    struct bench_series s = { .count = 0 };
    char *buf = calloc(1, size);
    int ends[2];

    if (!bench_wants(measure, "pipe"))
        return;
    if (!buf || pipe(ends))
        bench_die("pipe: %s", strerror(errno));
    for (int run = 0; run < bench_runs(); run++) {
        double took = pipe_run(ends, buf, size, count);

        bench_add(&s, size == 1 ? took / (double)count * 1e6 : rate(size, count * size, took));
    }
    bench_report(measure, "pipe", &s, size == 1 ? "us" : size == 64 ? "Mmsg/s" : "MB/s");
    close(ends[0]);
    close(ends[1]);
    free(buf);
}

/* ---- one memcpy through shared memory ---- */

#define REGION (512u << 10)     /* about as much as a stream of ours has in flight at most */

struct shared {
    uint32_t wrote, pad[15], read, pad2[15];
    uint8_t data[];
};

/* Both ends have one processor. */
static bool shares_a_processor(void)
{
    const char *text = getenv("BENCH_CPUS");
    int near, far;

    if (text && sscanf(text, "%d,%d", &near, &far) == 2)
        return near == far;
    return sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

/* The other end may need this processor, and does if there is no other. */
static void rest(uint32_t *tries)
{
    static int alone = -1;

    if (alone < 0)
        alone = shares_a_processor();
    if (!alone && ++*tries % 256)
        shm_relax();
    else
        sched_yield();
}

static double memcpy_run(struct shared *m, const char *buf, size_t size, uint64_t total)
{
    uint32_t pieces = (uint32_t)(REGION / size), count = (uint32_t)(total / size), tries = 0;
    double begin, took;
    pid_t far;

    m->wrote = m->read = 0;
    if (!(far = bench_fork())) {
        for (uint32_t n = 0; n < count; ) {
            uint32_t to = shm_load_acquire(&m->wrote);

            if (to == n)
                rest(&tries);
            n = to;
            shm_store_seqcst(&m->read, n);
        }
        _exit(0);
    }
    begin = bench_now();
    for (uint32_t n = 0; n < count; n++) {
        while (n - shm_load_acquire(&m->read) >= pieces)
            rest(&tries);
        memcpy(m->data + n % pieces * size, buf, size);
        shm_store_seqcst(&m->wrote, n + 1);
    }
    while (shm_load_acquire(&m->read) != count)
        rest(&tries);
    took = bench_now() - begin;
    bench_join(far);
    return took;
}

/* A writer copies pieces into a shared ring of REGION bytes, a reader counts them: the least that any copying transport through
 * shared memory has to do. */
static void memcpy_stream(const char *measure, size_t size, uint64_t full)
{
    uint64_t total = bench_bytes(full, size);
    struct bench_series s = { .count = 0 };
    char *buf = malloc(size);
    struct shared *m;

    if (!bench_wants(measure, "memcpy"))
        return;
    m = mmap(NULL, sizeof *m + REGION, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED || !buf)
        bench_die("out of memory");
    memset(buf, 1, size);
    memcpy_run(m, buf, size, bench_warm(total, size));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&s, rate(size, total, memcpy_run(m, buf, size, total)));
    bench_report(measure, "memcpy", &s, "MB/s");
    munmap(m, sizeof *m + REGION);
    free(buf);
}

/* ---- a cache line ---- */

static void cacheline(uint32_t trips)
{
    struct bench_series s = { .count = 0 };
    uint32_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (!bench_wants("rtt_spin", "cacheline"))
        return;
    for (int run = 0; run < bench_runs(); run++) {
        double begin;
        pid_t far;

        m[0] = m[16] = 0;
        if (!(far = bench_fork())) {
            for (uint32_t n = 1; n <= trips; n++) {
                while (shm_load_acquire(&m[0]) != n)
                    shm_relax();
                __atomic_store_n(&m[16], n, __ATOMIC_RELEASE);
            }
            _exit(0);
        }
        begin = bench_now();
        for (uint32_t n = 1; n <= trips; n++) {
            __atomic_store_n(&m[0], n, __ATOMIC_RELEASE);
            while (shm_load_acquire(&m[16]) != n)
                shm_relax();
        }
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
        bench_join(far);
    }
    bench_report("rtt_spin", "cacheline", &s, "us");
    munmap(m, 4096);
}

/* ---- an event channel ---- */

static void take(xenevtchn_handle *h)
{
    int port = xenevtchn_pending(h);

    if (port < 0)
        bench_die("event channel: %s", strerror(errno));
    xenevtchn_unmask(h, (evtchn_port_t)port);
}

/* The far end is dom0 and this is a guest, or the other way round: given by the roles in run.py. */
static void evtchn(uint32_t trips, int near_domid)
{
    struct bench_series s = { .count = 0 };
    int to_far[2], from_far[2];

    if (!bench_wants("rtt_sleep", "evtchn"))
        return;
    if (pipe(to_far) || pipe(from_far))
        bench_die("pipe: %s", strerror(errno));
    for (int run = 0; run < bench_runs(); run++) {
        xenevtchn_handle *h;
        double begin;
        pid_t far;
        int port;

        if (!(far = bench_fork())) {
            setenv("XENSIM_DOMID", "0", 1);
            if (!(h = xenevtchn_open(NULL, 0)))
                bench_die("event channel device: %s", strerror(errno));
            bench_read(to_far[0], &port, sizeof port);
            if ((port = xenevtchn_bind_interdomain(h, (uint32_t)near_domid, (evtchn_port_t)port)) < 0)
                bench_die("bind: %s", strerror(errno));
            take(h);            /* binding leaves it pending once */
            bench_write(from_far[1], "x", 1);
            for (uint32_t n = 0; n < trips; n++) {
                take(h);
                xenevtchn_notify(h, (evtchn_port_t)port);
            }
            _exit(0);
        }
        if (!(h = xenevtchn_open(NULL, 0)) || (port = xenevtchn_bind_unbound_port(h, 0)) < 0)
            bench_die("event channel: %s", strerror(errno));
        bench_write(to_far[1], &port, sizeof port);
        bench_read(from_far[0], &(char){ 0 }, 1);
        begin = bench_now();
        for (uint32_t n = 0; n < trips; n++) {
            xenevtchn_notify(h, (evtchn_port_t)port);
            take(h);
        }
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
        bench_join(far);
        xenevtchn_close(h);
    }
    bench_report("rtt_sleep", "evtchn", &s, "us");
}

static void socket_rtt(uint32_t trips)
{
    struct bench_series s = { .count = 0 };

    if (!bench_wants("rtt_sleep", "socketpair"))
        return;
    for (int run = 0; run < bench_runs(); run++) {
        double begin;
        int sv[2];
        char c = 'x';
        pid_t far;

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
            bench_die("socketpair: %s", strerror(errno));
        if (!(far = bench_fork())) {
            for (uint32_t n = 0; n < trips; n++) {
                bench_read(sv[1], &c, 1);
                bench_write(sv[1], &c, 1);
            }
            _exit(0);
        }
        begin = bench_now();
        for (uint32_t n = 0; n < trips; n++) {
            bench_write(sv[0], &c, 1);
            bench_read(sv[0], &c, 1);
        }
        bench_add(&s, (bench_now() - begin) / trips * 1e6);
        close(sv[0]);
        close(sv[1]);
        bench_join(far);
    }
    bench_report("rtt_sleep", "socketpair", &s, "us");
}

int main(int argc, char **argv)
{
    bench_pin(BENCH_NEAR);
    socket_stream("stream_4k", 4096, 1u << 30);
    socket_stream("stream_64k", 65536, UINT64_C(2) << 30);
    socket_stream("stream_512k", 524288, UINT64_C(2) << 30);
    socket_stream("msgs_64b", 64, 64u << 20);
    memcpy_stream("stream_4k", 4096, UINT64_C(2) << 30);
    memcpy_stream("stream_64k", 65536, UINT64_C(4) << 30);
    memcpy_stream("stream_512k", 524288, UINT64_C(4) << 30);
    pipe_calls("driver_stream_64k", 65536, UINT64_C(2) << 30);
    pipe_calls("driver_stream_4k", 4096, 1u << 30);
    pipe_calls("driver_msgs_64b", 64, 64u << 20);
    pipe_calls("driver_rtt", 1, 50000);
    socket_rtt((uint32_t)bench_amount(50000));
    if (!shares_a_processor())  /* there it would measure the scheduler's tick */
        cacheline((uint32_t)bench_amount(1000000));
    if (argc > 1)
        evtchn((uint32_t)bench_amount(50000), atoi(argv[1]));
    return 0;
}
