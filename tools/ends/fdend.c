/* SPDX-License-Identifier: MIT */
/* fdend.c: descriptors as ends (end.h).
 *
 * Standard input and output may be anything and may be shared with other programs, so O_NONBLOCK is not ours to set.
 * What is done instead depends on the kind:
 *
 *     socket           MSG_DONTWAIT
 *     pipe, terminal   opened anew through /proc, which gives an open file of our own that can be non-blocking
 *     file, disk       never waits for anybody
 *     the rest         poll() before each call, and small writes: a pipe with room takes PIPE_BUF bytes at once */
#include "end.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (128u << 10)

enum kind { SOCKET, NONBLOCKING, NEVER_BLOCKS, GATED };

struct side_of {
    struct watch watch;
    int fd;                     /* -1: finished */
    enum kind kind;
    bool ready;                 /* GATED: poll() said so */
};

struct fdend {
    struct end end;
    struct loop *loop;
    struct side_of in, out;
    bool keep, owned, dropped;
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

static ssize_t fdend_read(struct end *e, void *buffer, size_t len)
{
    struct fdend *f = fdend_of(e);

    if (!f->len)
        return read_in(f, buffer, len);
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

    if (max < 1)
        return -EINVAL;
    if (!f->len) {
        ssize_t n;

        if (!f->buffer && !(f->buffer = malloc(BUFFER)))
            return -ENOMEM;
        if ((n = read_in(f, f->buffer, BUFFER)) <= 0)
            return (int)n;
        f->at = 0;
        f->len = (size_t)n;
    }
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
        f->owned = true;
    }
    return e;
}
