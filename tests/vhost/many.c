/* SPDX-License-Identifier: MIT */
/* many.c: so many guests that each have a device of the host's real kernel, and AF_VSOCK programs that all speak with them at once.
 *
 *     vhost_many GUESTS       as root, where /dev/vhost-vsock is: in the lab's dom0
 *
 * The library and the daemon's rooms are in this process (joined.h), so that hundreds of guests need no domain each.  Every program sends
 * a pattern of its own, which its guest sends back; all of it must come, and after that nothing of the kernel's may be left. */
#include <dirent.h>
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
#include <time.h>
#include <unistd.h>

#include "joined.h"
#include "kernel.h"
#include "xvs.h"

#define MOST      256
#define FIRST_CID 5000u
#define PORT      7u
#define BYTES     100000u
#define PATIENCE  120           /* s, for what hangs */

struct one {
    struct xvs *guest;
    struct xvs_listener *listener;
    struct xvs_stream *stream;
    uint8_t unsent[16384];      /* by the guest */
    size_t at, len;
    int program;
    size_t sent, got;
    bool guest_at_end;
};

static struct one one[MOST];
static unsigned guests;

static uint8_t byte_of(unsigned which, size_t at)
{
    return (uint8_t)(at * 7 + at / 251 + which);
}

static void on_over(struct lane *lane, bool failed)
{
    (void)lane;
    if (failed)
        joined_fail("the kernel fails");
}

static void give_device(unsigned i)
{
    uint64_t cid = FIRST_CID + i;
    int fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
    char why[KERNEL_WHY];

    if (fd < 0 || ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid))
        joined_fail("/dev/vhost-vsock: %s", strerror(errno));
    if (kernel_begin(joined_lane(cid), cid, fd, on_over, why))
        joined_fail("guest %u: %s", i, why);
}

static void call(unsigned i)
{
    struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = FIRST_CID + i, .svm_port = PORT };
    struct timespec patience = { .tv_sec = PATIENCE };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof patience) ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS))
        joined_fail("a program of guest %u's: %s", i, strerror(errno));
    one[i].program = fd;
}

/* What has come goes back; the end follows all of it. */
static void guest_works(struct one *o)
{
    ssize_t n;

    if (!o->stream) {
        if (!o->listener || xvs_accept(o->listener, &o->stream))
            return;
        xvs_listener_close(o->listener);
        o->listener = NULL;
    }
    while (!o->guest_at_end) {
        if (o->at == o->len) {
            if ((n = xvs_recv(o->stream, o->unsent, sizeof o->unsent, 0)) < 0)
                return;
            o->at = 0;
            o->len = (size_t)n;
            if (!n) {
                o->guest_at_end = true;
                xvs_shutdown(o->stream, SHUT_WR);
                return;
            }
        }
        if ((n = xvs_send(o->stream, o->unsent + o->at, o->len - o->at, 0)) < 0)
            return;
        o->at += (size_t)n;
    }
}

/* True when all of it has come back, and the end. */
static bool program_works(unsigned i)
{
    struct one *o = &one[i];
    uint8_t data[16384];
    ssize_t n;

    while (o->sent < BYTES) {
        size_t len = BYTES - o->sent < sizeof data ? BYTES - o->sent : sizeof data;

        for (size_t k = 0; k < len; k++)
            data[k] = byte_of(i, o->sent + k);
        if ((n = send(o->program, data, len, MSG_NOSIGNAL)) < 0)
            break;
        if ((o->sent += (size_t)n) == BYTES)
            shutdown(o->program, SHUT_WR);
    }
    if (o->sent < BYTES && errno != EAGAIN && errno != ENOTCONN && errno != EINPROGRESS)
        joined_fail("guest %u, after %zu bytes: %s", i, o->sent, strerror(errno));
    while ((n = recv(o->program, data, sizeof data, 0)) > 0)
        for (ssize_t k = 0; k < n; k++)
            if (data[k] != byte_of(i, o->got++))
                joined_fail("guest %u: byte %zu is another", i, o->got - 1);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
        joined_fail("guest %u, after %zu bytes came: %s", i, o->got, strerror(errno));
    if (!n && o->got != BYTES)
        joined_fail("guest %u: the end after %zu bytes", i, o->got);
    return !n;
}

static bool everybody_works(void)
{
    static bool done[MOST];
    bool all_done = true;

    joined_settle();
    for (unsigned i = 0; i < guests; i++) {
        guest_works(&one[i]);
        done[i] = done[i] || program_works(i);
        all_done = all_done && done[i];
    }
    return all_done;
}

static unsigned count_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* Those of the kernel's that work for this process's devices. */
static unsigned count_threads(void)
{
    char want[32], path[300], name[64];
    struct dirent *e;
    DIR *d = opendir("/proc");
    unsigned n = 0;
    FILE *f;

    snprintf(want, sizeof want, "vhost-%d\n", (int)getpid());
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        n += fgets(name, sizeof name, f) && !strcmp(name, want);
        fclose(f);
    }
    if (d)
        closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + PATIENCE;
    unsigned files;

    guests = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (!guests || guests > MOST) {
        fprintf(stderr, "usage: vhost_many GUESTS    (at most %u)\n", MOST);
        return 2;
    }
    for (unsigned i = 0; i < guests; i++) {
        one[i].guest = joined_open(FIRST_CID + i);
        if (xvs_listen(one[i].guest, PORT, 4, &one[i].listener))
            joined_fail("xvs_listen");
    }
    joined_nobody_listens = true;
    files = count_files();
    for (unsigned i = 0; i < guests; i++)
        give_device(i);
    if (count_threads() != guests)
        joined_fail("%u threads of the kernel's for %u devices", count_threads(), guests);
    printf("%u descriptors\n", count_files() - files);
    for (unsigned i = 0; i < guests; i++)
        call(i);
    while (!everybody_works()) {
        if (time(NULL) > end)
            joined_fail("not within %u s", PATIENCE);
        poll(NULL, 0, 1);
    }
    for (unsigned i = 0; i < guests; i++) {
        close(one[i].program);
        xvs_stream_close(one[i].stream);
    }
    joined_settle();
    for (unsigned i = 0; i < guests; i++)
        kernel_end_of(joined_lane(FIRST_CID + i));
    if (count_files() != files)
        joined_fail("%u descriptors, where there were %u", count_files(), files);
    while (count_threads())
        if (time(NULL) > end)
            joined_fail("%u of the kernel's threads are left", count_threads());
    printf("%u guests: all has come back, and nothing is left\n", guests);
    return 0;
}
