/* SPDX-License-Identifier: MIT */
/* bridge.c: see bridge.h.  The socket is registered once, edge-triggered: 'readable' and 'writable' stay true until a call
 * says EAGAIN or moves less than it was asked to. */
#include "bridge.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dial.h"
#include "door.h"
#include "farewell.h"
#include "serve.h"
#include "watchers.h"

#define PIECES     64
#define NAME_TRIES 8            /* nobody can guess a number, but a name may still be taken; without one it goes on as well */

#define EVENTS_READ  (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define EVENTS_WRITE (EVENTS_READ | EPOLLOUT)

static void on_socket(struct source *source, uint32_t events)
{
    struct stream *s = container_of(source, struct stream, socket);

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        s->writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->ending = true;
    if (events & (EPOLLHUP | EPOLLERR))
        s->hung_up = true;
    if (events & EPOLLERR)
        s->failed = true;
    stream_wake(s);
}

/* The socket is the stream's, or with an error still the caller's.  What it can hold is known from here on (held.h). */
static int take_socket(struct stream *s, int fd)
{
    int size = HELD_SNDBUF;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size))
        return -errno;
    return source_add(&s->device->x->poller, &s->socket, fd, EVENTS_READ, on_socket);
}

static void open_now(struct stream *s, uint32_t number)
{
    s->open = true;
    fate_open(&s->device->fates, &s->fate, number);
}

/* Connects under a name that says who calls and which stream it is, or with number 0 under none.  -EADDRINUSE: somebody has that
 * name. */
static int connect_as(struct stream *s, uint32_t number, const char **dir, unsigned *wishes, char *why)
{
    const struct device *d = s->device;
    char own[DIAL_OWN] = "";

    if (number && d->door)
        snprintf(own, sizeof own, "xvs/%s/%llu:%u/%u", d->door->dir.name, (unsigned long long)s->v.peer.cid, s->v.peer.port,
                 number);
    return doors_connect(d, s->v.local.port, own, dir, wishes, why);
}

/* The guest has its share of descriptors: says so, once until it has less than half of them again. */
static int refuse_more(struct device *d)
{
    if (!d->account->told)
        journal_guest(&d->journal, JOURNAL_WARNING, "more streams to host programs are refused: it holds %u descriptors, its share; "
                      "LimitNOFILE= in xvsd.service bounds them all", d->account->files);
    d->account->told = true;
    return -EMFILE;
}

int bridge_connect(struct stream *s)
{
    struct device *d = s->device;
    char why[DIAL_WHY];
    const char *dir;
    unsigned wishes;
    uint32_t number;
    int fd, err;

    if (!account_take_file(d->account))
        return refuse_more(d);
    for (int tries = 0; ; tries++) {
        number = fates_number(&d->fates);
        fd = connect_as(s, tries < NAME_TRIES ? number : 0, &dir, &wishes, why);
        if (fd != -EADDRINUSE)
            break;
    }

    if (*why)
        journal_guest(&d->journal, JOURNAL_WARNING, "a connection to a host program is refused: %s/%s", dir, why);
    if (fd == -EMFILE || fd == -ENFILE)
        xvsd_out_of_files(d->x);
    if (fd < 0) {
        if (journal_shows(JOURNAL_DEBUG))
            journal_guest(&d->journal, JOURNAL_DEBUG, "no host program takes port %u: %s", s->v.local.port,
                          strerror(-fd));
        account_give_file(d->account);
        return fd;
    }
    if ((err = take_socket(s, fd))) {
        close(fd);
        account_give_file(d->account);
        return err;
    }
    s->writable = true;
    s->holds = wishes & DIAL_VOUCHED;
    open_now(s, number);
    vmux_answer(d->mux, &s->v);
    return 0;
}

int bridge_request(struct device *d, int fd, uint32_t port, bool vouched, uint16_t mark)
{
    struct vaddr local = { VSOCKIF_CID_HOST, VSOCKIF_PORT_ANY }, peer = { d->cid, port };
    struct promise promise = { 0 };
    struct vmux_conn *conn;
    struct stream *s;
    int err;

    if (!device_is_connected(d))
        return -ENOTCONN;
    err = vmux_connect(d->mux, local, peer, promise_make(&d->promises, &promise), VCONN_CONNECT_MS, clock_deadline_ms(0),
                       &conn);
    if (err) {
        promise_end(&d->promises, &promise);
        return err;
    }
    s = stream_of(conn);
    stream_init(s, d);
    s->promise = promise;
    if ((err = take_socket(s, fd))) {
        vmux_abort(d->mux, conn, ECONNRESET);
        stream_end(s);
        return err;
    }
    s->writable = s->line_waits = true;
    s->holds = vouched;
    s->mark = mark;
    device_wake(d);
    return 0;
}

/* A CALL is refused with a word, so that a daemon that does not know CALL is not taken for one that refuses.  ECONNRESET: the guest
 * went before it answered. */
static void say_refused(int fd, int err)
{
    const char *by = "daemon";
    char line[32];

    if (err == ECONNREFUSED)
        by = "port";
    else if (err == ETIMEDOUT)
        by = "time";
    else if (err == ENOTCONN || err == ECONNRESET)
        by = "guest";
    (void)!send(fd, line, (size_t)snprintf(line, sizeof line, "REFUSED %s\n", by), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A refusal is an end of file and no reset, for it is the answer that was asked for. */
void bridge_refuse(struct device *d, int fd, bool vouched, int err)
{
    char newline;

    (void)!recv(fd, &newline, 1, MSG_DONTWAIT);
    if (vouched)
        say_refused(fd, -err);
    close(fd);
    account_give_file(d->account);
}

/* The guest has accepted: the client may begin. */
static void say_ok(struct stream *s)
{
    char line[32];
    int len = snprintf(line, sizeof line, "OK %u\n", s->v.local.port);

    open_now(s, s->v.local.port);
    if (send(s->socket.fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        s->hung_up = true;      /* nothing was ever written to it: only a closed socket does not take this */
}

void bridge_event(struct stream *s, unsigned now)
{
    if (now & VCONN_NOW_OPEN)
        say_ok(s);
    /* Whoever stands in write() gets EPIPE; drop_queue() and drop_closed() see to the others. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED) && s->socket.fd >= 0) {
        shutdown(s->socket.fd, SHUT_RD);
        s->readable = true;
    }
    stream_wake(s);
}

/* ---- memory in the socket ---- */

#define WORTH 4096u             /* bytes: for less room than this, and than there is to write, it is not worth to write */

uint32_t bridge_in_socket(int fd)
{
    int bytes = 0;

    /* The kernel counts one for each of what it is just letting go of. */
    return ioctl(fd, SIOCOUTQ, &bytes) || bytes < 256 ? 0 : (uint32_t)bytes;
}

static void look_into_socket(struct stream *s)
{
    held_saw(&s->device->account->held, &s->in_socket, bridge_in_socket(s->socket.fd));
}

static void look_again(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);

    (void)arg;
    if (!conn->released && s->in_socket)
        look_into_socket(s);
}

/* What the guest's other streams believe to be in their sockets may have been read long ago.  Where most of it has, the next
 * such look pays as well. */
static void sweep(struct device *d)
{
    const struct held *h = &d->account->held;

    if (d->sweep_at > xvsd_now(d->x))
        return;
    vmux_each(d->mux, look_again, NULL);
    d->sweep_at = h->in_sockets > h->limit / 4 ? clock_deadline_ms(SERVE_FEED_MS) : 0;
}

/* How much of want bytes may be written now; 0 with *starves, if it is none for the sake of the guest's other streams. */
static uint32_t find_room(struct stream *s, uint32_t want, bool *starves)
{
    const struct held *h = &s->device->account->held;
    uint32_t most = promise_socket(&s->promise), least = want < WORTH ? want : WORTH, room;
    bool reads;

    if (s->in_socket)
        look_into_socket(s);
    reads = s->fed && !s->in_socket;
    room = held_room(h, s->in_socket, most, reads);
    if (room < least && s->in_socket + least <= most) {
        sweep(s->device);
        room = held_room(h, s->in_socket, most, reads);
        *starves = room < least;
    }
    return room < least ? 0 : room < want ? room : want;
}

/* ---- guest to host ---- */

/* The host program reads no more: neither do we. */
static void become_deaf(struct stream *s)
{
    if (s->host_deaf)
        return;
    s->host_deaf = true;
    vmux_shutdown(s->device->mux, &s->v, VSOCKIF_SHUTDOWN_RCV, clock_deadline_ms(0));
    stream_discard(s);
}

/* The socket is full, or holds what it may: its reader's next read is an event. */
static void wait_for_reader(struct stream *s)
{
    s->stuck = true;
    s->writable = false;
    source_change(&s->device->x->poller, &s->socket, EVENTS_WRITE);
}

static enum stream_again write_some(struct stream *s)
{
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov };
    struct device *d = s->device;
    struct held *held = &d->account->held;
    uint32_t want = s->inbox.bytes < STREAM_QUANTUM ? s->inbox.bytes : STREAM_QUANTUM;
    bool starves = false;
    ssize_t n;
    int used;

    if (!held_fits(held, s->in_socket, promise_socket(&s->promise), want) && !(want = find_room(s, want, &starves))) {
        s->stuck = true;
        if (!starves)
            wait_for_reader(s);
        return starves ? STREAM_STARVES : STREAM_WAITS;
    }
    want = inbox_peek(&d->inboxes, &s->inbox, want, iov, PIECES, &used);
    msg.msg_iovlen = (size_t)used;
    n = sendmsg(s->socket.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        become_deaf(s);
        return STREAM_WAITS;
    }
    if (n > 0) {
        s->fed = true;
        held_wrote(held, &s->in_socket, (uint32_t)n);
        if (stream_delivered(s, (uint32_t)n))
            vmux_set_buf_alloc(d->mux, &s->v, s->promise.bytes);
        vmux_consumed(d->mux, &s->v, (uint32_t)n);
    }
    if (n < (ssize_t)want) {
        wait_for_reader(s);
        return STREAM_WAITS;
    }
    return inbox_is_empty(&s->inbox) ? STREAM_WAITS : STREAM_MORE;
}

/* The host program has closed its socket.  A hang-up says so, unless it is only that both ends have shut sending; but then it is as
 * good as gone, too, if nobody waits for the end. */
static bool has_gone(const struct stream *s)
{
    return s->hung_up && (!s->holds || (s->said_end && !s->told_eof));
}

/* …and has neither said that it had sent all, nor anybody that could. */
static bool has_died(const struct stream *s)
{
    return s->hung_up && s->open && s->holds && !s->said_end && !watchers_vouch(&s->fate.watchers);
}

static enum stream_again turn_to_host(struct stream *s)
{
    enum stream_again again = STREAM_WAITS;

    if (!s->open)
        return STREAM_WAITS;
    if (has_gone(s))
        become_deaf(s);
    if (s->writable && !inbox_is_empty(&s->inbox))
        again = write_some(s);
    if (s->guest_eof && !s->told_eof && inbox_is_empty(&s->inbox) && !s->v.c.error) {
        s->told_eof = true;
        shutdown(s->socket.fd, SHUT_WR);
    }
    return again;
}

/* ---- host to guest ---- */

static void end_of_file(struct stream *s)
{
    struct device *d = s->device;

    s->readable = false;
    if (!s->host_reset && s->holds && !s->said_end)
        return;                 /* bridge_may_end() looks again, or bridge_abandoned() makes it a reset */
    s->host_eof = true;
    if (s->host_reset)
        vmux_abort(d->mux, &s->v, ECONNRESET);
    else
        vmux_shutdown(d->mux, &s->v, VSOCKIF_SHUTDOWN_SEND, clock_deadline_ms(0));
}

static enum stream_again read_error(struct stream *s)
{
    if (errno == EINTR)
        return STREAM_MORE;
    s->readable = false;
    if (errno == EAGAIN)
        return STREAM_WAITS;
    /* ECONNRESET: it closed without having read everything.  The error is told once; what it sent is still there. */
    s->host_reset = true;
    become_deaf(s);
    s->readable = true;
    return STREAM_MORE;
}

bool bridge_drop_queue(int fd, bool keep)
{
    static uint8_t dropped[STREAM_QUANTUM];
    size_t most = sizeof dropped;
    int queued = 0;
    ssize_t n;

    if (keep) {
        if (ioctl(fd, SIOCINQ, &queued) || queued <= 1)
            return false;
        most = (size_t)queued - 1 < most ? (size_t)queued - 1 : most;
    }
    n = recv(fd, dropped, most, MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* The guest takes no more, and bridge_event() has told the host program's next write so. */
static enum stream_again drop_queue(struct stream *s)
{
    if (bridge_drop_queue(s->socket.fd, false)) {
        s->guest_left = true;
        return STREAM_MORE;
    }
    s->host_eof = true;
    return STREAM_WAITS;
}

/* The same when the guest's end is over, and the host program has not read all that came before. */
static enum stream_again drop_closed(struct stream *s)
{
    if (!s->open || !s->readable)
        return STREAM_WAITS;
    s->readable = bridge_drop_queue(s->socket.fd, s->v.c.error || s->line_waits);
    if (!s->readable)
        return STREAM_WAITS;
    s->guest_left = true;
    s->line_waits = false;
    return STREAM_MORE;
}

/* Takes the newline out of the way of what is behind it.  False: there is nothing yet, or an end, which needs no reading. */
static bool pass_line(struct stream *s)
{
    char two[2];
    ssize_t n = recv(s->socket.fd, two, sizeof two, MSG_PEEK | MSG_DONTWAIT);

    if (n == 1 && !s->failed) {
        s->readable = false;
        if (s->ending)
            end_of_file(s);
        return false;
    }
    s->line_waits = false;
    return n < 1 || recv(s->socket.fd, two, 1, MSG_DONTWAIT) == 1;
}

static enum stream_again turn_to_guest(struct stream *s)
{
    struct device *d = s->device;
    struct iovec iov[PIECES];
    struct vsockif_hdr hdr;
    uint32_t room, want;
    ssize_t n;
    int used;

    if (!s->open || !s->readable || s->host_eof || (s->line_waits && !pass_line(s)))
        return STREAM_WAITS;
    if (vconn_is_send_shut(&s->v.c))
        return drop_queue(s);
    room = vconn_room(&s->v.c);
    if (!room) {
        vmux_want_room(d->mux, &s->v);
        return STREAM_WAITS;
    }
    if (!link_back_can_send(&d->back))
        return STREAM_THIRSTS;
    want = link_back_room(&d->back, room < VSOCKIF_MAX_PACKET ? room : VSOCKIF_MAX_PACKET, iov, PIECES, &used);
    n = readv(s->socket.fd, iov, used);
    if (n < 0)
        return read_error(s);
    if (n == 0) {
        end_of_file(s);
        return STREAM_WAITS;
    }
    vmux_send(d->mux, &s->v, (uint32_t)n, &hdr);
    link_back_send(&d->back, &hdr);
    d->moved = true;
    if (n < (ssize_t)want && !s->ending)
        s->readable = false;    /* drained; whatever comes later is a new edge */
    return s->readable ? STREAM_MORE : STREAM_WAITS;
}

/* ---- the end ---- */

/* What the host program has written and nobody has read. */
static bool has_unsent(const struct stream *s)
{
    int bytes = 0;

    return s->socket.fd >= 0 && !s->host_eof && !ioctl(s->socket.fd, FIONREAD, &bytes) && bytes > s->line_waits;
}

/* How a stream ended whose guest's end is over. */
static enum fate_end judge(const struct stream *s)
{
    bool stopped = s->v.c.shut_peer & VSOCKIF_SHUTDOWN_RCV || (s->guest_eof && s->host_eof) || s->leaving;

    if (s->host_reset)
        return FATE_HOST_RESET;
    if (s->host_left)
        return FATE_HOST_LEFT;
    if (s->v.c.error)
        return stopped ? FATE_GUEST_LEFT : FATE_GUEST_RESET;
    return s->guest_left || has_unsent(s) ? FATE_GUEST_LEFT : FATE_ORDER;
}

/* The same when the device is gone, for the case that all that has come is delivered.  All may have been over by then. */
static enum fate_end judge_lost(const struct stream *s)
{
    const struct vconn *c = &s->v.c;

    if (!c->error || s->host_reset || s->host_left)
        return judge(s);
    if (s->guest_eof && vconn_is_delivered(c) && !s->guest_left && !has_unsent(s) &&
        (s->host_eof || c->shut_peer & VSOCKIF_SHUTDOWN_RCV))
        return FATE_ORDER;
    return device_cut(s->device);
}

/* What the host program has not read is memory of the guest's: so its socket stays until it has (farewell.h). */
static void close_as(struct stream *s, enum fate_end end)
{
    char newline;

    if (s->line_waits && end == FATE_ORDER)
        (void)!recv(s->socket.fd, &newline, 1, MSG_DONTWAIT);
    if (s->in_socket)
        look_into_socket(s);
    if (s->in_socket)
        farewell_to_socket(s, end == FATE_ORDER);
    bridge_close(s);
}

/* An open stream has ended, and those who wait are told. */
static void end_as(struct stream *s, enum fate_end end)
{
    uint32_t number = fate_number(&s->fate);

    fate_close(&s->device->fates, &s->fate);
    fates_note(&s->device->fates, number, end);
    close_as(s, end);
    watchers_tell(&s->fate.watchers, number, end);
}

/* The host program has gone, and the guest is told so in order; it has yet to say whether it has read everything. */
static void leave(struct stream *s)
{
    struct device *d = s->device;

    s->leaving = true;
    close_as(s, FATE_ORDER);    /* if it is there still, it has had its end of file */
    stream_discard(s);
    promise_end(&d->promises, &s->promise);
    vmux_close(d->mux, &s->v, clock_deadline_ms(0));
    device_wake(d);
}

void bridge_may_end(struct stream *s)
{
    s->said_end = s->readable = true;
    stream_wake(s);
}

void bridge_abandoned(struct stream *s)
{
    s->host_reset = s->host_deaf = true;
    vmux_abort(s->device->mux, &s->v, ECONNRESET);
    stream_discard(s);
    stream_wake(s);
}

void bridge_lost(struct stream *s)
{
    enum fate_end end = judge_lost(s);

    if (inbox_is_empty(&s->inbox))
        end_as(s, end);
    else if (!s->guest_eof || s->host_deaf)
        end_as(s, device_cut(s->device));
    else if (!farewell_to_host(s, end))
        end_as(s, FATE_HOST_LEFT);
}

/* ---- a turn ---- */

/* Nothing is left to do: the guest's end is over, and all it sent is delivered or has nobody to read it. */
static bool is_over(const struct stream *s)
{
    return stream_is_closed(s) && (!s->open || s->host_deaf || inbox_is_empty(&s->inbox));
}

enum stream_again bridge_turn(struct stream *s)
{
    enum stream_again to_host = STREAM_WAITS, to_guest = STREAM_WAITS;

    if (!s->open && s->hung_up && !stream_is_closed(s))
        vmux_abort(s->device->mux, &s->v, ECONNRESET);      /* the client gave up while it waited for OK */
    if (has_died(s))
        bridge_abandoned(s);
    if (!s->leaving) {
        to_host = turn_to_host(s);
        to_guest = stream_is_closed(s) ? drop_closed(s) : turn_to_guest(s);
    }
    if (!s->leaving && !stream_is_closed(s) && s->host_eof && s->host_deaf)
        leave(s);
    if (is_over(s)) {
        if (s->open)
            end_as(s, judge(s));
        else
            close_as(s, FATE_ORDER);
        stream_end(s);
        return STREAM_ENDED;
    }
    if (to_host == STREAM_MORE || to_guest == STREAM_MORE)
        return STREAM_MORE;
    return to_host == STREAM_STARVES ? to_host : to_guest;
}

void bridge_close(struct stream *s)
{
    int fd = s->socket.fd;

    if (s->mark)
        door_leave(s->device, s->mark);
    s->mark = 0;
    held_saw(&s->device->account->held, &s->in_socket, 0);
    if (fd < 0)
        return;
    if (s->holds && !s->open)
        say_refused(fd, s->v.c.error);
    source_remove(&s->device->x->poller, &s->socket);
    close(fd);
    account_give_file(s->device->account);
}
