/* SPDX-License-Identifier: MIT */
/* end_vsock.c: the script's end in a guest, over the kernel's AF_VSOCK and nothing of this project.
 *
 * Options: "buffer", SO_VM_SOCKETS_BUFFER_SIZE; "lowat", SO_RCVLOWAT, of a stream; "resize", a buffer that a socket is given
 * while it connects; "bound", a socket more that is bound to a port and nothing else, to the end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "end.h"
#include "end_fd.h"

struct end {
    int fd, error;
};
struct end_listener {
    int fd;
};

int end_open(void)
{
    fd_raise_limit();
    return 0;
}

void end_finish(void)
{
}

/* The guest's CID; VMADDR_CID_ANY while there is none. */
static unsigned local_cid(void)
{
    int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
    unsigned cid = VMADDR_CID_ANY;

    if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) != 0)
        cid = VMADDR_CID_ANY;
    if (fd >= 0)
        close(fd);
    return cid;
}

int end_wait_device(int up, int ms)
{
    uint64_t deadline = fd_deadline(ms);

    while ((local_cid() != VMADDR_CID_ANY) != (up != 0)) {
        if (deadline && fd_now_ms() >= deadline)
            return -ETIMEDOUT;
        usleep(10000);
    }
    return 0;
}

/* Of sockets that are made from now on; 0: as they come. */
static uint64_t default_buffer, default_resize;

static int set_buffer(int fd, uint64_t size)
{
    return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof size) == 0 &&
           setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size) == 0 ? 0 : -errno;
}

static int keep_bound(uint64_t port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = (unsigned)port };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
}

int end_option(struct end *e, const char *name, uint64_t value)
{
    int lowat = (int)value;

    if (e && strcmp(name, "buffer") == 0)
        return set_buffer(e->fd, value);
    if (e && strcmp(name, "lowat") == 0)
        return setsockopt(e->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof lowat) == 0 ? 0 : -errno;
    if (!e && strcmp(name, "buffer") == 0)
        default_buffer = value;
    else if (!e && strcmp(name, "resize") == 0)
        default_resize = value;
    else if (!e && strcmp(name, "bound") == 0)
        return keep_bound(value);
    else
        return -EOPNOTSUPP;
    return 0;
}

static int new_socket(void)
{
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = fd < 0 ? -errno : default_buffer ? set_buffer(fd, default_buffer) : 0;

    if (!err)
        return fd;
    if (fd >= 0)
        close(fd);
    return err;
}

static struct end *wrap(int fd)
{
    struct end *e = calloc(1, sizeof *e);

    if (!e)
        exit(3);
    e->fd = fd;
    return e;
}

int end_listen(const char *where, unsigned backlog, struct end_listener **out)
{
    struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY,
                             .svm_port = (unsigned)strtoul(where, NULL, 10) };
    int fd = new_socket(), err;

    if (fd < 0)
        return fd;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, (int)backlog) != 0) {
        err = -errno;
        close(fd);
        return err;
    }
    *out = calloc(1, sizeof **out);
    if (!*out)
        exit(3);
    (*out)->fd = fd;
    return 0;
}

void end_listener_close(struct end_listener *l)
{
    close(l->fd);
    free(l);
}

int end_accept(struct end_listener *l, int ms, struct end **out)
{
    int fd, err = fd_accept(l->fd, ms, &fd);

    if (!err)
        *out = wrap(fd);
    return err;
}

int end_begin(const char *where, struct end **out)
{
    const char *colon = strchr(where, ':'), *at = strchr(where, '@');
    struct sockaddr_vm own = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY,
                               .svm_port = at ? (unsigned)strtoul(at + 1, NULL, 10) : 0 };
    struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_cid = (unsigned)strtoul(where, NULL, 10),
                             .svm_port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0 };
    int fd = new_socket(), err;

    if (fd < 0)
        return fd;
    err = at && bind(fd, (struct sockaddr *)&own, sizeof own) != 0 ? -errno : 0;
    if (!err && connect(fd, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS)
        err = -errno;
    if (!err && default_resize)
        err = set_buffer(fd, default_resize);
    if (err) {
        close(fd);
        return err;
    }
    *out = wrap(fd);
    return 0;
}

/* Not by POLLOUT alone: AF_VSOCK has that before the answer is there. */
int end_opened(struct end *e)
{
    struct sockaddr_vm a;
    socklen_t len = sizeof a;
    int err = end_error(e);

    if (err)
        return err;
    return getpeername(e->fd, (struct sockaddr *)&a, &len) == 0 ? 0 : -EAGAIN;
}

int end_connect(const char *where, int ms, struct end **out)
{
    uint64_t deadline = fd_deadline(ms);
    int err = end_begin(where, out);

    if (err)
        return err;
    while ((err = end_opened(*out)) == -EAGAIN && !(deadline && fd_now_ms() >= deadline))
        poll(&(struct pollfd){ .fd = (*out)->fd, .events = POLLOUT }, 1, 10);
    if (err)
        end_close(*out);
    return err == -EAGAIN ? -ETIMEDOUT : err;
}

ssize_t end_send(struct end *e, const void *data, size_t len, int ms)
{
    return fd_send(e->fd, data, len, ms, &e->error);
}

ssize_t end_recv(struct end *e, void *data, size_t len, int ms)
{
    return fd_recv(e->fd, data, len, ms, &e->error);
}

int end_shutdown(struct end *e, int how)
{
    return shutdown(e->fd, how) == 0 ? 0 : -errno;
}

void end_close(struct end *e)
{
    close(e->fd);
    free(e);
}

/* As frontend/linux has it; other transports have no reset. */
void end_reset(struct end *e)
{
    struct linger no_time = { .l_onoff = 1 };

    setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &no_time, sizeof no_time);
    end_close(e);
}

int end_error(struct end *e)
{
    socklen_t len = sizeof(int);
    int err = 0;

    if (!e->error && getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err)
        e->error = -err;
    return e->error;
}

int end_pump(int ms)
{
    return fd_pump(end_input, ms);
}

void end_stats(void)
{
    printf("stats cid %u\n", local_cid());
    fflush(stdout);
}
