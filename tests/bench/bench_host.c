/* SPDX-License-Identifier: MIT */
/* bench_host.c: a program of dom0 and one in a guest: "bench_xvs sink PORT" or "bench_xvs echo PORT".
 *
 *     bench_host stream WHERE PORT SIZE MEASURE SUBJECT    throughput to the guest's sink, in pieces of SIZE
 *     bench_host trip WHERE PORT MEASURE SUBJECT           one byte to the guest's echo and back
 *     bench_host sink PATH PORT                            such a sink, for what guests send to that port of the host
 *
 * WHERE is the path of the guest's UNIX socket, or vsock:CID, or vsock:CID:BYTES with a buffer of that size (SO_VM_SOCKETS_BUFFER_SIZE). */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

static int by_vsock(uint32_t cid, unsigned long long buffer, uint32_t port)
{
    struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (buffer && (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &buffer, sizeof buffer) ||
                   setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &buffer, sizeof buffer)))
        bench_die("a buffer of %llu bytes: %s", buffer, strerror(errno));
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        bench_die("vsock:%u:%u: %s", cid, port, strerror(errno));
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
    char *end;
    uint32_t cid;

    if (strncmp(where, "vsock:", 6))
        return by_unix(where, port);
    cid = (uint32_t)strtoul(where + 6, &end, 10);
    return by_vsock(cid, *end ? strtoull(end + 1, NULL, 10) : 0, port);
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
    bench_read(fd, &byte, 1);
    took = bench_now() - begin;
    close(fd);
    return took;
}

static void stream(char **argv)
{
    size_t size = strtoul(argv[4], NULL, 10);
    uint64_t total = bench_bytes(UINT64_C(2) << 30, size);
    struct bench_series rate = { .count = 0 };
    uint32_t port = (uint32_t)atoi(argv[3]);

    bench_pin(BENCH_NEAR);
    stream_once(argv[2], port, size, bench_warm(total, size));
    for (int run = 0; run < bench_runs(); run++)
        bench_add(&rate, (double)total / stream_once(argv[2], port, size, total) / 1e6);
    bench_report(argv[5], argv[6], &rate, "MB/s");
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

/* As the far end of bench_base's socketpair: takes all, then answers with one byte. */
static void sink(const char *path, uint32_t port)
{
    static char buf[65536];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    bench_pin(BENCH_FAR);
    if (snprintf(at.sun_path, sizeof at.sun_path, "%s_%u", path, port) >= (int)sizeof at.sun_path)
        bench_die("%s: the path is too long for a socket", path);
    unlink(at.sun_path);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4))
        bench_die("%s: %s", at.sun_path, strerror(errno));
    puts("ready");
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        while (read(fd, buf, sizeof buf) > 0)
            ;
        bench_write(fd, "x", 1);
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
    else if (!strcmp(verb, "sink") && argc == 4)
        sink(argv[2], (uint32_t)atoi(argv[3]));
    else
        bench_die("usage: bench_host stream WHERE PORT SIZE MEASURE SUBJECT | trip WHERE PORT MEASURE SUBJECT | sink PATH PORT");
    return 0;
}
