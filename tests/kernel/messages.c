/* SPDX-License-Identifier: MIT */
/* messages.c: in a guest of the lab, what programs do with messages (SOCK_SEQPACKET) that only a kernel can be asked about.
 *
 *     messages read PORT       one caller is read until its end: a line for each message, "SIZE same" or "SIZE mixed", and one for
 *                              the end, "end" or the error's name; "listening" comes first
 *     messages half CID PORT   sends ten bytes; then 200000, of which a page in the middle is taken away after the kernel has seen that all
 *                              are there, and before it has taken them; then ten more.  A line for each: the number, or the error's name
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <errno.h>

#define PAGE  4096u
#define LARGE (49u * PAGE)      /* 200704: four packets */
#define GONE  (30u * PAGE)      /* in the second */

static char *large;
static int faults;

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    printf("messages: %s: %s\n", what, strerrorname_np(errno));
    exit(1);
}

static int open_socket(unsigned cid, const char *port, struct sockaddr_vm *at)
{
    int fd = socket(AF_VSOCK, SOCK_SEQPACKET, 0);

    check(fd, "socket");
    *at = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = (unsigned)atoi(port) };
    return fd;
}

static void say(ssize_t result)
{
    if (result < 0)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("%zd\n", result);
}

static void read_all(const char *port)
{
    static char data[1 << 20];
    struct sockaddr_vm at;
    int fd = open_socket(VMADDR_CID_ANY, port, &at), caller;
    ssize_t len;

    check(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
    check(listen(fd, 1), "listen");
    printf("listening\n");
    fflush(stdout);
    check(caller = accept(fd, NULL, NULL), "accept");
    while ((len = recv(caller, data, sizeof data, 0)) > 0)
        printf("%zd %s\n", len, memcmp(data, data + 1, (size_t)len - 1) ? "mixed" : "same");
    printf("%s\n", len ? strerrorname_np(errno) : "end");
}

/* The kernel waits for the last page: by then it has touched all others.  Now one of them goes. */
static void *answer(void *arg)
{
    static char page[PAGE] __attribute__((aligned(PAGE)));
    struct uffdio_copy copy = { .src = (uintptr_t)page, .len = PAGE };
    struct uffd_msg fault;

    check(read(faults, &fault, sizeof fault), "userfaultfd");
    check(munmap(large + GONE, PAGE), "munmap");
    memset(page, 'b', sizeof page);
    copy.dst = fault.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
    check(ioctl(faults, UFFDIO_COPY, &copy), "UFFDIO_COPY");
    return arg;
}

static void send_half(unsigned cid, const char *port)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register last = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    struct sockaddr_vm at;
    int fd = open_socket(cid, port, &at);
    pthread_t thread;

    large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(large == MAP_FAILED ? -1 : 0, "mmap");
    memset(large, 'b', LARGE - PAGE);
    check(faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
    check(ioctl(faults, UFFDIO_API, &api), "UFFDIO_API");
    last.range.start = (uintptr_t)large + LARGE - PAGE;
    last.range.len = PAGE;
    check(ioctl(faults, UFFDIO_REGISTER, &last), "UFFDIO_REGISTER");
    check(pthread_create(&thread, NULL, answer, NULL) ? -1 : 0, "a thread");

    check(connect(fd, (struct sockaddr *)&at, sizeof at), "connect");
    say(send(fd, "aaaaaaaaaa", 10, MSG_NOSIGNAL));
    say(send(fd, large, LARGE, MSG_NOSIGNAL));
    say(send(fd, "cccccccccc", 10, MSG_NOSIGNAL));
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "read"))
        read_all(argv[2]);
    else if (argc == 4 && !strcmp(argv[1], "half"))
        send_half((unsigned)atoi(argv[2]), argv[3]);
    else
        return 2;
    return 0;
}
