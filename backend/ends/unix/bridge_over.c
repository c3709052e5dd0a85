/* SPDX-License-Identifier: MIT */
/* bridge_over.c: how the stream has ended, and for whom it is still of interest: those who ask, a host program that has not read everything. */
#include "bridge_inside.h"

#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "door.h"
#include "hostsock.h"
#include "unread.h"
#include "watchers.h"

/* ---- how ---- */

/* What the host program has written and nobody has read. */
static bool has_unsent(const struct bridge *b)
{
    return b->socket.fd >= 0 && !b->host_eof && hostsock_unsent(b->socket.fd) > b->line_waits;
}

enum fate_end bridge_judge(const struct bridge *b)
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
        return bridge_judge(b);
    if (b->s.guest_eof && vconn_is_delivered(c) && !b->guest_left && !has_unsent(b) &&
        (b->host_eof || c->shut_peer & VSOCKIF_SHUTDOWN_RCV))
        return FATE_ORDER;
    return cut;
}

/* ---- the number ---- */

void bridge_drop_number(struct bridge *b, enum fate_end end)
{
    uint32_t number = fate_number(&b->fate);

    fate_close(fates_of(b), &b->fate);
    watchers_tell(&b->fate.watched, number, end, REASON(NONE));
}

/* ---- the socket ---- */

static struct unread_parts parts_of(struct bridge *b)
{
    return (struct unread_parts){ .socket = &b->socket, .in_socket = &b->in_socket, .line_waits = b->line_waits };
}

static void let_go(struct bridge *b)
{
    int fd = b->socket.fd;

    door_leave(b->s.lane->host, b->mark);
    b->mark = 0;
    bridge_keep_no_place(b);
    if (b->dials) {
        bridge_drop_number(b, bridge_judge(b));
        account_give_file(b->s.lane->account);
        b->dials = 0;
    }
    held_saw(held_of(b), &b->in_socket, 0);
    if (fd < 0)
        return;
    if (b->by_host && !b->s.open && !b->hung_up)
        bridge_turn_away(b->s.lane->host, fd, b->s.v.peer.port, b->holds, b->s.v.c.error, b->s.v.c.reason);
    source_remove(poller_of(b), &b->socket);
    close(fd);
    account_give_file(b->s.lane->account);
}

void bridge_close(struct stream *s)
{
    let_go(bridge_of(s));
}

/* What the host program has not read is memory of the guest's: so its socket stays until it has (unread.h). */
void bridge_close_as(struct bridge *b, enum fate_end end)
{
    if (b->line_waits && end == FATE_ORDER)
        hostsock_take_line(b->socket.fd);
    if (b->in_socket)
        bridge_look_into_socket(b);
    if (b->in_socket)
        unread_keep_socket(&b->s, parts_of(b), end == FATE_ORDER);
    let_go(b);
}

/* ---- the end ---- */

/* Why, as far as the end itself does not say. */
static struct reason reason_of_end(const struct bridge *b, enum fate_end end)
{
    if (end == FATE_HOST_RESET)
        return b->reason;
    return end == FATE_GUEST_RESET || end == FATE_GUEST_LEFT ? b->s.v.c.reason : REASON(NONE);
}

void bridge_end_as(struct bridge *b, enum fate_end end)
{
    uint32_t number = fate_number(&b->fate);

    struct reason reason = reason_of_end(b, end);

    fate_close(fates_of(b), &b->fate);
    fates_note(fates_of(b), number, end, reason);
    bridge_close_as(b, end);
    watchers_tell(&b->fate.watched, number, end, reason);
}

void bridge_leave(struct bridge *b)
{
    struct lane *lane = b->s.lane;

    b->leaving = true;
    bridge_close_as(b, FATE_ORDER);     /* if it is there still, it has had its end of file */
    stream_discard(&b->s);
    promise_end(&lane->promises, &b->s.promise);
    vmux_close(lane->mux, &b->s.v, clock_deadline_ms(0));
    lane_wake(lane);
}

void bridge_lost(struct stream *s, enum lane_cut why)
{
    static const enum fate_end cuts[] = {
        [LANE_STOPPED] = FATE_STOPPED, [LANE_DETACHED] = FATE_DETACHED, [LANE_GONE] = FATE_GONE, [LANE_REFUSED] = FATE_REFUSED,
        [LANE_DOWN] = FATE_DOWN
    };
    struct bridge *b = bridge_of(s);
    enum fate_end end;

    if (b->dials)
        bridge_drop_number(b, cuts[why]);
    if (!s->open)
        return;
    bridge_keep_no_place(b);
    end = judge_lost(b, cuts[why]);
    if (!stream_has_whole(s))
        bridge_end_as(b, end);
    else if (!s->guest_eof || s->deaf)
        bridge_end_as(b, cuts[why]);
    else if (!unread_keep(s, parts_of(b), &b->fate, end))
        bridge_end_as(b, FATE_HOST_LEFT);
}
