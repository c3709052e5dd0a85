/* SPDX-License-Identifier: MIT */
/* fdend.c: descriptors as ends (end.h).
 *
 * Standard input and output may be anything and may be shared with other programs, so O_NONBLOCK is not ours to set.
 * What is done instead depends on the kind:
 *
 *     socket           MSG_DONTWAIT
 *     pipe, terminal   opened anew through /proc, which gives an open file of our own that can be non-blocking
 *     file, disk       never waits for anybody
 *     the rest         poll() before each call, and small writes: a pipe with room takes PIPE_BUF bytes at once
 *
 * A socket that has packets (SOCK_SEQPACKET, SOCK_DGRAM) is read one whole packet at a time, and written one with each call. */
#include "end.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#define BUFFER (128u << 10)

enum kind { SOCKET, NONBLOCKING, NEVER_BLOCKS, GATED };

struct side_of {
    struct watch watch;
    int fd;                     /* -1: finished */
    enum kind kind;
    bool ready;                 /* GATED: poll() said so */
    bool packets;               /* SOCKET */
};

struct fdend {
    struct end end;
    struct loop *loop;
    struct side_of in, out;
    bool keep, owned, dropped;
    bool broken;                /* in.packets: its other end has closed it without reading everything, which is told last */
    uint8_t *buffer;            /* what peek has read and nobody has taken */
    size_t at, len;
};

static struct fdend *fdend_of(struct end *e)
{
    return container_of(e, struct fdend, end);
}

static void woken(struct side_of *side, struct fdend *f)
{
    side->ready = true;
    if (f->end.wake)
        f->end.wake(f->end.arg);
}

static void in_ready(struct watch *w)
{
    struct side_of *side = container_of(w, struct side_of, watch);

    woken(side, container_of(side, struct fdend, in));
}

static void out_ready(struct watch *w)
{
    struct side_of *side = container_of(w, struct side_of, watch);

    woken(side, container_of(side, struct fdend, out));
}

/* True if a call on this side may be made now; else the watch waits. */
static bool gate(struct side_of *side, short want)
{
    if (side->kind != GATED || side->ready)
        return true;
    side->watch.want |= want;
    return false;
}

static int result(struct side_of *side, short want)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        side->watch.want |= want;
        return -EAGAIN;
    }
    return -errno;
}

/* ---- reading ---- */

static ssize_t read_in(struct fdend *f, void *buffer, size_t len)
{
    struct side_of *in = &f->in;
    ssize_t n;

    if (!gate(in, POLLIN))
        return -EAGAIN;
    do
        n = in->kind == SOCKET ? recv(in->fd, buffer, len, MSG_DONTWAIT) : read(in->fd, buffer, len);
    while (n < 0 && errno == EINTR);
    in->ready = false;
    return n < 0 ? result(in, POLLIN) : n;
}

/* A UNIX socket says the same of a packet without bytes, of which a program may send some, and of the end. */
static bool is_empty_packet(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLRDHUP };
    int domain = 0, queued = 0;
    socklen_t len = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX)
        return false;
    return poll(&p, 1, 0) == 0 || (ioctl(fd, SIOCINQ, &queued) == 0 && queued > 0);
}

/* A whole one: its length, 0 at the end.  That its other end was closed with packets unread AF_UNIX tells before those that are
 * to be read here. */
static ssize_t read_packet(struct fdend *f)
{
    struct side_of *in = &f->in;
    ssize_t n;

    do {
        n = recv(in->fd, f->buffer, END_MESSAGE, MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && errno == ECONNRESET && !f->broken)
            f->broken = true;
        else if (n >= 0 || errno != EINTR)
            break;
    } while (true);
    if (n < 0)
        return result(in, POLLIN);
    if (n == 0 && is_empty_packet(in->fd)) {
        in->watch.want |= POLLIN;
        return -EAGAIN;         /* at once */
    }
    if (n == 0 && f->broken) {
        f->broken = false;
        return -ECONNRESET;
    }
    return n > END_MESSAGE ? -EMSGSIZE : n;
}

/* What there is, into the buffer, which is empty: its length, 0 at the end. */
static ssize_t fill(struct fdend *f)
{
    ssize_t n;

    if (!f->buffer && !(f->buffer = malloc(f->in.packets ? END_MESSAGE : BUFFER)))
        return -ENOMEM;
    n = f->in.packets ? read_packet(f) : read_in(f, f->buffer, BUFFER);
    f->at = 0;
    f->len = n > 0 ? (size_t)n : 0;
    return n;
}

static ssize_t fdend_read(struct end *e, void *buffer, size_t len)
{
    struct fdend *f = fdend_of(e);
    ssize_t n;

    if (!f->len && !f->in.packets)
        return read_in(f, buffer, len);
    if (!f->len && (n = fill(f)) <= 0)
        return n;
    if (len > f->len)
        len = f->len;
    memcpy(buffer, f->buffer + f->at, len);
    f->at += len;
    f->len -= len;
    return (ssize_t)len;
}

static int fdend_peek(struct end *e, struct iovec *iov, int max)
{
    struct fdend *f = fdend_of(e);
    ssize_t n;

    if (max < 1)
        return -EINVAL;
    if (!f->len && (n = fill(f)) <= 0)
        return (int)n;
    iov[0] = (struct iovec){ .iov_base = f->buffer + f->at, .iov_len = f->len };
    return 1;
}

static void fdend_done(struct end *e, size_t len)
{
    struct fdend *f = fdend_of(e);

    f->at += len;
    f->len -= len;
}

static void fdend_stop(struct end *e)
{
    struct fdend *f = fdend_of(e);

    f->dropped |= f->len > 0;
    f->len = 0;
    f->in.watch.want = 0;
    if (f->owned) {
        char waste[4096];

        /* What is unread when a UNIX socket closes makes it a reset, and our last words would be lost with it. */
        shutdown(f->in.fd, SHUT_RD);
        while (recv(f->in.fd, waste, sizeof waste, MSG_DONTWAIT) > 0)
            f->dropped = true;
    }
}

bool fdend_has_dropped(struct end *e)
{
    return fdend_of(e)->dropped;
}

bool fdend_reads_packets(struct end *e)
{
    return fdend_of(e)->in.packets;
}

bool fdend_writes_packets(struct end *e)
{
    return fdend_of(e)->out.packets;
}

/* ---- writing ---- */

static ssize_t fdend_write(struct end *e, const struct iovec *iov, int count)
{
    struct side_of *out = &fdend_of(e)->out;
    struct iovec small;
    ssize_t n;

    if (out->fd < 0)
        return -EPIPE;
    if (!gate(out, POLLOUT))
        return -EAGAIN;
    if (out->kind == GATED) {
        small = *iov;
        if (small.iov_len > PIPE_BUF)
            small.iov_len = PIPE_BUF;
        iov = &small;
        count = 1;
    }
    do {
        if (out->kind == SOCKET) {
            struct iovec pieces[64];
            struct msghdr m = { .msg_iov = pieces };

            if (count > 64)
                count = 64;
            memcpy(pieces, iov, (size_t)count * sizeof *iov);
            m.msg_iovlen = (size_t)count;
            n = sendmsg(out->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            n = writev(out->fd, iov, count);
        }
    } while (n < 0 && errno == EINTR);
    out->ready = false;
    if (n < 0 && out->kind == SOCKET && errno == ECONNRESET)
        return -EPIPE;
    return n < 0 ? result(out, POLLOUT) : n;
}

static int fdend_finish(struct end *e)
{
    struct fdend *f = fdend_of(e);
    int err = 0;

    if (f->keep || f->out.fd < 0)
        return 0;
    f->out.watch.want = 0;
    if (f->owned || f->out.kind == SOCKET) {
        if (shutdown(f->out.fd, SHUT_WR) < 0 && errno != ENOTCONN)
            err = -errno;
    } else {
        /* Closing shows the reader the end, and shows us what a network file system kept to itself.  The number 1
         * must not fall to something else. */
        if (close(f->out.fd) < 0 && errno != EINTR)
            err = -errno;
        if (open("/dev/null", O_WRONLY) < 0)
            err = err ? err : -errno;
    }
    f->out.fd = -1;
    return err;
}

static bool fdend_is_cut(struct end *e)
{
    struct fdend *f = fdend_of(e);
    struct pollfd p = { .fd = f->out.fd };

    if (f->out.fd < 0)
        return true;
    if (f->out.kind == NEVER_BLOCKS || poll(&p, 1, 0) < 0)
        return false;
    if (p.revents & (POLLHUP | POLLERR))
        return true;
    f->out.watch.want |= POLLHUP;
    return false;
}

/* ---- making and closing ---- */

static void fdend_close(struct end *e, bool reset)
{
    struct fdend *f = fdend_of(e);

    (void)reset;                /* a UNIX socket has no word for it */
    watch_drop(f->loop, &f->in.watch);
    watch_drop(f->loop, &f->out.watch);
    if (f->owned)
        close(f->in.fd);
    free(f->buffer);
    free(f);
}

static const struct end_ops fdend_ops = {
    .peek = fdend_peek,     .done = fdend_done,     .write = fdend_write,   .read = fdend_read,
    .finish = fdend_finish, .stop = fdend_stop,     .is_cut = fdend_is_cut, .close = fdend_close,
};

static struct end *fdend_new(struct loop *l, int in, int out)
{
    struct fdend *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->end.ops = &fdend_ops;
    f->loop = l;
    f->in.fd = in;
    f->out.fd = out;
    watch_add(l, &f->in.watch, in, in_ready);
    watch_add(l, &f->out.watch, out, out_ready);
    return &f->end;
}

static bool has_packets(int fd)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type != SOCK_STREAM;
}

/* How fd can be kept from blocking; it may become an open file of its own under the same number. */
static enum kind kind_of(int fd, int flags)
{
    char path[32];
    struct stat st;
    int own;

    if (fstat(fd, &st) < 0)
        return GATED;
    if (S_ISSOCK(st.st_mode))
        return SOCKET;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode))
        return NEVER_BLOCKS;
    if (!S_ISFIFO(st.st_mode) && !isatty(fd))
        return GATED;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if ((own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0)
        return GATED;           /* another user's pipe, or no reader any more: the write will tell */
    if (dup2(own, fd) < 0) {
        close(own);
        return GATED;
    }
    close(own);
    return NONBLOCKING;
}

struct end *fdend_standard(struct loop *l, int in, int out, bool keep)
{
    struct end *e = fdend_new(l, in, out);

    if (e) {
        struct fdend *f = fdend_of(e);

        f->keep = keep;
        if (in >= 0)
            f->in.kind = kind_of(in, O_RDONLY);
        if (out >= 0)
            f->out.kind = kind_of(out, O_WRONLY);
        f->in.packets = f->in.kind == SOCKET && in >= 0 && has_packets(in);
        f->out.packets = f->out.kind == SOCKET && out >= 0 && has_packets(out);
    }
    return e;
}

struct end *fdend_stdio(struct loop *l, bool keep)
{
    return fdend_standard(l, STDIN_FILENO, STDOUT_FILENO, keep);
}

struct end *fdend_socket(struct loop *l, int fd)
{
    struct end *e = fdend_new(l, fd, fd);

    if (e) {
        struct fdend *f = fdend_of(e);

        f->in.kind = f->out.kind = SOCKET;
        f->in.packets = f->out.packets = has_packets(fd);
        f->owned = true;
    }
    return e;
}
