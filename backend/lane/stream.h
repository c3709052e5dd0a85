/* SPDX-License-Identifier: MIT */
/* stream.h: one connection of a guest's, and what is at its other end: a UNIX socket, another guest, or the
 * daemon itself.
 *
 * A struct stream is the table's record (vmux.h), so it is made by vmux and gone with stream_end().  Data from the
 * guest always goes through its inbox; data to the guest goes straight into the guest's buffers and is never kept.
 *
 *     stream_wake()        it may be able to do something: it stands in line for a turn
 *     stream_turn()        its turn: a bounded piece of work; says whether it wants another
 *     stream_event()       a packet of its came, or a deadline
 *     stream_lost()        the device goes away
 *
 * What differs between the kinds is in bridge.c, relay.c and service.c; farewell.c is for those whose guest went away. */
#ifndef XVSD_STREAM_H
#define XVSD_STREAM_H

#include "device.h"
#include "fate.h"
#include "vmux.h"

#define STREAM_QUANTUM (256u << 10)     /* bytes each way in one turn, at most */

enum stream_again {
    STREAM_WAITS,               /* for an event: of its socket, of its guest */
    STREAM_MORE,                /* it can do more at once */
    STREAM_THIRSTS,             /* it has data for its guest, and the guest has no empty buffer */
    STREAM_STARVES,             /* it has data for its host program, and the guest's sockets hold what they may (held.h) */
    STREAM_ENDED                /* the record is gone */
};

struct stream {
    struct vmux_conn v;         /* first */
    struct device *device;
    struct list turn;           /* in device.streams_turn, device.thirst or device.starved */
    struct list holding;        /* in device.holding while the inbox is not empty */
    struct inbox inbox;
    struct promise promise;     /* what we may promise its guest: for a bridged one, buf_alloc */
    struct stream *twin;        /* the other guest's record of a relayed connection */
    struct source socket;       /* of a bridged one */
    struct fate fate;           /* …once it is open: its number, and who waits for its end */
    struct farewell *farewell;  /* what is left of a twin that is gone, or NULL */
    uint8_t service;            /* the port of one of the daemon's own services, or 0 */
    bool open;                  /* both ends have agreed to it */
    bool readable, writable;    /* the socket, as far as we know */
    bool ending;                /* the host program sends no more; an end of file comes after what it sent */
    bool hung_up;               /* …has closed: what it sent can still be read */
    bool host_eof;              /* …sends no more, and the guest has been told */
    bool host_deaf;             /* …receives no more: what the guest sends is dropped */
    bool host_reset;            /* …closed with data unread: ends with a reset */
    bool guest_eof;             /* the guest sends no more */
    bool told_eof;              /* …and the other end has been told */
    bool stuck : 1;             /* the other end did not take all that it was offered */
    bool fed : 1;               /* something was written to the socket */
    bool line_waits : 1;        /* the newline of its line is still in the socket (bridge.c) */
    bool failed : 1;            /* the socket has an error to tell */
    bool holds : 1;             /* its end is passed on to the guest only when a voucher has said so (watchers.h) */
    bool said_end : 1;          /* …which one has */
    bool leaving : 1;           /* the host program has gone, and the guest has yet to say how it ended */
    bool guest_left : 1;        /* bytes were dropped that the guest should have read, */
    bool host_left : 1;         /* …that the host program should have */
    uint16_t mark;              /* of one that came in by a door (door.h), or 0 */
    uint32_t in_socket;         /* bytes of the kernel's memory in the socket, at most: what is not read yet (held.h) */
};

static inline struct stream *stream_of(struct vmux_conn *conn)
{
    return (struct stream *)(void *)conn;
}

static inline bool stream_is_closed(const struct stream *s)
{
    return s->v.c.state == VCONN_CLOSED;
}

/* Fills in what is not zero in a record that has just come from the table. */
void stream_init(struct stream *s, struct device *d);
void stream_wake(struct stream *s);
enum stream_again stream_turn(struct stream *s);

/* now: VCONN_NOW_*.  packet: the one that came, or NULL.  True if its data was kept in the inbox, and the id with it. */
bool stream_event(struct stream *s, unsigned now, const struct link_request *packet);
/* A REQUEST came: finds the other end, or refuses. */
void stream_offered(struct stream *s);

/* The first len bytes of the inbox were delivered.  True if s->promise has changed: the caller sees to buf_alloc. */
bool stream_delivered(struct stream *s, uint32_t len);
/* Nobody will read what is in the inbox. */
void stream_discard(struct stream *s);
/* Copies len bytes from pieces to pieces; both have as many. */
void stream_copy(const struct iovec *to, const struct iovec *from, uint32_t len);
/* Lets go: closes what is open, in order if that is possible. */
void stream_end(struct stream *s);
/* The guest is gone; the table is about to be freed. */
void stream_lost(struct stream *s);

#endif
