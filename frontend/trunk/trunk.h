/* SPDX-License-Identifier: MIT */
/* trunk.h: the streams of a device and the rings that carry all of them.
 *
 *     packets.c   packets in, packets out, sleeping and waking
 *     table.c     all streams: from the first to the last, and their end when the rings go away
 *     tell.c      what has happened to a stream, for the application
 *     unread.c    what has arrived and is not read yet
 *     piece.c     the packet that a stream is gathering
 *
 * A file calls those below it.  What a program calls is in the next room (streams/), and what brings the rings and takes them
 * away in life/.  The table of streams is there from open to close, the rings only while the device is up: what breaks their
 * rules is found here, and what is done about it is up to whoever calls.  One thread, the device's. */
#ifndef XVS_TRUNK_H
#define XVS_TRUNK_H

#include <xenevtchn.h>

#include "link_front.h"
#include "list.h"
#include "source.h"
#include "spinner.h"
#include "vmux.h"
#include "wake.h"
#include "xvs.h"

/* A run of bytes that arrived and was not read yet: in a posted buffer, or copied to the heap when too
 * many posted buffers are held by readers that take their time. */
struct segment {
    struct segment *next;
    const uint8_t *data;        /* the first unread byte */
    uint32_t len;               /* unread bytes */
    uint32_t room;              /* heap: bytes that can still be appended; posted buffer: 0 */
    uint32_t id;                /* posted buffer: its id; heap: SEGMENT_HEAP */
    uint32_t ends;              /* posted buffer: VSOCKIF_SEQ_* of its last byte; heap of messages: words of its two maps (unread.c) */
};
#define SEGMENT_HEAP UINT32_MAX

struct xvs_stream {
    struct vmux_conn v;         /* first: the table allocates us */
    struct trunk *trunk;        /* NULL until the first packet or accept has shown us the stream */
    struct source source;
    struct segment *first, *last;
    uint8_t *piece;             /* the packet being gathered: in the tx pool, or on the heap if it stays in this guest; or NULL */
    uint32_t unread;            /* bytes in the segments */
    uint32_t messages;          /* …whole ones, of a SEQPACKET */
    uint32_t piece_size, piece_len;             /* …its room, and bytes so far */
    uint32_t piece_good;        /* …up to which it may be written without asking again: room and credit; 0 if not known */
    uint32_t reserved;          /* bytes behind those that xvs_reserve() gave and xvs_commit() has not taken */
    bool was_fed;               /* has got memory since it was last told that there is some */
    bool wants_out;             /* was told -EAGAIN: owes it an XVS_EVENT_OUT */
    bool eof;                   /* the peer sends no more */
    bool had_eor;               /* the message that was read last */
    struct list gather_link;    /* in trunk.gathering while there is a piece that may yet be sent */
    struct list blocked_link;   /* in trunk.hungry or trunk.fed while it waits for memory or slots */
    void *user;
};

struct xvs_listener {
    struct trunk *trunk;
    struct source source;
    struct vmux_listener *l;
    struct list link;           /* in trunk.listeners */
    void *user;
};

struct trunk {
    struct wake *wake;          /* the device's */
    bool up;
    const char *why;            /* how the backend broke the protocol, once it has; good until the next packets_begin() */

    /* While up: the rings, and whom to notify. */
    struct link_front link;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    uint64_t cid;               /* ours; stays when the device goes down */

    struct vmux *mux;
    struct list events;         /* sources that have something to tell */
    struct list listeners;
    struct list gathering;
    struct list hungry, fed;    /* streams that wait for memory or slots: fed ones got some since they were told */
    uint32_t gather_count;      /* streams in gathering */
    uint32_t local_count;       /* …those of them whose packet stays in this guest: all others have a slot kept for them */
    uint32_t buffer;            /* xvs_options */
    uint32_t connect_timeout;
    struct spinner spinner;     /* what a notification costs, and so how long to look before a sleep */
    struct segment segments[LINK_MAX_SLOTS];    /* one for each posted buffer */
    uint64_t heap_bytes;        /* in heap segments, and in pieces on the heap */
    uint64_t sent_kicks, opened, resets;
    struct link_counters totals;    /* of the connections before this one */
};

/* The trunk is a device's first member (handle.h). */
static inline struct trunk *trunk_of(struct xvs *x)
{
    return (struct trunk *)(void *)x;
}

static inline struct xvs *xvs_of(struct trunk *t)
{
    return (struct xvs *)(void *)t;
}

static inline struct xvs_stream *stream_of(struct vmux_conn *conn)
{
    return (struct xvs_stream *)(void *)conn;
}

/* A stream that the table has just made gets its trunk. */
static inline void stream_adopt(struct trunk *t, struct xvs_stream *s)
{
    if (s->trunk)
        return;
    s->trunk = t;
    source_init(&s->source, SOURCE_STREAM);
    list_init(&s->gather_link);
    list_init(&s->blocked_link);
}

static inline bool has_messages(const struct xvs_stream *s)
{
    return vconn_is_seqpacket(&s->v.c);
}

/* There is something to read. */
static inline bool is_readable(const struct xvs_stream *s)
{
    return has_messages(s) ? s->messages : s->unread;
}

static inline bool is_local(const struct xvs_stream *s)
{
    return s->v.peer.cid == VSOCKIF_CID_LOCAL;
}

/* Something waits for a completion. */
static inline bool wants_room(const struct trunk *t)
{
    return !list_is_empty(&t->hungry) || !list_is_empty(&t->fed) || vmux_has_owed(t->mux);
}

/* Slots of the ring that gathering streams will need. */
static inline uint32_t slots_kept(const struct trunk *t)
{
    return t->gather_count - t->local_count;
}

#endif
