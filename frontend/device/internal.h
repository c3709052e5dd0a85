/* SPDX-License-Identifier: MIT */
/* internal.h: the library's own view of a device, and which file does what with it.
 *
 *     device.c    open, close, the descriptor, process and wait
 *     bus.c       xenstore: performs what the life cycle (life.h) asks for
 *     share.c     the pages and the event channel given to the backend
 *     pump.c      packets in, packets out, sleeping and waking
 *     receive.c   what has arrived and is not read yet
 *     send.c      the packet that is being gathered
 *     stream.c    connect, accept, shutdown, close; listener.c; events.c
 *     look.c      how a device is, without taking it
 *     blocking.c  helpers over the public calls alone
 *     inspect.c   statistics and the dump */
#ifndef XVS_INTERNAL_H
#define XVS_INTERNAL_H

#include <sys/types.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "clock.h"
#include "life.h"
#include "link_front.h"
#include "list.h"
#include "nodes.h"
#include "owner.h"
#include "parse.h"
#include "report.h"
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
};
#define SEGMENT_HEAP UINT32_MAX

struct xvs_stream {
    struct vmux_conn v;         /* first: the table allocates us */
    struct xvs *x;              /* NULL until the first packet or accept has shown us the stream */
    struct source source;
    struct segment *first, *last;
    uint8_t *piece;             /* the packet being gathered: in the tx pool, or on the heap if it stays in this guest; or NULL */
    uint32_t unread;            /* bytes in the segments */
    uint32_t piece_size, piece_len;             /* …its room, and bytes so far */
    uint32_t piece_good;        /* …up to which it may be written without asking again: room and credit; 0 if not known */
    uint32_t reserved;          /* bytes behind those that xvs_reserve() gave and xvs_commit() has not taken */
    bool was_fed;               /* has got memory since it was last told that there is some */
    bool wants_out;             /* was told -EAGAIN: owes it an XVS_EVENT_OUT */
    bool eof;                   /* the peer sends no more */
    struct list gather_link;    /* in xvs.gathering while there is a piece that may yet be sent */
    struct list blocked_link;   /* in xvs.hungry or xvs.fed while it waits for memory or slots */
    void *user;
};

struct xvs_listener {
    struct xvs *x;
    struct source source;
    struct vmux_listener *l;
    struct list link;           /* in xvs.listeners */
    void *user;
};

/* What the backend has of ours while connected. */
struct share {
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    bool has_port;
    struct vsockif_control *control;
    uint32_t control_ref;
    struct link_memory mem;
    uint32_t ring_pages, tx_pages, rx_pages;
    uint32_t own_domid;         /* when this was shared; 0 if it is not known */
    uint64_t suspended_ns;      /* …and for how long, at most, the guest had been suspended by then */
    bool restored;              /* since then the guest was saved and restored: see share_close() */
    bool orphan;                /* the pages are a forked child's own */
};

struct xvs {
    struct xvs_options opt;
    struct report report;
    struct wake wake;
    int store_fd, evtchn_fd;    /* as last watched, or -1 */
    struct owner_lock lock;
    struct store *store;
    uint64_t store_check;       /* ms: when to ask whether xenstored still answers */
    uint64_t byte_check;        /* ms: when to look at back_live again, LIFE_NEVER if there is no cause */
    struct life_front life;
    struct paths paths;
    bool looked;                /* life has been told how things are */
    bool stale;                 /* the last look failed: look again at store_check */
    bool sought;                /* where the device is has been looked up since our own node changed */
    bool found;                 /* paths are those of a device that exists */
    bool back_watched;
    uint32_t back_domid;
    uint64_t cid;
    struct share share;
    struct link_front link;     /* valid while up */
    bool up;
    bool store_fired;           /* xenstore has something to say */
    bool kicked;                /* the event channel had */
    bool masked;                /* …and says nothing more until it is unmasked */
    struct spinner spinner, yields;
    uint64_t next_yield;        /* ns (CLOCK_MONOTONIC): spinner.h */
    unsigned unslept;           /* waits that ended without a sleep */
    uint32_t gather_count;      /* streams in gathering */
    uint32_t local_count;       /* …those of them whose packet stays in this guest: all others have a slot kept for them */
    struct vmux *mux;
    struct list events, gathering, listeners;
    struct list hungry, fed;    /* streams that wait for memory or slots: fed ones got some since they were told */
    struct source source;
    struct segment segments[LINK_MAX_SLOTS];    /* one for each posted buffer */
    uint64_t heap_bytes;        /* in heap segments, and in pieces on the heap */
    uint64_t sent_kicks, received_kicks, opened, resets, ups;
    struct link_counters totals;    /* of the connections before this one */
};

static inline struct xvs_stream *stream_of(struct vmux_conn *conn)
{
    return (struct xvs_stream *)(void *)conn;
}

/* Something waits for a completion. */
static inline bool wants_room(const struct xvs *x)
{
    return !list_is_empty(&x->hungry) || !list_is_empty(&x->fed) || vmux_has_owed(x->mux);
}

static inline bool is_local(const struct xvs_stream *s)
{
    return s->v.peer.cid == VSOCKIF_CID_LOCAL;
}

/* Slots of the ring that gathering streams will need. */
static inline uint32_t slots_kept(const struct xvs *x)
{
    return x->gather_count - x->local_count;
}

uint64_t now_ms(void);
/* The defaults, and over them what was given (or NULL). */
void options_of(struct xvs_options *out, const struct xvs_options *given);
const char *options_run_dir(const struct xvs_options *o);
/* Sleeps until something comes, at most timeout ms (-1: no limit), and takes it in: 0 when the time is over, 1, or -EINTR.  May
 * return early: the caller looks for what it waits for and calls again. */
int device_sleep(struct xvs *x, int timeout);
/* Sets the timer for the next deadline. */
void device_set_timer(struct xvs *x, uint64_t now);
void device_notify(struct xvs *x);              /* the backend; remembers what that cost */

/* share.c: 0 or -errno; what says what was tried. */
int  share_probe(enum attempt *what);
int  share_open(struct share *s, const struct xvs_options *opt, const struct back_nodes *limits, uint32_t back_domid,
                enum attempt *what);
/* If the guest was restored, port and control page stay as they are until the process ends: Linux has forgotten the port, and
 * to unbind it is a BUG() that kills the caller (drivers/xen/evtchn.c, seen with 6.1). */
void share_close(struct share *s);
bool share_is_live(const struct share *s);
/* In a forked child, after which share_close() touches nothing of the parent's.  inert: a descriptor that nobody reads or writes. */
void share_orphan(struct share *s, int inert);

/* bus.c */
int  bus_open(struct xvs *x, enum attempt *what);
void bus_close(struct xvs *x);
/* Before share_close(): sets share.restored. */
void bus_judge_share(struct xvs *x);
/* Looks at xenstore if it has something to say, and does what the life cycle asks for. */
void bus_run(struct xvs *x, bool look, uint64_t now);
uint64_t bus_deadline(const struct xvs *x);

/* pump.c */
/* Takes what has come over the rings: the number of packets, or -EPROTO after which the device has been faulted. */
int  pump_receive(struct xvs *x, uint64_t now);
/* Sends what is owed, shows the backend what was sent, and notifies. */
void pump_flush(struct xvs *x);
/* Takes back what the backend has finished with, if anything, and tells those who wait for it. */
void pump_reap(struct xvs *x);
/* Someone waits for the backend to finish with something: its next completion is to wake us. */
void pump_await(struct xvs *x);
/* The backend broke a rule. */
void pump_fault(struct xvs *x, const char *why);
/* The transport is gone: every stream ends, its unread data moves to the heap. */
void pump_reset(struct xvs *x);
/* Applies what the connection machine reported to the stream. */
void pump_apply(struct xvs *x, struct vmux_event *ev);

/* receive.c: takes the data of a packet (counted as received already). */
void receive_packet(struct xvs *x, struct xvs_stream *s, const struct link_packet *packet);
void receive_copy(struct xvs *x, struct xvs_stream *s, const uint8_t *data, uint32_t len);
/* Copies what lies in posted buffers to the heap.  Without memory the stream ends here and keeps what is in order. */
void receive_evacuate(struct xvs *x, struct xvs_stream *s);
void receive_drop(struct xvs *x, struct xvs_stream *s);

/* send.c */
/* Sends the gathered packet, if there is one. */
void send_gathered(struct xvs *x, struct xvs_stream *s);
/* What is gathered will not be sent, and the backend is not to see it. */
void send_drop(struct xvs *x, struct xvs_stream *s);
/* The same, and the program is done with a place that it had reserved. */
void send_release(struct xvs *x, struct xvs_stream *s);
/* Memory has come back: wakes the streams that wait for it. */
void send_unblock(struct xvs *x);

/* stream.c: a stream that the table has just made gets its device. */
void stream_adopt(struct xvs *x, struct xvs_stream *s);
/* Ends it from this side: a reset, and the events that go with it. */
void stream_fail(struct xvs *x, struct xvs_stream *s, int error);
/* The table is about to reuse the record. */
void stream_dispose(struct vmux_conn *conn, void *arg);
/* Raises XVS_EVENT_HUP if the connection has ended since it was in state 'before'. */
void stream_tell_end(struct xvs_stream *s, enum vconn_state before);

#endif
