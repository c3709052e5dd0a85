/* SPDX-License-Identifier: MIT */
/* bench_host.c: a program of sockets: in dom0 beside one in a guest, "bench_xvs sink PORT" or "bench_xvs echo PORT"; or in a guest
 * whose kernel has the device, beside the daemon's services, or another such program.
 *
 *     bench_host stream WHERE PORT SIZE MEASURE SUBJECT    throughput to the sink there, in pieces of SIZE
 *     bench_host trip WHERE PORT MEASURE SUBJECT           one byte to the echo there and back
 *     bench_host connects WHERE PORT MEASURE SUBJECT       connections to it opened and closed, many at a time
 *     bench_host sink WHERE PORT                           such a sink: of a path, for what guests send to that port of the host
 *     bench_host echo WHERE PORT                           such an echo
 *
 * WHERE is the path of the guest's UNIX socket, or vsock:CID, or vsock:CID:BYTES with a buffer of that size (SO_VM_SOCKETS_BUFFER_SIZE), or
 * tcp:ADDRESS, four numbers.  Who serves does so at every address. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

union address {
    struct sockaddr any;
    struct sockaddr_vm vm;
    struct sockaddr_in in;
};

static bool is_tcp(const char *where)
{
    return strncmp(where, "tcp:", 4) == 0;
}

static bool is_numbered(const char *where)
{
    return is_tcp(where) || strncmp(where, "vsock:", 6) == 0;
}

/* A socket for what has an address of numbers, and that; its length. */
static int numbered(const char *where, uint32_t port, union address *to, socklen_t *len)
{
    unsigned long long buffer = 0;
    int fd, yes = 1;
    char *end;

    memset(to, 0, sizeof *to);
    if (is_tcp(where)) {
        *len = sizeof to->in;
        to->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        if (inet_pton(AF_INET, where + 4, &to->in.sin_addr) != 1)
            bench_die("%s: no address", where);
    } else {
        *len = sizeof to->vm;
        to->vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = (uint32_t)strtoul(where + 6, &end, 10), .svm_port = port };
        buffer = *end ? strtoull(end + 1, NULL, 10) : 0;
    }
    if ((fd = socket(to->any.sa_family, SOCK_STREAM, 0)) < 0)
        bench_die("%s: %s", where, strerror(errno));
    if (is_tcp(where))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (buffer && (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &buffer, sizeof buffer) ||
                   setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &buffer, sizeof buffer)))
        bench_die("a buffer of %llu bytes: %s", buffer, strerror(errno));
    return fd;
}

static int by_unix(const char *path, uint32_t port)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), n;
    char line[32];

    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        bench_die("%s: %s", path, strerror(errno));
    n = snprintf(line, sizeof line, "CONNECT %u\n", port);
    bench_write(fd, line, (size_t)n);
    do {
        if (read(fd, line, 1) != 1)
            bench_die("CONNECT %u at %s was refused, or the guest did not answer in time", port, path);
    } while (line[0] != '\n');
    return fd;
}

static int connected(const char *where, uint32_t port)
{
    union address to;
    socklen_t len;
    int fd;

    if (!is_numbered(where))
        return by_unix(where, port);
    fd = numbered(where, port, &to, &len);
    if (connect(fd, &to.any, len))
        bench_die("%s, port %u: %s", where, port, strerror(errno));
    return fd;
}

static double stream_once(const char *where, uint32_t port, size_t size, uint64_t total)
{
    static char buf[1u << 20];
    int fd = connected(where, port);
    double begin = bench_now(), took;
    char byte;

    for (uint64_t left = total; left; left -= size)
        bench_write(fd, buf, size);
    shutdown(fd, SHUT_WR);
    /* A sink answers with a byte, and the daemon's with its own end. */
    if (read(fd, &byte, 1) < 0)
        bench_die("%s, port %u: %s", where, port, strerror(errno));
    took = bench_now() - begin;
    close(fd);
    return took;
}

static void stream(char **argv)
{
    size_t size = strtoul(argv[4], NULL, 10);
    uint64_t total = bench_bytes(size == 64 ? 256u << 20 : UINT64_C(2) << 30, size), pieces = size == 64 ? size : 1;
    struct bench_series rate = { .count = 0 };
    uint32_t port = (uint32_t)atoi(argv[3]);

    bench_pin(BENCH_NEAR);
    stream_once(argv[2], port, size, bench_warm(total, size));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&rate, (double)(total / pieces) / stream_once(argv[2], port, size, total) / 1e6);
    bench_report(argv[5], argv[6], &rate, size == 64 ? "Mmsg/s" : "MB/s");
}

static double trips(int fd, uint64_t count)
{
    double begin = bench_now();
    char byte = 'x';

    for (uint64_t i = 0; i < count; i++) {
        bench_write(fd, &byte, 1);
        bench_read(fd, &byte, 1);
    }
    return (bench_now() - begin) / (double)count * 1e6;
}

static void trip(char **argv)
{
    uint64_t count = bench_bytes(100000, 1);
    struct bench_series time = { .count = 0 };
    int fd;

    bench_pin(BENCH_NEAR);
    fd = connected(argv[2], (uint32_t)atoi(argv[3]));
    trips(fd, bench_warm(count, 1));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&time, trips(fd, count));
    bench_report(argv[4], argv[5], &time, "us");
    close(fd);
}

#define WINDOW 128              /* connections under way at a time, as bench_xvs has them */

static int begin_connecting(const char *where, uint32_t port)
{
    union address to;
    socklen_t len;
    int fd = numbered(where, port, &to, &len);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, &to.any, len) && errno != EINPROGRESS)
        bench_die("%s, port %u: %s", where, port, strerror(errno));
    return fd;
}

static double connects_once(const char *where, uint32_t port, uint64_t count)
{
    struct pollfd open[WINDOW];
    uint64_t begun = 0, ended = 0;
    double begin = bench_now();

    for (int i = 0; i < WINDOW; i++)
        open[i] = (struct pollfd){ .fd = -1, .events = POLLOUT };
    while (ended < count) {
        for (int i = 0; i < WINDOW && begun < count; i++)
            if (open[i].fd < 0) {
                open[i].fd = begin_connecting(where, port);
                begun++;
            }
        if (poll(open, WINDOW, 10000) <= 0)
            bench_die("%s, port %u: no answer", where, port);
        for (int i = 0; i < WINDOW; i++) {
            int err = 0;
            socklen_t len = sizeof err;

            if (open[i].fd < 0 || !open[i].revents)
                continue;
            if (getsockopt(open[i].fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
                bench_die("%s, port %u: %s", where, port, strerror(err));
            close(open[i].fd);
            open[i].fd = -1;
            ended++;
        }
    }
    return bench_now() - begin;
}

static void connects(char **argv)
{
    uint64_t count = bench_amount(200000);
    struct bench_series rate = { .count = 0 };

    bench_pin(BENCH_NEAR);
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&rate, (double)count / connects_once(argv[2], (uint32_t)atoi(argv[3]), count));
    bench_report(argv[4], argv[5], &rate, "1/s");
}

/* ---- the far end ---- */

static int listener_at_path(const char *path, uint32_t port)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (snprintf(at.sun_path, sizeof at.sun_path, "%s_%u", path, port) >= (int)sizeof at.sun_path)
        bench_die("%s: the path is too long for a socket", path);
    unlink(at.sun_path);
    if (bind(listener, (struct sockaddr *)&at, sizeof at))
        bench_die("%s: %s", at.sun_path, strerror(errno));
    return listener;
}

static int listener_at_number(const char *where, uint32_t port)
{
    union address at;
    socklen_t len;
    int listener = numbered(where, port, &at, &len), yes = 1;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (is_tcp(where))
        at.in.sin_addr.s_addr = INADDR_ANY;
    else
        at.vm.svm_cid = VMADDR_CID_ANY;
    if (bind(listener, &at.any, len))
        bench_die("%s, port %u: %s", where, port, strerror(errno));
    return listener;
}

/* The next caller, once "ready" is said. */
static int accepted(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        bench_die("accept: %s", strerror(errno));
    return fd;
}

static int serve(const char *where, uint32_t port)
{
    int listener = (is_numbered(where) ? listener_at_number : listener_at_path)(where, port);

    bench_pin(BENCH_FAR);
    if (listen(listener, 2 * WINDOW))
        bench_die("%s, port %u: %s", where, port, strerror(errno));
    puts("ready");
    fflush(stdout);
    return listener;
}

/* As the far end of bench_base's socketpair: takes all, then answers with one byte, which a caller may not wait for. */
static void sink(const char *where, uint32_t port)
{
    static char buf[65536];
    int listener = serve(where, port);

    for (;;) {
        int fd = accepted(listener);

        while (read(fd, buf, sizeof buf) > 0)
            ;
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        close(fd);
    }
}

static void echo(const char *where, uint32_t port)
{
    static char buf[65536];
    int listener = serve(where, port);

    for (;;) {
        int fd = accepted(listener);
        ssize_t n;

        if (is_tcp(where))
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        while ((n = read(fd, buf, sizeof buf)) > 0)
            bench_write(fd, buf, (size_t)n);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";

    if (!strcmp(verb, "stream") && argc == 7)
        stream(argv);
    else if (!strcmp(verb, "trip") && argc == 6)
        trip(argv);
    else if (!strcmp(verb, "connects") && argc == 6 && is_numbered(argv[2]))
        connects(argv);
    else if (!strcmp(verb, "sink") && argc == 4)
        sink(argv[2], (uint32_t)atoi(argv[3]));
    else if (!strcmp(verb, "echo") && argc == 4)
        echo(argv[2], (uint32_t)atoi(argv[3]));
    else
        bench_die("usage: bench_host stream WHERE PORT SIZE MEASURE SUBJECT | trip|connects WHERE PORT MEASURE SUBJECT | sink|echo WHERE PORT");
    return 0;
}
