/* SPDX-License-Identifier: MIT */
/* socket.c: connections in a guest whose kernel has the device (frontend/linux), over its AF_VSOCK sockets.
 *
 * Linux says less of a stream than libxvs does, and this file knows how it can be asked all the same: whether a connection is over, an
 * address for send() tells; that something did not arrive, the driver leaves as the socket's error; and SO_LINGER of no time makes
 * a reset of its close, also if that is the end of the process.  Where another transport carries the socket (vsock_loopback), the last
 * two are not to be had. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "peer.h"
#include "refusal.h"
#include "say.h"
#include "side.h"

#define BACKLOG      128
#define DEVICE_PAUSE (SECOND / 20)

struct talk {
    struct end end;
    struct end *data;           /* the socket's bytes */
    struct loop *loop;
    struct watch watch;         /* of the epoll descriptor that tells of changes, once somebody waits for one */
    int fd, changes;            /* changes: -1 until then */
    uint64_t cid;
    bool stopped, over;
    int err;                    /* once over */
};

struct call {
    struct dial *dial;
    struct watch watch;
    struct timer again;         /* while there is no device */
    uint64_t cid;
    int fd;                     /* -1 then */
};

struct ear {
    struct watch watch;
    struct listening *listening;
    int fd;
};

static struct sockaddr_vm address(uint64_t cid, uint32_t port)
{
    return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = (uint32_t)cid, .svm_port = port };
}

static int new_socket(bool messages)
{
    int fd = socket(AF_VSOCK, (messages ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static int error_of(int fd)
{
    socklen_t len;
    int err = 0;

    len = sizeof err;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

/* ---- a socket as an end ---- */

static struct talk *talk_of(struct end *e)
{
    return container_of(e, struct talk, end);
}

/* What the socket itself does not tell with a direction of its own: by edges, for a socket that is shut is always ready. */
static void changed(struct watch *w)
{
    struct talk *t = container_of(w, struct talk, watch);
    struct epoll_event event;

    while (epoll_wait(t->changes, &event, 1, 0) > 0)
        ;
    w->want = POLLIN;
    end_wake(&t->end);
}

static int await_change(struct talk *t)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };

    if (t->changes >= 0)
        return 0;
    if ((t->changes = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -errno;
    if (epoll_ctl(t->changes, EPOLL_CTL_ADD, t->fd, &event) < 0)
        return -errno;
    watch_add(t->loop, &t->watch, t->changes, changed);
    t->watch.want = POLLIN;
    return 0;
}

static int talk_peek(struct end *e, struct iovec *iov, int max)
{
    return talk_of(e)->data->ops->peek(talk_of(e)->data, iov, max);
}

static void talk_done(struct end *e, size_t len)
{
    talk_of(e)->data->ops->done(talk_of(e)->data, len);
}

static ssize_t talk_read(struct end *e, void *buffer, size_t len)
{
    return talk_of(e)->data->ops->read(talk_of(e)->data, buffer, len);
}

static ssize_t talk_write(struct end *e, const struct iovec *iov, int count)
{
    return talk_of(e)->data->ops->write(talk_of(e)->data, iov, count);
}

static int talk_finish(struct end *e)
{
    return talk_of(e)->data->ops->finish(talk_of(e)->data);
}

static void talk_stop(struct end *e)
{
    talk_of(e)->stopped = true;
    talk_of(e)->data->ops->stop(talk_of(e)->data);
}

/* Linux looks first whether somebody names an address, which a stream must not have: what it says then is whether it is connected. */
static void look_whether_over(struct talk *t)
{
    struct sockaddr_vm any = address(VMADDR_CID_ANY, VMADDR_PORT_ANY);

    if (t->over)
        return;
    if ((t->err = error_of(t->fd))) {
        t->over = true;
        return;
    }
    t->over = sendto(t->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&any, sizeof any) < 0 && errno != EISCONN;
}

/* A send of no bytes sends none, of either type, and is refused where the peer reads no more. */
static bool talk_is_cut(struct end *e)
{
    struct talk *t = talk_of(e);

    look_whether_over(t);
    if (t->over || (send(t->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN))
        return true;
    await_change(t);
    return false;
}

/* Everything has been read here, and the peer is told so; then it is the peer who ends the connection once it has read everything,
 * too.  One within this guest may do so only when its program closes it: of that nothing more is to be learnt. */
static int talk_settle(struct end *e)
{
    struct talk *t = talk_of(e);
    int err;

    look_whether_over(t);
    if (t->over)
        return t->err;
    if (t->stopped || t->cid == VMADDR_CID_LOCAL)
        return 0;
    if (t->changes < 0 || !t->watch.want) {
        if ((err = await_change(t)))
            return err;
        shutdown(t->fd, SHUT_RD);
    }
    return -EAGAIN;
}

/* What a close of the socket is to be. */
static void set_reset(int fd, bool reset)
{
    struct linger no_time = { .l_onoff = reset };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_time, sizeof no_time);
}

static void talk_close(struct end *e, bool reset)
{
    struct talk *t = talk_of(e);

    set_reset(t->fd, reset);
    watch_drop(t->loop, &t->watch);
    if (t->changes >= 0)
        close(t->changes);
    t->data->ops->close(t->data, reset);
    free(t);
}

static void data_woke(void *arg)
{
    end_wake(&((struct talk *)arg)->end);
}

/* Takes fd, unless it returns NULL: no memory. */
static struct end *talk_new(struct loop *l, int fd, uint64_t cid)
{
    static const struct end_ops ops = {
        .peek = talk_peek,     .done = talk_done, .write = talk_write,   .read = talk_read,
        .finish = talk_finish, .stop = talk_stop, .is_cut = talk_is_cut, .settle = talk_settle,
        .close = talk_close,
    };
    struct talk *t = calloc(1, sizeof *t);

    if (!t || !(t->data = fdend_socket(l, fd))) {
        free(t);
        return NULL;
    }
    t->end.ops = &ops;
    t->loop = l;
    t->fd = fd;
    t->changes = -1;
    t->cid = cid;
    set_reset(fd, true);        /* should we be killed */
    end_on_wake(t->data, data_woke, t);
    return &t->end;
}

/* ---- calling ---- */

static void call_free(struct call *c, bool with_fd)
{
    watch_drop(c->dial->side->loop, &c->watch);
    timer_drop(&c->again);
    if (with_fd && c->fd >= 0)
        close(c->fd);
    c->dial->attempt = NULL;
    free(c);
}

/* err is connect()'s, or what came of it. */
static int explain(struct dial *d, uint64_t cid, int err)
{
    switch (-err) {
    case ECONNRESET:
    case ECONNREFUSED:
        return refusal_explain(d->why, REASON(NONE), d->peer, d->port, false);
    case ETIMEDOUT:
        return peer_late(d, err);
    case ENETUNREACH:
    case EADDRNOTAVAIL:
        snprintf(d->why, sizeof d->why, "this guest's kernel has no way to %s, CID %llu: for what is local it is the module "
                 "vsock_loopback", d->peer, (unsigned long long)cid);
        return -EHOSTUNREACH;
    case ESOCKTNOSUPPORT:
        snprintf(d->why, sizeof d->why, PEER_NO_MESSAGES);
        return err;
    default:
        snprintf(d->why, sizeof d->why, "cannot connect to %s port %u: %s", d->peer, d->port, strerror(-err));
        return err;
    }
}

static void answered(struct watch *w)
{
    struct call *c = container_of(w, struct call, watch);
    struct dial *d = c->dial;
    uint64_t cid = c->cid;
    int err = error_of(c->fd);
    struct end *end = NULL;

    if (!err && !(end = talk_new(d->side->loop, c->fd, cid)))
        err = -ENOMEM;
    call_free(c, err != 0);
    dial_end(d, err ? explain(d, cid, err) : 0, end);
}

/* The device may come: until then it is tried anew, as long as the attempt may take. */
static int begin(struct call *c);

static void begin_again(struct timer *t)
{
    struct call *c = container_of(t, struct call, again);
    struct dial *d = c->dial;
    int err = begin(c);

    if (err) {
        call_free(c, true);
        dial_end(d, err, NULL);
    }
}

static int begin(struct call *c)
{
    struct dial *d = c->dial;
    struct sockaddr_vm to = address(c->cid, d->port);
    /* The attempt's own time limit comes first. */
    struct timeval limit = { .tv_sec = d->patience / SECOND + 2 };
    int err;

    if ((c->fd = new_socket(d->messages)) < 0)
        return c->fd;
    setsockopt(c->fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof limit);
    err = connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 ? -errno : 0;
    if (!err || err == -EINPROGRESS) {
        watch_add(d->side->loop, &c->watch, c->fd, answered);
        c->watch.want = POLLOUT;
        return 0;
    }
    if (err != -ENODEV)
        return explain(d, c->cid, err);
    close(c->fd);
    c->fd = -1;
    timer_set(d->side->loop, &c->again, clock_ns() + DEVICE_PAUSE, begin_again);
    return 0;
}

static int socket_dial(struct dial *d)
{
    struct call *c;
    uint64_t cid;
    int err;

    if ((err = peer_cid(d, &cid)))
        return err;
    if (!(c = calloc(1, sizeof *c)))
        return -ENOMEM;
    *c = (struct call){ .dial = d, .cid = cid, .fd = -1 };
    d->attempt = c;
    if ((err = begin(c)))
        call_free(c, true);
    return err;
}

static int socket_dial_abort(struct dial *d, int err)
{
    struct call *c = d->attempt;
    bool has_device = c && c->fd >= 0;

    if (c)
        call_free(c, true);
    return has_device ? peer_late(d, err) : peer_down(d, "the kernel's driver is not connected");
}

/* ---- being called ---- */

static void called(struct watch *w)
{
    struct ear *ear = container_of(w, struct ear, watch);

    ear->listening->ready(ear->listening);
}

static int bind_and_listen(int fd, struct listening *l)
{
    struct sockaddr_vm here = address(VMADDR_CID_ANY, l->port);

    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0 && listen(fd, l->backlog ? (int)l->backlog : BACKLOG) == 0)
        return 0;
    if (errno == EACCES)
        snprintf(l->why, sizeof l->why, "cannot listen at port %u: this guest's kernel gives ports below 1024 only to who may bind "
                 "them (CAP_NET_BIND_SERVICE)", l->port);
    return -errno;
}

static int socket_listen(struct listening *l)
{
    struct ear *ear;
    int err;

    if ((err = peer_none(l)))
        return err;
    if (!(ear = calloc(1, sizeof *ear)))
        return -ENOMEM;
    if ((ear->fd = new_socket(l->messages)) < 0) {
        err = ear->fd;
        free(ear);
        return err;
    }
    if ((err = bind_and_listen(ear->fd, l))) {
        close(ear->fd);
        free(ear);
        return err;
    }
    ear->listening = l;
    watch_add(l->side->loop, &ear->watch, ear->fd, called);
    ear->watch.want = POLLIN;
    l->own = ear;
    return 0;
}

static int socket_accept(struct listening *l, struct end **end, struct caller *caller)
{
    struct sockaddr_vm peer = { 0 }, here = { 0 };
    struct ear *ear = l->own;
    socklen_t len = sizeof peer, here_len = sizeof here;
    int fd;

    do
        fd = accept4(ear->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == ECONNRESET));
    if (fd < 0) {
        if (errno == EAGAIN)
            ear->watch.want = POLLIN;
        return -errno;
    }
    getsockname(fd, (struct sockaddr *)&here, &here_len);
    *caller = (struct caller){ .cid = peer.svm_cid, .port = peer.svm_port, .has_port = true, .local_cid = here.svm_cid };
    if ((*end = talk_new(l->side->loop, fd, peer.svm_cid)))
        return 0;
    close(fd);
    return -ENOMEM;
}

static void socket_unlisten(struct listening *l)
{
    struct ear *ear = l->own;

    watch_drop(l->side->loop, &ear->watch);
    close(ear->fd);
    free(ear);
}

static int socket_open(struct side *s, char *why)
{
    int fd = new_socket(false);

    if (fd < 0) {
        snprintf(why, WHY, "this guest's kernel has the vsock device, and AF_VSOCK cannot be had: %s", strerror(-fd));
        return fd == -EAFNOSUPPORT ? -ENODEV : fd;
    }
    close(fd);
    if (s->options.verbose)
        say("the device belongs to this guest's kernel: AF_VSOCK");
    return 0;
}

static void socket_close(struct side *s)
{
    (void)s;
}

const struct side_ops side_socket = {
    .open = socket_open,
    .close = socket_close,
    .dial = socket_dial,
    .dial_abort = socket_dial_abort,
    .listen = socket_listen,
    .accept = socket_accept,
    .unlisten = socket_unlisten,
};
