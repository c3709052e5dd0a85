/* SPDX-License-Identifier: MIT */
/* bridge.c: see bridge.h.  The socket is registered once, edge-triggered: 'readable' and 'writable' stay true until a call
 * says EAGAIN or moves less than it was asked to. */
#include "bridge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "admit.h"
#include "clock.h"
#include "door.h"
#include "from_line.h"
#include "gate.h"
#include "hostsock.h"
#include "serve.h"
#include "unread.h"
#include "watchers.h"

#define PIECES     64
#define OWN_NAME   108          /* bytes of a name in the abstract namespace, with its end */
#define REFUSED_LINE 40         /* bytes of "REFUSED <by> <reason>\n", with its end */
#define NAME_TRIES 8            /* nobody can guess a number, but a name may still be taken; without one it goes on as well */

#define EVENTS_READ  (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define EVENTS_WRITE (EVENTS_READ | EPOLLOUT)

static struct bridge *bridge_of(struct stream *s)
{
    return container_of(s, struct bridge, s);
}

static struct poller *poller_of(const struct bridge *b)
{
    return &b->s.lane->all->loop->poller;
}

static struct fates *fates_of(const struct bridge *b)
{
    return &b->s.lane->host->fates;
}

static struct held *held_of(const struct bridge *b)
{
    return &b->s.lane->account->held;
}

/* ---- the beginning ---- */

static void on_socket(struct source *source, uint32_t events)
{
    struct bridge *b = container_of(source, struct bridge, socket);

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        b->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        b->writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        b->ending = true;
    if (events & (EPOLLHUP | EPOLLERR))
        b->hung_up = true;
    if (events & EPOLLERR)
        b->failed = true;
    stream_wake(&b->s);
}

static const struct watched_kind watched_kind;

/* The socket is the stream's, or with an error still the caller's.  What it can hold is known from here on (held.h). */
static int take_socket(struct bridge *b, int fd)
{
    int size = HELD_SNDBUF;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size))
        return -errno;
    return source_add(poller_of(b), &b->socket, fd, EVENTS_READ, on_socket);
}

static void open_now(struct bridge *b, uint32_t number)
{
    stream_opened(&b->s);
    fate_open(fates_of(b), &b->fate, number);
}

/* Asks for a connection under a name that says who calls and which stream it is, or under none when too many were taken. */
static void dial(struct bridge *b)
{
    struct hostside *host = b->s.lane->host;
    const struct vmux_conn *v = &b->s.v;
    uint32_t number = fates_number(&host->fates);
    char own[OWN_NAME] = "";

    if (b->dials++ < NAME_TRIES && host->door)
        snprintf(own, sizeof own, "xvs/%s/%llu:%u/%u", host->door->name, (unsigned long long)v->peer.cid, v->peer.port, number);
    fate_open(&host->fates, &b->fate, number);
    host->all->dial(host, number, v->local.port, v->c.type, own);
}

/* The guest has its share of descriptors: says so, once until it has less than half of them again. */
static int refuse_more(struct lane *lane)
{
    if (!lane->account->told)
        journal_guest(lane->journal, JOURNAL_WARNING, "more streams to host programs are refused: it holds %u descriptors, its share; "
                      "LimitNOFILE= in xvsd.service bounds them all", lane->account->files);
    lane->account->told = true;
    return -EMFILE;
}

static int offer(struct stream *s)
{
    struct bridge *b = bridge_of(s);

    if (s->v.local.cid != VSOCKIF_CID_HOST)
        return -ENOENT;
    if (!gate_lets_out(s->lane, POLICY_UNIX, NULL, s->v.local.port))
        return -EACCES;
    if (!account_take_file(s->lane->account))
        return refuse_more(s->lane);
    b->socket.fd = -1;
    fate_init(&b->fate, &watched_kind);
    dial(b);
    return 0;
}

/* No host program listens there. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

static struct reason reason_of_dial(const struct bridge_dialed *dialed)
{
    switch (*dialed->why ? EACCES : -dialed->fd) {
    case EPROTOTYPE:   return REASON(TYPE);
    case EAGAIN:       return REASON(BACKLOG);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:      return REASON(SHORT);
    case ENOENT:
    case ECONNREFUSED: return REASON(NOBODY);
    default:           return REASON(UNUSABLE);
    }
}

/* No host program takes it. */
static void refuse_guest(struct bridge *b, const struct bridge_dialed *dialed)
{
    struct lane *lane = b->s.lane;

    if (*dialed->why)
        journal_guest(lane->journal, JOURNAL_WARNING, "a connection to a host program is refused: %s/%s", dialed->dir, dialed->why);
    if (dialed->fd == -EMFILE || dialed->fd == -ENFILE)
        loop_out_of_files(lane->all->loop);
    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(lane->journal, JOURNAL_DEBUG, "no host program takes port %u: %s", b->s.v.local.port, strerror(-dialed->fd));
    if (is_nobody(dialed->fd) && !*dialed->why) {
        b->dials = 0;
        account_give_file(lane->account);
        stream_pass_on(&b->s);
        return;
    }
    stream_refuse(&b->s, reason_of_dial(dialed));
}

/* The first that is written to a socket fits, or the listener has gone; and the guest may not begin before it has been answered.  A
 * listener that cannot be told who calls is not to be called. */
static int say_from(struct bridge *b, int fd)
{
    const struct door *door = b->s.lane->host->door;
    char line[FROM_LINE];
    int len;

    if (!door)
        return -ENOENT;
    len = from_line(line, b->s.v.peer.cid, b->s.v.peer.port, door->name);
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        return -ECONNREFUSED;
    held_wrote(held_of(b), &b->in_socket, (uint32_t)len);
    return 0;
}

static void accept_guest(struct bridge *b, const struct bridge_dialed *dialed)
{
    struct bridge_dialed failed = *dialed;

    if ((dialed->for_all && (failed.fd = say_from(b, dialed->fd))) || (failed.fd = take_socket(b, dialed->fd))) {
        close(dialed->fd);
        refuse_guest(b, &failed);
        return;
    }
    b->dials = 0;
    b->writable = true;
    b->holds = dialed->vouched;
    stream_opened(&b->s);
    vmux_answer(b->s.lane->mux, &b->s.v);
    lane_wake(b->s.lane);
}

void bridge_dialed(struct hostside *host, const struct bridge_dialed *dialed)
{
    struct fate *fate = fates_find(&host->fates, dialed->request);
    struct bridge *b = fate && fate->watched.kind == &watched_kind ? container_of(fate, struct bridge, fate) : NULL;

    if (!b || !b->dials) {
        if (dialed->fd >= 0)
            close(dialed->fd);  /* its guest did not wait for it */
        return;
    }
    if (dialed->fd >= 0) {
        accept_guest(b, dialed);
        return;
    }
    fate_close(&host->fates, fate);
    if (dialed->fd == -EADDRINUSE && b->dials <= NAME_TRIES)
        dial(b);
    else
        refuse_guest(b, dialed);
}

static void redial(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);

    if (conn->released || s->kind != &bridge_end || !bridge_of(s)->dials)
        return;
    fate_close(fates_of(bridge_of(s)), &bridge_of(s)->fate);
    bridge_of(s)->dials = 0;
    dial(bridge_of(s));
    (void)arg;
}

void bridge_redial(struct hostside *host)
{
    if (host->lane->mux)
        vmux_each(host->lane->mux, redial, NULL);
}

int bridge_request(struct hostside *host, const struct bridge_caller *caller)
{
    struct lane *lane = host->lane;
    struct vaddr local = { VSOCKIF_CID_HOST, VSOCKIF_PORT_ANY }, peer = { lane->cid, caller->port };
    struct stream *s;
    struct bridge *b;
    int err;

    if (!lane_is_connected(lane))
        return -ENOTCONN;
    if (caller->messages && !vmux_has_seqpacket(lane->mux))
        return -ESOCKTNOSUPPORT;
    if ((err = stream_connect(lane, &bridge_end, local, peer, UINT32_MAX, &s)))
        return err;
    if (caller->messages) {
        vconn_set_type(&s->v.c, VSOCKIF_TYPE_SEQPACKET);
        vmux_set_buf_alloc(lane->mux, &s->v, stream_window(s));
    }
    b = bridge_of(s);
    b->socket.fd = -1;
    fate_init(&b->fate, &watched_kind);
    if ((err = take_socket(b, caller->fd))) {
        vmux_abort(lane->mux, &s->v, ECONNRESET, REASON(SHORT));
        stream_end(s);
        return err;
    }
    b->writable = b->by_host = true;
    b->is_channel = caller->says == BRIDGE_CHANNEL;
    b->line_waits = caller->line;
    b->holds = caller->says == BRIDGE_CALL;
    b->mark = caller->mark;
    return 0;
}

/* Why a program was refused whose guest has not been asked, or was not there to answer. */
static struct reason reason_of_refusal(int err)
{
    switch (err) {
    case EACCES:     return REASON(POLICY);
    case ENOTCONN:   return REASON(ABSENT);
    case ECONNRESET: return REASON(LEFT);
    case EMFILE:
    case ENOBUFS:    return REASON(LIMIT);
    case ENOMEM:     return REASON(SHORT);
    case ETIMEDOUT:  return REASON(TIMEOUT);
    case ESOCKTNOSUPPORT: return REASON(STREAMS);
    default:         return REASON(NONE);
    }
}

/* Who refuses, and why, where that is not said by it. */
static int refusal_line(char line[REFUSED_LINE], int err, struct reason reason)
{
    char words[REASON_WORDS];

    if (err == ETIMEDOUT || err == EACCES)
        return snprintf(line, REFUSED_LINE, "REFUSED %s\n", err == EACCES ? "policy" : "time");
    return snprintf(line, REFUSED_LINE, "REFUSED %s%s%s\n",
                    err == ECONNREFUSED ? "port" : err == ENOTCONN || err == ECONNRESET ? "guest" : "daemon",
                    reason.code ? " " : "", reason.code ? reason_words(words, reason) : "");
}

/* A host program is turned away.  A CALL with a word, so that a daemon that does not know CALL is not taken for one that refuses; whoever said
 * CONNECT may ask. */
static void turn_away(struct hostside *host, int fd, uint32_t port, bool vouched, int err, struct reason reason)
{
    char line[REFUSED_LINE];
    struct ucred who;
    socklen_t len = sizeof who;

    if (!reason.code)
        reason = reason_of_refusal(err);
    lane_tell_refused(host->lane, reason, port);
    if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
        turned_note(&host->turned, &who, 0, port, reason);
    if (vouched)
        (void)!send(fd, line, (size_t)refusal_line(line, err, reason), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A refusal is an end of file and no reset, for it is the answer that was asked for. */
void bridge_refuse(struct hostside *host, int fd, uint32_t port, bool vouched, int err)
{
    hostsock_take_line(fd);
    if (err != -EACCES)         /* gate_refused_in() has counted that */
        lane_refused(host->lane, true, reason_of_refusal(-err));
    turn_away(host, fd, port, vouched, -err, REASON(NONE));
    close(fd);
    account_give_file(host->lane->account);
}

void bridge_tell_why(struct hostside *host, int fd, uint32_t port)
{
    char line[TURNED_LINE];
    struct ucred who;
    socklen_t len = sizeof who;
    bool known = !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    int n = turned_line(line, port, known ? turned_find(&host->turned, &who, 0, port) : NULL);

    (void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    account_give_file(host->lane->account);
}

static void let_in(struct turned_away *turned, const struct bridge *b)
{
    struct ucred who;
    socklen_t len = sizeof who;

    if (turned->count && !getsockopt(b->socket.fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
        turned_let_in(turned, &who, 0, b->s.v.peer.port);
}

/* The guest has accepted: the client may begin. */
static void say_ok(struct bridge *b)
{
    char line[32];
    int len = snprintf(line, sizeof line, "OK %u\n", b->s.v.local.port);

    open_now(b, b->s.v.local.port);
    let_in(&b->s.lane->host->turned, b);
    if (!b->is_channel && send(b->socket.fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        b->hung_up = true;      /* nothing was ever written to it: only a closed socket does not take this */
}

static void event(struct stream *s, unsigned now)
{
    struct bridge *b = bridge_of(s);

    if (now & VCONN_NOW_OPEN)
        say_ok(b);
    /* Whoever stands in write() gets EPIPE; drop_queue() and drop_closed() see to the others. */
    if (now & (VCONN_NOW_DEAF | VCONN_NOW_CLOSED) && b->socket.fd >= 0) {
        shutdown(b->socket.fd, SHUT_RD);
        b->readable = true;
    }
    stream_wake(&b->s);
}

/* ---- memory in the socket ---- */

static void look_into_socket(struct bridge *b)
{
    held_saw(held_of(b), &b->in_socket, hostsock_holds(b->socket.fd));
}

static void look_again(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);

    (void)arg;
    if (!conn->released && s->kind == &bridge_end && bridge_of(s)->in_socket)
        look_into_socket(bridge_of(s));
}

/* What the guest's other streams believe to be in their sockets may have been read long ago.  Where most of it has, the next
 * such look pays as well. */
static void sweep(struct lane *lane)
{
    const struct held *h = &lane->account->held;

    if (lane->host->sweep_at > loop_now(lane->all->loop))
        return;
    vmux_each(lane->mux, look_again, NULL);
    lane->host->sweep_at = h->in_sockets > h->limit / 4 ? clock_deadline_ms(SERVE_FEED_MS) : 0;
}

/* How much of want bytes may be written now; 0 for less than least, with *starves if that is for the sake of the guest's other streams. */
static uint32_t find_room(struct bridge *b, uint32_t want, uint32_t least, bool *starves)
{
    const struct held *h = held_of(b);
    uint32_t most = promise_socket(&b->s.promise), room;
    bool reads;

    if (b->in_socket)
        look_into_socket(b);
    reads = b->fed && !b->in_socket;
    room = held_room(h, b->in_socket, most, reads);
    if (room < least && b->in_socket + least <= most) {
        sweep(b->s.lane);
        room = held_room(h, b->in_socket, most, reads);
        *starves = room < least;
    }
    return room < least ? 0 : room < want ? room : want;
}

/* ---- guest to host ---- */

/* The socket is full, or holds what it may: its reader's next read is an event. */
static void wait_for_reader(struct bridge *b)
{
    stream_is_stuck(&b->s);
    b->writable = false;
    source_change(poller_of(b), &b->socket, EVENTS_WRITE);
}

/* The first message, for one system call: its bytes, and the pieces. */
static uint32_t peek_message(struct bridge *b, uint32_t len, struct iovec *iov, int *used)
{
    static uint8_t whole[STREAM_MESSAGE];       /* of one in more pieces than that takes */
    const struct inbox_table *t = &b->s.lane->inboxes;
    uint32_t ends;

    if (inbox_peek_part(t, &b->s.inbox, 0, len, iov, PIECES, used, &ends) < len) {
        inbox_copy(t, &b->s.inbox, whole, len);
        *iov = (struct iovec){ .iov_base = whole, .iov_len = len };
        *used = 1;
    }
    return len;
}

static enum stream_again write_some(struct bridge *b)
{
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov };
    struct held *held = held_of(b);
    bool starves = false, has_messages = b->s.inbox.of_messages;
    uint32_t want = b->s.inbox.bytes < b->s.lane->quantum ? b->s.inbox.bytes : b->s.lane->quantum;
    uint32_t least = want < HOSTSOCK_WORTH ? want : HOSTSOCK_WORTH;
    ssize_t n;
    int used;

    if (has_messages)
        want = least = inbox_message(&b->s.lane->inboxes, &b->s.inbox);
    if (!held_fits(held, b->in_socket, promise_socket(&b->s.promise), want) && !(want = find_room(b, want, least, &starves))) {
        stream_is_stuck(&b->s);
        if (!starves)
            wait_for_reader(b);
        return starves ? STREAM_STARVES : STREAM_WAITS;
    }
    want = has_messages ? peek_message(b, want, iov, &used)
                        : inbox_peek(&b->s.lane->inboxes, &b->s.inbox, want, iov, PIECES, &used);
    msg.msg_iovlen = (size_t)used;
    n = sendmsg(b->socket.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        stream_become_deaf(&b->s);
        return STREAM_WAITS;
    }
    if (n > 0) {
        b->fed = true;
        if (has_messages)
            inbox_end_message(&b->s.inbox);
        held_wrote(held, &b->in_socket, (uint32_t)n);
        stream_consumed(&b->s, (uint32_t)n);
    }
    if (n < (ssize_t)want) {
        wait_for_reader(b);
        return STREAM_WAITS;
    }
    return stream_has_whole(&b->s) ? STREAM_MORE : STREAM_WAITS;
}

/* The host program has closed its socket.  A hang-up says so, unless it is only that both ends have shut sending; but then it is as
 * good as gone, too, if nobody waits for the end. */
static bool has_gone(const struct bridge *b)
{
    return b->hung_up && (!b->holds || (b->said_end && !b->s.told_eof));
}

/* …and has neither said that it had sent all, nor anybody that could. */
static bool has_died(const struct bridge *b)
{
    return b->hung_up && b->s.open && b->holds && !b->said_end && !watchers_vouch(&b->fate.watched);
}

static enum stream_again turn_to_host(struct bridge *b)
{
    enum stream_again again = STREAM_WAITS;

    if (!b->s.open)
        return STREAM_WAITS;
    if (has_gone(b))
        stream_become_deaf(&b->s);
    if (b->writable && stream_has_whole(&b->s))
        again = write_some(b);
    if (b->s.inbox.of_messages && (b->s.guest_eof || stream_is_closed(&b->s)) && !stream_has_whole(&b->s))
        stream_drop_part(&b->s);
    if (b->s.guest_eof && !b->s.told_eof && inbox_is_empty(&b->s.inbox) && !b->s.v.c.error) {
        b->s.told_eof = true;
        shutdown(b->socket.fd, SHUT_WR);
    }
    return again;
}

/* ---- host to guest ---- */

static void end_of_file(struct bridge *b)
{
    b->readable = false;
    if (!b->host_reset && b->holds && !b->said_end)
        return;                 /* said_end() looks again, or abandoned() makes it a reset */
    b->host_eof = true;
    b->host_reset |= b->breaks;
    if (b->host_reset)
        vmux_abort(b->s.lane->mux, &b->s.v, ECONNRESET, b->breaks ? b->reason : REASON(UNREAD));
    else
        stream_shut(&b->s, VSOCKIF_SHUTDOWN_SEND);
}

static enum stream_again read_error(struct bridge *b)
{
    if (errno == EINTR)
        return STREAM_MORE;
    b->readable = false;
    if (errno == EAGAIN)
        return STREAM_WAITS;
    /* ECONNRESET: it closed without having read everything.  The error is told once; what it sent is still there. */
    b->host_reset = true;
    stream_become_deaf(&b->s);
    b->readable = true;
    return STREAM_MORE;
}

/* The guest takes no more, and event() has told the host program's next write so. */
static enum stream_again drop_queue(struct bridge *b)
{
    if (hostsock_drop_queue(b->socket.fd, false)) {
        b->guest_left = true;
        return STREAM_MORE;
    }
    b->host_eof = true;
    return STREAM_WAITS;
}

/* The same when the guest's end is over, and the host program has not read all that came before. */
static enum stream_again drop_closed(struct bridge *b)
{
    if (!b->s.open || !b->readable)
        return STREAM_WAITS;
    /* A byte of messages cannot be kept: so all of them are. */
    b->readable = !(b->s.v.c.error && vconn_is_seqpacket(&b->s.v.c)) &&
                  hostsock_drop_queue(b->socket.fd, b->s.v.c.error || b->line_waits);
    if (!b->readable)
        return STREAM_WAITS;
    b->guest_left = true;
    b->line_waits = 0;
    return STREAM_MORE;
}

/* Takes what is left of the line out of the way of what is behind it.  False: there is nothing yet, or an end, which needs no reading; or
 * it is to be tried again, for a socket of messages tells of an error before what is in it. */
static bool pass_line(struct bridge *b)
{
    if (!b->failed && hostsock_unsent(b->socket.fd) <= b->line_waits) {
        b->readable = false;
        if (b->ending)
            end_of_file(b);
        return false;
    }
    if (!hostsock_take_line(b->socket.fd)) {
        read_error(b);
        return false;
    }
    b->line_waits = 0;
    return true;
}

static void break_off(struct bridge *b, struct reason why);

/* So many bytes of the message, of which there are more, or which are its last. */
static ssize_t read_part(struct bridge *b, struct iovec *iov, int used, bool is_last)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)used };
    bool peeks = b->passed || !is_last;
    ssize_t n;
    int start = 0;

    /* From here on the kernel goes on where the last peek ended, and back by what is taken away. */
    if (!b->passed && peeks && setsockopt(b->socket.fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start))
        return -1;
    n = recvmsg(b->socket.fd, &msg, (peeks ? MSG_PEEK : 0) | MSG_DONTWAIT);
    if (n > 0 && peeks && is_last)
        hostsock_take_message(b->socket.fd);
    return n;
}

static enum stream_again read_message(struct bridge *b)
{
    struct iovec iov[PIECES];
    ssize_t left = hostsock_message(b->socket.fd), n;
    enum stream_again again;
    uint32_t want;
    int used;

    if (left < 0)
        return read_error(b);
    if (left == 0 && b->ending && !hostsock_unsent(b->socket.fd)) {
        end_of_file(b);
        return STREAM_WAITS;
    }
    if (left == 0) {
        hostsock_take_message(b->socket.fd);
        return STREAM_MORE;
    }
    if (!b->passed && left > vconn_message_most(&b->s.v.c)) {
        break_off(b, REASON(SIZE));
        return STREAM_MORE;
    }
    want = left < VSOCKIF_MAX_PACKET ? (uint32_t)left : VSOCKIF_MAX_PACKET;
    if (!(want = stream_room(&b->s, want, iov, PIECES, &used, &again)))
        return again;
    if ((n = read_part(b, iov, used, want == left)) < 0)
        return read_error(b);
    stream_send_part(&b->s, (uint32_t)n, want == left ? VSOCKIF_SEQ_EOM : 0);
    b->passed = want == left ? 0 : b->passed + (uint32_t)n;
    return STREAM_MORE;
}

static enum stream_again turn_to_guest(struct bridge *b)
{
    struct iovec iov[PIECES];
    enum stream_again again;
    uint32_t want;
    ssize_t n;
    int used;

    if (!b->s.open || !b->readable || b->host_eof)
        return STREAM_WAITS;
    if (b->line_waits && !pass_line(b))
        return b->readable ? STREAM_MORE : STREAM_WAITS;
    if (vconn_is_send_shut(&b->s.v.c))
        return drop_queue(b);
    if (vconn_is_seqpacket(&b->s.v.c))
        return read_message(b);
    if (!(want = stream_room(&b->s, VSOCKIF_MAX_PACKET, iov, PIECES, &used, &again)))
        return again;
    n = readv(b->socket.fd, iov, used);
    if (n < 0)
        return read_error(b);
    if (n == 0) {
        end_of_file(b);
        return STREAM_WAITS;
    }
    stream_send(&b->s, (uint32_t)n);
    if (n < (ssize_t)want && !b->ending)
        b->readable = false;    /* drained; whatever comes later is a new edge */
    return b->readable ? STREAM_MORE : STREAM_WAITS;
}

/* ---- the end ---- */

/* What the host program has written and nobody has read. */
static bool has_unsent(const struct bridge *b)
{
    return b->socket.fd >= 0 && !b->host_eof && hostsock_unsent(b->socket.fd) > b->line_waits;
}

/* How a stream ended whose guest's end is over. */
static enum fate_end judge(const struct bridge *b)
{
    bool stopped = b->s.v.c.shut_peer & VSOCKIF_SHUTDOWN_RCV || (b->s.guest_eof && b->host_eof) || b->leaving;

    if (b->forbidden)
        return FATE_FORBIDDEN;
    if (b->host_reset)
        return FATE_HOST_RESET;
    if (b->s.unread)
        return FATE_HOST_LEFT;
    if (b->s.v.c.error)
        return stopped ? FATE_GUEST_LEFT : FATE_GUEST_RESET;
    return b->guest_left || has_unsent(b) ? FATE_GUEST_LEFT : FATE_ORDER;
}

/* The same when the device is gone, for the case that all that has come is delivered.  All may have been over by then. */
static enum fate_end judge_lost(const struct bridge *b, enum fate_end cut)
{
    const struct vconn *c = &b->s.v.c;

    if (!c->error || b->host_reset || b->forbidden || b->s.unread)
        return judge(b);
    if (b->s.guest_eof && vconn_is_delivered(c) && !b->guest_left && !has_unsent(b) &&
        (b->host_eof || c->shut_peer & VSOCKIF_SHUTDOWN_RCV))
        return FATE_ORDER;
    return cut;
}

static struct unread_parts parts_of(struct bridge *b)
{
    return (struct unread_parts){ .socket = &b->socket, .in_socket = &b->in_socket, .line_waits = b->line_waits };
}

static void let_go(struct bridge *b)
{
    int fd = b->socket.fd;

    door_leave(b->s.lane->host, b->mark);
    b->mark = 0;
    if (b->dials) {
        fate_close(fates_of(b), &b->fate);
        account_give_file(b->s.lane->account);
        b->dials = 0;
    }
    held_saw(held_of(b), &b->in_socket, 0);
    if (fd < 0)
        return;
    if (b->by_host && !b->s.open && !b->hung_up)
        turn_away(b->s.lane->host, fd, b->s.v.peer.port, b->holds, b->s.v.c.error, b->s.v.c.reason);
    source_remove(poller_of(b), &b->socket);
    close(fd);
    account_give_file(b->s.lane->account);
}

/* What the host program has not read is memory of the guest's: so its socket stays until it has (unread.h). */
static void close_as(struct bridge *b, enum fate_end end)
{
    if (b->line_waits && end == FATE_ORDER)
        hostsock_take_line(b->socket.fd);
    if (b->in_socket)
        look_into_socket(b);
    if (b->in_socket)
        unread_keep_socket(&b->s, parts_of(b), end == FATE_ORDER);
    let_go(b);
}

/* Why, as far as the end itself does not say. */
static struct reason reason_of_end(const struct bridge *b, enum fate_end end)
{
    if (end == FATE_HOST_RESET)
        return b->reason;
    return end == FATE_GUEST_RESET || end == FATE_GUEST_LEFT ? b->s.v.c.reason : REASON(NONE);
}

/* An open stream has ended, and those who wait are told. */
static void end_as(struct bridge *b, enum fate_end end)
{
    uint32_t number = fate_number(&b->fate);

    struct reason reason = reason_of_end(b, end);

    fate_close(fates_of(b), &b->fate);
    fates_note(fates_of(b), number, end, reason);
    close_as(b, end);
    watchers_tell(&b->fate.watched, number, end, reason);
}

/* The host program has gone, and the guest is told so in order; it has yet to say whether it has read everything. */
static void leave(struct bridge *b)
{
    struct lane *lane = b->s.lane;

    b->leaving = true;
    close_as(b, FATE_ORDER);    /* if it is there still, it has had its end of file */
    stream_discard(&b->s);
    promise_end(&lane->promises, &b->s.promise);
    vmux_close(lane->mux, &b->s.v, clock_deadline_ms(0));
    lane_wake(lane);
}

static void lost(struct stream *s, enum lane_cut why)
{
    static const enum fate_end cuts[] = {
        [LANE_STOPPED] = FATE_STOPPED, [LANE_DETACHED] = FATE_DETACHED, [LANE_GONE] = FATE_GONE, [LANE_REFUSED] = FATE_REFUSED,
        [LANE_DOWN] = FATE_DOWN
    };
    struct bridge *b = bridge_of(s);
    enum fate_end end;

    if (!s->open)
        return;
    end = judge_lost(b, cuts[why]);
    if (!stream_has_whole(s))
        end_as(b, end);
    else if (!s->guest_eof || s->deaf)
        end_as(b, cuts[why]);
    else if (!unread_keep(s, parts_of(b), &b->fate, end))
        end_as(b, FATE_HOST_LEFT);
}

/* ---- those who vouch for it ---- */

static struct bridge *bridge_watched(struct watched *w)
{
    return container_of(w, struct bridge, fate.watched);
}

static void vouched(struct watched *w)
{
    bridge_watched(w)->holds = true;
}

static void said_end(struct watched *w)
{
    struct bridge *b = bridge_watched(w);

    b->said_end = b->readable = true;
    stream_wake(&b->s);
}

static void break_off(struct bridge *b, struct reason why)
{
    struct stream *s = &b->s;

    b->host_reset = s->deaf = true;
    vmux_abort(s->lane->mux, &s->v, ECONNRESET, why);
    stream_discard(s);
    stream_wake(s);
}

static void abandoned(struct watched *w)
{
    break_off(bridge_watched(w), REASON(ABORTED));
}

static void said_reset(struct watched *w, struct reason why)
{
    struct bridge *b = bridge_watched(w);

    b->breaks = true;
    b->reason = why;
    if (b->host_eof)
        break_off(b, why);      /* its end was said before */
    else
        said_end(w);
}

static const struct watched_kind watched_kind = {
    .vouched = vouched, .said_end = said_end, .said_reset = said_reset, .abandoned = abandoned
};

/* ---- a turn ---- */

/* Nothing is left to do: the guest's end is over, and all it sent is delivered or has nobody to read it. */
static bool is_over(const struct bridge *b)
{
    return stream_is_closed(&b->s) && (!b->s.open || b->s.deaf || !stream_has_whole(&b->s));
}

static enum stream_again turn(struct stream *s)
{
    struct bridge *b = bridge_of(s);
    enum stream_again to_host = STREAM_WAITS, to_guest = STREAM_WAITS;

    if (!s->open && b->hung_up && !b->is_channel && !stream_is_closed(s))
        vmux_abort(s->lane->mux, &s->v, ECONNRESET, REASON(ABORTED));   /* the client gave up while it waited for OK */
    if (has_died(b))
        abandoned(&b->fate.watched);
    if (!b->leaving) {
        to_host = turn_to_host(b);
        to_guest = stream_is_closed(s) ? drop_closed(b) : turn_to_guest(b);
    }
    if (!b->leaving && !stream_is_closed(s) && b->host_eof && s->deaf)
        leave(b);
    if (is_over(b)) {
        if (s->open)
            end_as(b, judge(b));
        else
            close_as(b, FATE_ORDER);
        stream_end(s);
        return STREAM_ENDED;
    }
    if (to_host == STREAM_MORE || to_guest == STREAM_MORE)
        return STREAM_MORE;
    return to_host == STREAM_STARVES ? to_host : to_guest;
}

static void close_it(struct stream *s)
{
    let_go(bridge_of(s));
}

/* ---- a new policy ---- */

static bool is_allowed(const struct bridge *b)
{
    const struct lane *lane = b->s.lane;

    if (b->by_host)
        return !admit(lane, b->socket.fd, b->s.v.peer.port);
    return gate_lets_out(lane, POLICY_UNIX, NULL, b->s.v.local.port);
}

static void judge_again(struct stream *s)
{
    struct bridge *b = bridge_of(s);

    if (b->leaving || is_allowed(b))
        return;
    b->forbidden = true;
    stream_cut(s);
}

static unsigned ready(const struct stream *s)
{
    const struct bridge *b = (const struct bridge *)(const void *)s;

    return (b->readable ? END_READABLE : 0) | (b->writable ? END_WRITABLE : 0);
}

const struct end_kind bridge_end = {
    .name = "host",
    .size = sizeof(struct bridge),
    .policy = POLICY_UNIX,
    .has_messages = true,
    .offer = offer,
    .turn = turn,
    .event = event,
    .lost = lost,
    .close = close_it,
    .judge = judge_again,
    .ready = ready
};
