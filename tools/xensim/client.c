/* SPDX-License-Identifier: MIT */
/* client.c: the drop-ins' side of proto.h.  The daemon uses sim_send and sim_recv too. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int sim_send(int sock, const struct sim_msg *msg, const int *fds, int nfds, int flags)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * SIM_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = SIM_HEADER + msg->len };
    struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if (nfds > 0) {
        struct cmsghdr *c;

        hdr.msg_control = control.space;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
        c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)nfds);
    }
    do
        n = sendmsg(sock, &hdr, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

int sim_recv(int sock, struct sim_msg *msg, int *fds, int *nfds)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * SIM_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = { .iov_base = msg, .iov_len = sizeof *msg };
    struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1,
                          .msg_control = control.space, .msg_controllen = sizeof control };
    int count = 0;
    ssize_t n;

    do
        n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *nfds = 0;
    if (n <= 0)
        return n < 0 ? -errno : 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)count);
    }
    *nfds = count;
    if ((size_t)n < SIM_HEADER || msg->len != (size_t)n - SIM_HEADER) {
        while (count > 0)
            close(fds[--count]);
        *nfds = 0;
        return -EPROTO;
    }
    return (int)n;
}

int sim_connect(struct sim_conn *conn, const char *dir, const char *who, bool cloexec)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int n, err;

    conn->fd = -1;
    if (!dir)
        dir = getenv(SIM_ENV_DIR);
    if (!who)
        who = getenv(SIM_ENV_DOMID);
    if (!dir || !who)
        return -ENOENT;
    n = snprintf(sun.sun_path, sizeof sun.sun_path, "%s/ctl/%s", dir, who);
    if (n < 0 || (size_t)n >= sizeof sun.sun_path)
        return -ENAMETOOLONG;
    conn->fd = socket(AF_UNIX, SOCK_SEQPACKET | (cloexec ? SOCK_CLOEXEC : 0), 0);
    if (conn->fd < 0)
        return -errno;
    if (connect(conn->fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        err = errno == ECONNREFUSED ? ENOENT : errno;
        close(conn->fd);
        conn->fd = -1;
        return -err;
    }
    conn->pid = getpid();
    pthread_mutex_init(&conn->lock, NULL);
    return 0;
}

int sim_call(struct sim_conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    uint32_t op = msg->op;
    int none[SIM_FDS_MAX], n, got = 0;

    pthread_mutex_lock(&conn->lock);
    n = sim_send(conn->fd, msg, fds, nfds ? *nfds : 0, 0);
    if (n >= 0)
        n = sim_recv(conn->fd, msg, fds ? fds : none, &got);
    pthread_mutex_unlock(&conn->lock);
    if (nfds)
        *nfds = got;
    if (n <= 0 || msg->op != op)
        return -EIO;
    if (!fds || msg->err)
        while (got > 0)
            close((fds ? fds : none)[--got]);
    if (nfds && msg->err)
        *nfds = 0;
    return msg->err;
}

void sim_close(struct sim_conn *conn)
{
    struct sim_msg msg = { .op = SIM_CLOSE };

    if (conn->fd < 0)
        return;
    if (getpid() == conn->pid)
        sim_call(conn, &msg, NULL, NULL);
    close(conn->fd);
    conn->fd = -1;
    pthread_mutex_destroy(&conn->lock);
}
