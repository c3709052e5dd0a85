/* SPDX-License-Identifier: MIT */
/* bridge_to_host.c: what the guest sends, from its inbox into the socket, as far as the memory there is the guest's to have (held.h). */
#include "bridge_inside.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "clock.h"
#include "hostsock.h"
#include "serve.h"
#include "watchers.h"

#define EVENTS_WRITE (BRIDGE_EVENTS | EPOLLOUT)

/* ---- memory in the socket ---- */

void bridge_look_into_socket(struct bridge *b)
{
    held_saw(held_of(b), &b->in_socket, hostsock_holds(b->socket.fd));
}

static void look_again(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);

    if (!conn->released && s->kind == ((struct bridge *)arg)->s.kind && bridge_of(s)->in_socket)
        bridge_look_into_socket(bridge_of(s));
}

/* What the guest's other streams believe to be in their sockets may have been read long ago.  Where most of it has, the next
 * such look pays as well. */
static void sweep(struct bridge *b)
{
    struct lane *lane = b->s.lane;
    const struct held *h = &lane->account->held;

    if (lane->host->sweep_at > loop_now(lane->all->loop))
        return;
    vmux_each(lane->mux, look_again, b);
    lane->host->sweep_at = h->in_sockets > h->limit / 4 ? clock_deadline_ms(SERVE_FEED_MS) : 0;
}

/* How much of want bytes may be written now; 0 for less than least, with *starves if that is for the sake of the guest's other streams. */
static uint32_t find_room(struct bridge *b, uint32_t want, uint32_t least, bool *starves)
{
    const struct held *h = held_of(b);
    uint32_t most = promise_socket(&b->s.promise), room;
    bool reads;

    if (b->in_socket)
        bridge_look_into_socket(b);
    reads = b->fed && !b->in_socket;
    room = held_room(h, b->in_socket, most, reads);
    if (room < least && b->in_socket + least <= most) {
        sweep(b);
        room = held_room(h, b->in_socket, most, reads);
        *starves = room < least;
    }
    return room < least ? 0 : room < want ? room : want;
}

/* ---- writing ---- */

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

    if (inbox_peek_part(t, &b->s.inbox, 0, len, iov, BRIDGE_PIECES, used, &ends) < len) {
        inbox_copy(t, &b->s.inbox, whole, len);
        *iov = (struct iovec){ .iov_base = whole, .iov_len = len };
        *used = 1;
    }
    return len;
}

static enum stream_again write_some(struct bridge *b)
{
    struct iovec iov[BRIDGE_PIECES];
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
                        : inbox_peek(&b->s.lane->inboxes, &b->s.inbox, want, iov, BRIDGE_PIECES, &used);
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

/* ---- a turn ---- */

/* The host program has closed its socket.  A hang-up says so, unless it is only that both ends have shut sending; but then it is as
 * good as gone, too, if nobody waits for the end. */
static bool has_gone(const struct bridge *b)
{
    return b->hung_up && (!b->holds || (b->said_end && !b->s.told_eof));
}

enum stream_again bridge_turn_to_host(struct bridge *b)
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
