/* SPDX-License-Identifier: MIT */
/* keep.c: in a guest of the lab, a program of user 1000 that keeps its sockets' locks: each call of it is given memory that userfaultfd
 * keeps from coming.  Its end is a signal.
 *
 *     keep CID CALLED PORT     one socket is connected to CID:CALLED, and sends what does not come; another listens at PORT, and its
 *                              option does not come.  "kept" is said when the kernel waits for both
 */
#include <errno.h>
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

#define PAGE 4096u
#define USER 1000u

static char *pages; /* two, which never come */

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    printf("keep: %s: %s\n", what, strerrorname_np(errno));
    exit(1);
}

static int open_socket(void)
{
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    check(fd, "socket");
    return fd;
}

static void *send_what_does_not_come(void *fd)
{
    send(*(int *)fd, pages, 1, MSG_NOSIGNAL);
    return NULL;
}

static void *set_what_does_not_come(void *fd)
{
    setsockopt(*(int *)fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, pages + PAGE, sizeof(uint64_t));
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_vm there = { .svm_family = AF_VSOCK }, here = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
    struct uffdio_register both = { .mode = UFFDIO_REGISTER_MODE_MISSING, .range.len = 2 * PAGE };
    struct uffdio_api api = { .api = UFFD_API };
    int faults, caller, listener;
    struct uffd_msg fault;
    pthread_t thread;

    if (argc != 4)
        return 2;
    there.svm_cid = (unsigned)atoi(argv[1]);
    there.svm_port = (unsigned)atoi(argv[2]);
    here.svm_port = (unsigned)atoi(argv[3]);

    pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(pages == MAP_FAILED ? -1 : 0, "mmap");
    check(faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
    check(ioctl(faults, UFFDIO_API, &api), "UFFDIO_API");
    both.range.start = (uintptr_t)pages;
    check(ioctl(faults, UFFDIO_REGISTER, &both), "UFFDIO_REGISTER");
    /* Linux may leave faults of the kernel's own to root; FUSE it does not. */
    check(setuid(USER), "setuid");

    caller = open_socket();
    check(connect(caller, (struct sockaddr *)&there, sizeof there), "connect");
    listener = open_socket();
    check(bind(listener, (struct sockaddr *)&here, sizeof here), "bind");
    check(listen(listener, 8), "listen");
    check(pthread_create(&thread, NULL, send_what_does_not_come, &caller) ? -1 : 0, "a thread");
    check(read(faults, &fault, sizeof fault), "a fault");
    check(pthread_create(&thread, NULL, set_what_does_not_come, &listener) ? -1 : 0, "a thread");
    check(read(faults, &fault, sizeof fault), "a fault");
    printf("kept\n");
    fflush(stdout);
    pause();
    return 0;
}
