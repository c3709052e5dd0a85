/* SPDX-License-Identifier: MIT */
/* floor.c: what the host's kernel alone takes for AF_VSOCK, beside a UNIX socket: the least that any daemon behind it can have.
 *
 *     vhost_floor       as root, where /dev/vhost-vsock is: in the lab's dom0, from tests/xenlab/groups/50-yardstick.sh
 *
 * A program sends, this process receives: by a UNIX socket with read(), and by a vhost-vsock device (pipe.h) with nothing behind
 * it, no guest, no rings, no connection machine.  The round trip is a byte there and back, both asleep in between. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipe.h"
#include "vsockif.h"

#define CID    6000u
#define PORT   7u
#define TRIPS  1000u
#define ROUNDS 3

static struct pipe pipe_;
static struct vsockif_hdr peer;         /* of the program's connection, as an answer */
static uint32_t taken;                  /* bytes of it, in all: fwd_cnt */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "vhost_floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the program ---- */

static void program(int fd, size_t bytes, size_t each)
{
    static uint8_t data[65536];

    if (!bytes) {
        for (unsigned i = 0; i < TRIPS; i++)
            if (send(fd, data, 1, 0) != 1 || recv(fd, data, 1, 0) != 1)
                die("a round trip");
    }
    while (bytes) {
        ssize_t n = send(fd, data, bytes < each ? bytes : each, 0);

        if (n < 0)
            die("send");
        bytes -= (size_t)n;
    }
    _exit(0);
}

static int connected(void)
{
    struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = CID, .svm_port = PORT };
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        die("connect");
    return fd;
}

/* ---- this process behind a UNIX socket ---- */

static void take_unix(int fd, size_t bytes)
{
    static uint8_t data[65536];
    ssize_t n;

    for (unsigned i = 0; !bytes && i < TRIPS; i++)
        if (read(fd, data, sizeof data) != 1 || write(fd, data, 1) != 1)
            die("a round trip");
    for (; bytes; bytes -= (size_t)n)
        if ((n = read(fd, data, sizeof data)) <= 0)
            die("read");
}

/* ---- …and behind a device ---- */

static struct pipe_buffer *next_packet(void)
{
    struct pollfd call = { .fd = pipe_.vhost.call, .events = POLLIN };
    struct pipe_buffer *b;
    uint64_t count;
    uint32_t len;
    void *of;

    for (;;) {
        while (pipe_done(&pipe_, &of, &len))
            ;
        if ((b = pipe_recv(&pipe_)))
            return b;
        pipe_publish(&pipe_);
        if (!pipe_arm(&pipe_))
            continue;
        if (poll(&call, 1, 30000) != 1)
            die("nothing comes");
        if (read(call.fd, &count, sizeof count) < 0)
            die("eventfd");
    }
}

static void answer(uint16_t op, const uint8_t *data, uint32_t len)
{
    struct iovec piece = { (void *)(uintptr_t)data, len };
    struct vsockif_hdr hdr = peer;

    hdr.op = op;
    hdr.len = len;
    hdr.buf_alloc = 1u << 20;
    hdr.fwd_cnt = taken;
    pipe_send(&pipe_, &hdr, &piece, len ? 1 : 0, NULL);
}

static void take_vsock(size_t bytes)
{
    static const uint8_t byte;
    struct pipe_buffer *b;
    unsigned trips = bytes ? 0 : TRIPS;
    uint32_t told = 0;

    for (bool is_over = false; !is_over; pipe_repost(&pipe_, b)) {
        b = next_packet();
        switch (b->hdr->op) {
        case VSOCKIF_OP_REQUEST:
            peer = (struct vsockif_hdr){ .src_cid = b->hdr->dst_cid, .dst_cid = b->hdr->src_cid, .src_port = b->hdr->dst_port,
                                         .dst_port = b->hdr->src_port, .type = b->hdr->type };
            taken = 0;
            answer(VSOCKIF_OP_RESPONSE, NULL, 0);
            break;
        case VSOCKIF_OP_RW:
            taken += b->hdr->len;
            if (!bytes)
                answer(VSOCKIF_OP_RW, &byte, 1);
            else if (taken - told >= 1u << 18) {
                answer(VSOCKIF_OP_CREDIT_UPDATE, NULL, 0);
                told = taken;
            }
            break;
        case VSOCKIF_OP_SHUTDOWN:
            answer(VSOCKIF_OP_RST, NULL, 0);
            is_over = true;
            break;
        }
        pipe_publish(&pipe_);
    }
    if (bytes ? taken != bytes : taken != trips)
        die("not all has come");
}

/* ---- figures ---- */

/* Seconds, from the connection on. */
static double run(bool by_vsock, size_t bytes, size_t each)
{
    int sv[2] = { -1, -1 }, status;
    double from;
    pid_t pid;

    if (!by_vsock && socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
        die("socketpair");
    from = now();
    if (!(pid = fork()))
        program(by_vsock ? connected() : sv[1], bytes, each);
    if (by_vsock)
        take_vsock(bytes);
    else
        take_unix(sv[0], bytes);
    from = now() - from;
    if (waitpid(pid, &status, 0) != pid || status)
        die("the program fails");
    close(sv[0]);
    close(sv[1]);
    return from;
}

static void begin_device(void)
{
    uint64_t cid = CID;
    int fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC), err;
    const char *what = "/dev/vhost-vsock";

    if (fd < 0 || ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid))
        die(what);
    if ((err = pipe_begin(&pipe_, fd, &what))) {
        errno = -err;
        die(what);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        size_t bytes, each;
    } rows[] = { { "rtt", 0, 0 }, { "stream_64k", 32u << 20, 65536 }, { "stream_4k", 8u << 20, 4096 } };

    begin_device();
    for (int i = 0; i < ROUNDS; i++)
        for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int by_vsock = 0; by_vsock < 2; by_vsock++) {
                double s = run(by_vsock, rows[r].bytes, rows[r].each);

                printf("%s %s %.2f %s\n", rows[r].name, by_vsock ? "vsock" : "unix",
                       rows[r].bytes ? (double)rows[r].bytes / s / 1e6 : s * 1e6 / TRIPS, rows[r].bytes ? "MB/s" : "us");
                fflush(stdout);
            }
    pipe_end(&pipe_);
    return 0;
}
