/* SPDX-License-Identifier: MIT */
/* stream.h: one connection of a guest's, as far as it does not matter what is at its other end (end.h).
 *
 * A struct stream is the beginning of the table's record (vmux.h), so it is made by vmux and gone with stream_end().  Data from
 * the guest always goes through its inbox; data to the guest goes straight into the guest's buffers and is never kept.
 *
 * By the lane:     stream_offered(), stream_event(), stream_turn(), stream_lost(), streams_judge()
 * By its end:      all the others */
#ifndef XVSD_STREAM_H
#define XVSD_STREAM_H

#include "end.h"
#include "lane.h"
#include "show.h"

#define STREAM_QUANTUM (256u << 10)     /* of a lane whose guest may move as many bytes as it likes */
/* Bytes of the largest message to a host program: a UNIX socket must take it whole, and up to this Linux's memory for it is little
 * more than its bytes, as held.h counts it; beyond, its first part is rounded up to a power of two. */
#define STREAM_MESSAGE (80u << 10)

struct stream {
    struct vmux_conn v;         /* first */
    struct lane *lane;
    const struct end_kind *kind;        /* NULL until an end has taken it */
    struct list turn;           /* in lane.streams_turn, lane.thirst or lane.starved */
    struct list holding;        /* in lane.holding while the inbox is not empty */
    struct inbox inbox;
    struct promise promise;     /* what we may promise its guest: buf_alloc, where the kind does not pass another's on */
    bool open;              /* both ends have agreed to it */
    bool guest_eof;         /* the guest sends no more */
    bool told_eof;          /* …and the other end has been told */
    bool deaf;              /* the other end receives no more: what the guest sends is dropped */
    bool stuck;             /* …did not take all that it was offered */
    bool unread;            /* bytes were dropped that it should have had */
    bool dry;               /* there is data for the guest, and its program has no room for it */
    bool called : 1;        /* the guest was asked for it, and did not ask */
    bool heard_reset : 1;   /* …and has reset it */
    uint32_t asked_at;      /* when: us, of uv_hrtime() */
    uint32_t stands_at;     /* when it became stuck or dry: ms, of loop_now() */
};

static inline struct stream *stream_of(struct vmux_conn *conn)
{
    return (struct stream *)(void *)conn;
}

static inline bool stream_is_closed(const struct stream *s)
{
    return s->v.c.state == VCONN_CLOSED;
}

/* A REQUEST came: finds its end, or refuses. */
void stream_offered(struct lane *lane, struct stream *s);
/* now: VCONN_NOW_*.  packet: the one that came, or NULL.  True if its data was kept in the inbox, and the id with it. */
bool stream_event(struct stream *s, unsigned now, const struct link_request *packet);
enum stream_again stream_turn(struct stream *s);
/* The lane is down; the table is about to be freed. */
void stream_lost(struct stream *s, enum lane_cut why);
/* There is a new policy: what it forbids of a lane's streams ends (end.h). */
void streams_judge(struct lane *lane);

/* The kind that has taken its REQUEST, and has not answered, finds that it is none of its own, and holds nothing for it any more: the kinds
 * behind it in the table are asked.  Without any it is refused.  Not from within the kind's offer(). */
void stream_pass_on(struct stream *s);
/* Refuses a REQUEST that has not been answered; the record is gone. */
void stream_refuse(struct stream *s, struct reason why);
/* Asks the guest for a connection; 'most' bytes are promised to it at most.  0 or a negative errno of vmux_connect(). */
int  stream_connect(struct lane *lane, const struct end_kind *kind, struct vaddr local, struct vaddr peer, uint32_t most,
                    struct stream **out);
/* It may be able to do something: it stands in line for a turn. */
void stream_wake(struct stream *s);
/* Both ends have agreed to it. */
void stream_opened(struct stream *s);
static inline void stream_stands(struct stream *s)
{
    if (!s->stuck && !s->dry)
        s->stands_at = (uint32_t)loop_now(s->lane->all->loop);
}
/* Its end does not take all that it was offered. */
static inline void stream_is_stuck(struct stream *s)
{
    s->lane->count.stalls += !s->stuck;
    stream_stands(s);
    s->stuck = true;
}
/* There is data for its guest, and no room at the guest's program. */
static inline void stream_is_dry(struct stream *s)
{
    s->lane->count.credit_waits += !s->dry;
    stream_stands(s);
    s->dry = true;
}
/* How many bytes the guest can take now, with the pieces in which to put them, at most max of them; 0 with *again saying what to
 * wait for.  want is at least 1. */
static inline uint32_t stream_room(struct stream *s, uint32_t want, struct iovec *iov, int max, int *used,
                                   enum stream_again *again)
{
    struct lane *lane = s->lane;
    uint32_t room = vconn_room(&s->v.c);

    *again = room ? STREAM_THIRSTS : STREAM_WAITS;
    if (!room) {
        stream_is_dry(s);
        vmux_want_room(lane->mux, &s->v);
    }
    if (!room || !link_back_can_send(&lane->back))
        return 0;
    room = room < VSOCKIF_MAX_PACKET ? room : VSOCKIF_MAX_PACKET;
    return link_back_room(&lane->back, want < room ? want : room, iov, max, used);
}

/* The first len bytes of these pieces are for the guest: of messages, with what they end (VSOCKIF_SEQ_*). */
static inline void stream_send_part(struct stream *s, uint32_t len, uint32_t flags)
{
    struct vsockif_hdr hdr;

    s->dry = false;
    vmux_send(s->lane->mux, &s->v, len, &hdr);
    if (flags)
        vconn_end_message(&s->v.c, &hdr, flags & VSOCKIF_SEQ_EOR);
    if (is_shown(s->lane))
        show_sending(s->lane, &hdr, REASON(NONE));
    link_back_send(&s->lane->back, &hdr);
    s->lane->moved = true;
}
static inline void stream_send(struct stream *s, uint32_t len)
{
    stream_send_part(s, len, 0);
}
/* What the guest is told that it may send, by what is promised.  A message waits until the socket has room for all of it, which
 * must not be more than that may ever hold. */
static inline uint32_t stream_window(const struct stream *s)
{
    uint32_t message;

    if (!vconn_is_seqpacket(&s->v.c))
        return s->promise.bytes;
    message = promise_socket(&s->promise);
    return message < STREAM_MESSAGE ? message : STREAM_MESSAGE;
}
/* The first len bytes of the inbox were delivered.  True if s->promise has changed: the caller sees to buf_alloc. */
bool stream_delivered(struct stream *s, uint32_t len);
/* The same for an end that takes what it was given: the guest has credit for it again. */
void stream_consumed(struct stream *s, uint32_t len);
/* The end of what the guest sends, and of what it is sent. */
void stream_shut(struct stream *s, unsigned flags);
/* Nobody will read what the guest sends, nor what is in the inbox. */
void stream_become_deaf(struct stream *s);
/* Nobody will read what is in the inbox. */
void stream_discard(struct stream *s);
/* There is something in the inbox for an end that takes messages whole. */
static inline bool stream_has_whole(const struct stream *s)
{
    return s->inbox.of_messages ? s->inbox.whole > 0 : !inbox_is_empty(&s->inbox);
}
/* What is in the inbox is a part of a message whose end will not come: it was never sent. */
void stream_drop_part(struct stream *s);
/* Copies len bytes from pieces to pieces; both have as many. */
void stream_copy(const struct iovec *to, const struct iovec *from, uint32_t len);
/* The policy ends it: with a reset for its guest, and a turn in which its end sees that; nothing that was sent is delivered any more. */
void stream_cut(struct stream *s);
/* Lets go: closes what is open, in order if that is possible. */
void stream_end(struct stream *s);

#endif
