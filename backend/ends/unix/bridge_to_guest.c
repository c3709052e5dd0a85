/* SPDX-License-Identifier: MIT */
/* bridge_to_guest.c: what the host program sends, from the socket into the guest's buffers; and its end. */
#include "bridge_inside.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "clock.h"
#include "hostsock.h"

void bridge_break_off(struct bridge *b, struct reason why)
{
    struct stream *s = &b->s;

    b->host_reset = s->deaf = true;
    vmux_abort(s->lane->mux, &s->v, ECONNRESET, why);
    stream_discard(s);
    stream_wake(s);
}

static void end_of_file(struct bridge *b)
{
    b->readable = false;
    if (!b->host_reset && b->holds && !b->said_end)
        return;                 /* said_end() looks again, or bridge_abandoned() makes it a reset */
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

/* ---- nobody reads it any more ---- */

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
enum stream_again bridge_drop_closed(struct bridge *b)
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

/* ---- a line, a message ---- */

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
    struct iovec iov[BRIDGE_PIECES];
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
        bridge_break_off(b, REASON(SIZE));
        return STREAM_MORE;
    }
    want = left < VSOCKIF_MAX_PACKET ? (uint32_t)left : VSOCKIF_MAX_PACKET;
    if (!(want = stream_room(&b->s, want, iov, BRIDGE_PIECES, &used, &again)))
        return again;
    if ((n = read_part(b, iov, used, want == left)) < 0)
        return read_error(b);
    stream_send_part(&b->s, (uint32_t)n, want == left ? VSOCKIF_SEQ_EOM : 0);
    b->passed = want == left ? 0 : b->passed + (uint32_t)n;
    return STREAM_MORE;
}

/* ---- a turn ---- */

enum stream_again bridge_turn_to_guest(struct bridge *b)
{
    struct iovec iov[BRIDGE_PIECES];
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
    if (!(want = stream_room(&b->s, VSOCKIF_MAX_PACKET, iov, BRIDGE_PIECES, &used, &again)))
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
