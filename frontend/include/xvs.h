/* SPDX-License-Identifier: MIT */
/* xvs.h: vsock streams from inside a Xen guest.
 *
 * One struct xvs is one vsock device of this domain; a process opens it, and owns it until it closes it.  Streams and
 * listeners belong to the device.  Everything is event-driven over one descriptor:
 *
 *     xvs_open(NULL, &x);
 *     xvs_listen(x, 1234, 16, &listener);
 *     for (;;) {
 *         poll() on xvs_fd(x) for POLLIN, for as long as you like     (or xvs_wait(x, -1), which does both)
 *         xvs_process(x);
 *         while (xvs_next_event(x, &ev)) …accept, read, write until -EAGAIN…
 *     }
 *
 * Events are edges: each tells that something became possible, and is sure to be told again only after a call gave
 * -EAGAIN, or took fewer bytes than it was given.  Small programs can use the blocking helpers at the end instead, and never see an event.
 *
 * Results   0 or a count on success; a negative errno otherwise.  errno itself means nothing.
 * Ownership what an out-parameter returns is yours until its close call; closing the device closes all.
 * Threads   a device with all its streams belongs to one thread at a time; different devices are independent.
 *           After fork() it is the parent's: in the child its calls fail with -ESTALE, -ENETDOWN or -ECONNRESET, or do nothing,
 *           and closing it there closes nothing of the parent's.  No call raises SIGPIPE.
 * Survival  when the daemon in dom0 restarts, or the domain is saved and restored or migrated, all streams end with
 *           -ECONNRESET, listeners stay, and the device comes back by itself (XVS_EVENT_DOWN, XVS_EVENT_UP).
 *
 * Addresses are (CID, port).  CID 2 is the host, 1 this guest itself; other guests' CIDs come from the
 * host's administrator.  The manual pages are xvs(3), xvs_open(3), xvs_stream(3), xvs_wait(3). */
#ifndef XVS_H
#define XVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct xvs;
struct xvs_stream;
struct xvs_listener;

#define XVS_CID_LOCAL UINT64_C(1)
#define XVS_CID_HOST  UINT64_C(2)
#define XVS_PORT_ANY  0xffffffffu

struct xvs_address {
    uint64_t cid;
    uint32_t port;
};

/* ---- the device ---- */

#define XVS_SPIN_AUTO UINT32_MAX    /* for xvs_options.spin */

/* Set by xvs_options_init(); change what you need. */
struct xvs_options {
    size_t   size;              /* of this struct: lets it grow without breaking you */
    unsigned device;            /* device/vsock/N; default 0 */
    uint32_t buffer;            /* bytes that a stream may receive unread; default 512 KiB, 4 KiB to 64 MiB */
    uint32_t tx_pool, rx_pool;  /* bytes of shared memory each way; default 960 KiB, 64 KiB to 2 MiB, whole pages, together
                                   at most 3904 KiB.  All devices of a guest share gntalloc's limit, 4 MiB by default */
    uint32_t max_streams;       /* default 65536 */
    uint32_t connect_timeout;   /* milliseconds; default 2000 */
    uint32_t spin;              /* microseconds that a wait looks at the ring before it sleeps, at times when that has
                                   paid; 0 for never, default XVS_SPIN_AUTO: as long as a sleep and a wake-up cost here */
    const char *run_dir;        /* for the lock file; default $XVS_RUN_DIR, else /run/xvs */
    void (*log)(void *log_arg, const char *line);   /* one line, no newline; default: nothing is logged */
    void *log_arg;
};

void xvs_options_init(struct xvs_options *options);

/* Opens the device; NULL options are the defaults.  Returns at once: the device comes up in the background
 * (XVS_EVENT_UP, or xvs_wait_up()), now or when the daemon in dom0 attaches it.
 * -EBUSY    another process owns the device, or this one has opened it before: xvs_open_error() names it
 * -ENOENT   there is no Xen here: the modules xen-evtchn and xen-gntalloc are missing, or this is no guest
 * -EACCES, -EMFILE, -ENOMEM, -EINVAL (an option out of its range) */
int  xvs_open(const struct xvs_options *options, struct xvs **out);
/* Ends all streams and gives all shared memory back, and the device is free for the next process, whatever children of this one
 * are still there.  NULL is allowed. */
void xvs_close(struct xvs *x);
/* What the last failed xvs_open() or xvs_look() of this thread tried, on what, and what to do about it; never NULL. */
const char *xvs_open_error(void);

/* How a device is, without taking it: whoever owns it goes on, and whoever wants to own it may, meanwhile. */
struct xvs_device_info {
    size_t   size;              /* set it to sizeof before the call */
    uint64_t cid;               /* 0 if it is not known */
    long     owner;             /* the process that has it open; 0: nobody; -1: there may be one, whose id cannot be told here */
    uint32_t state;             /* in xenstore: ours, 1 Initialising to 6 Closed (0: none); nobody keeps it without an owner */
    uint32_t backend_state;     /* …and the daemon's */
    bool     is_attached;       /* dom0 has made the device */
    bool     is_up;             /* its owner, or the kernel, is connected with the daemon */
    char     reason[256];       /* one line for a person */
    bool     is_kernels;        /* this guest's kernel has it, for AF_VSOCK, and no program owns it */
};

/* options: only device and run_dir count; NULL as for xvs_open().  Errors as there, but for -EBUSY; a device that is not attached is
 * none. */
int  xvs_look(const struct xvs_options *options, struct xvs_device_info *info);

/* One descriptor to poll for POLLIN.  It stays the same until xvs_close(); do not read from it. */
int  xvs_fd(const struct xvs *x);
/* Does all that is due without blocking: 0, or a negative errno after which only xvs_close() is of use (-ESTALE: this is a
 * process that was forked from the device's owner). */
int  xvs_process(struct xvs *x);
/* Processes, then sleeps until there is an event or timeout milliseconds have passed (-1: no limit).
 * 1 if there is an event, 0 if the time is over, -EINTR if a signal came, or as xvs_process(). */
int  xvs_wait(struct xvs *x, int timeout);
/* Shows the backend what was written with XVS_MORE. */
void xvs_flush(struct xvs *x);

bool xvs_is_up(const struct xvs *x);
/* This guest's context id; 0 until the device was up for the first time. */
uint64_t xvs_cid(const struct xvs *x);
/* Why the device is down, or how it went down last; one line, never NULL. */
const char *xvs_reason(const struct xvs *x);

/* ---- events ---- */

#define XVS_EVENT_UP      (1u << 0)     /* the device is up: connecting is possible */
#define XVS_EVENT_DOWN    (1u << 1)     /* it is not; all streams have ended */
#define XVS_EVENT_ACCEPT  (1u << 2)     /* a listener has a stream to accept */
#define XVS_EVENT_OPEN    (1u << 3)     /* a connect has succeeded */
#define XVS_EVENT_IN      (1u << 4)     /* data or the end of the stream to read */
#define XVS_EVENT_OUT     (1u << 5)     /* writing is possible again */
#define XVS_EVENT_HUP     (1u << 6)     /* the stream is over: xvs_stream_error() says how.  Unread data can still be read */

struct xvs_event {
    unsigned what;                      /* a set of the above */
    struct xvs_stream *stream;          /* or NULL */
    struct xvs_listener *listener;      /* or NULL */
    void *user;                         /* of the stream or listener */
};

/* Takes the next event; false if there is none.  Closing a stream takes its events away. */
bool xvs_next_event(struct xvs *x, struct xvs_event *event);

/* ---- listening and connecting ---- */

/* backlog: streams that wait to be accepted; more are refused.  -EADDRINUSE, -ENOMEM, -EINVAL (backlog 0).
 * The device need not be up. */
int  xvs_listen(struct xvs *x, uint32_t port, unsigned backlog, struct xvs_listener **out);
/* -EAGAIN when there is none. */
int  xvs_accept(struct xvs_listener *l, struct xvs_stream **out);
void xvs_listener_close(struct xvs_listener *l);
void xvs_listener_set_user(struct xvs_listener *l, void *user);
uint32_t xvs_listener_port(const struct xvs_listener *l);

/* Begins a connection: XVS_EVENT_OPEN or XVS_EVENT_HUP follows.  -ENETDOWN (device down), -EADDRNOTAVAIL (no local port
 * left), -ENOBUFS (max_streams), -ENOMEM, -EINVAL.  Later, as the stream's error: -ECONNREFUSED when nobody listens or the
 * backlog is full (Linux's AF_VSOCK says ECONNRESET; TCP's word tells a caller more), -ETIMEDOUT. */
int  xvs_connect(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out);

/* ---- streams ---- */

#define XVS_MORE  (1u << 0)     /* send: gather, until a send without it, xvs_flush(), xvs_process() or a full packet */
#define XVS_PEEK  (1u << 1)     /* recv: copy without consuming */
#define XVS_TRUNC (1u << 2)     /* recv of a message: say how long it was, and not how much of it is in the buffer */
#define XVS_EOR   (1u << 3)     /* send of a message: it ends a record (POSIX's MSG_EOR), which its receiver is told */

/* The number of bytes taken, perhaps fewer than len.  -EAGAIN (no credit or no memory: XVS_EVENT_OUT follows), -EPIPE (shut for
 * writing by either end), -ENOTCONN (not open yet), -ENOMEM (within this guest), or the stream's error.  0 bytes without XVS_MORE end what is gathered. */
ssize_t xvs_send(struct xvs_stream *s, const void *data, size_t len, unsigned flags);
ssize_t xvs_sendv(struct xvs_stream *s, const struct iovec *iov, int count, unsigned flags);
/* The number of bytes, 0 at the end of the stream, -EAGAIN, -ENOTCONN (not open yet), or the stream's error once all data was
 * read, if it came before the end of the stream did. */
ssize_t xvs_recv(struct xvs_stream *s, void *buffer, size_t len, unsigned flags);

/* Writing without a copy: a piece of up to want bytes of the ring's own memory, to be filled and then committed.  Returns its
 * size (at most want and 64 KiB), or as xvs_send(); -EINVAL to want nothing.  One piece a stream at a time.  It is yours to fill
 * until xvs_commit(), another call that writes to or ends the stream, or the device is processed again.  dom0 can read what you
 * write there from then on, whether you commit it or not (but for streams within this guest): no place for secrets that may
 * have to be taken back. */
ssize_t xvs_reserve(struct xvs_stream *s, size_t want, void **piece);
/* Sends the first len bytes of the piece and gives the rest back; len may be 0.  -EINVAL: that is more than was reserved, or
 * nothing is.  Otherwise as xvs_send(), but for -EAGAIN. */
int     xvs_commit(struct xvs_stream *s, size_t len, unsigned flags);
/* Reading without a copy: fills up to max entries with what has arrived and returns their number, 0 at the end of the
 * stream, -EINVAL (max below 1), or as xvs_recv().  The memory stays good until xvs_done() has consumed it or the device is processed again, and may be
 * changed meanwhile by a hostile backend: check what you read only after copying what you check. */
int     xvs_peek(struct xvs_stream *s, struct iovec *iov, int max);
void    xvs_done(struct xvs_stream *s, size_t len);

/* how: SHUT_RD, SHUT_WR, SHUT_RDWR.  What was sent before is delivered before the peer sees the end; what was received and
 * not read before SHUT_RD is dropped.  -EINVAL, -ENOTCONN (not open yet, or over in order), or the stream's error. */
int  xvs_shutdown(struct xvs_stream *s, int how);
/* Lets go of the stream.  With data unread it is a reset, otherwise an orderly close that goes on in the background. */
void xvs_stream_close(struct xvs_stream *s);
/* Ends it at once with a reset, then as xvs_stream_close(). */
void xvs_stream_reset(struct xvs_stream *s);

void  xvs_stream_set_user(struct xvs_stream *s, void *user);
void *xvs_stream_user(const struct xvs_stream *s);
struct xvs *xvs_stream_device(const struct xvs_stream *s);
/* 0 while it lives and after an orderly end, else the negative errno that ended it: -ECONNREFUSED and -ECONNRESET have many causes
 * (xvs_stream_reason()).  After XVS_EVENT_HUP 0 says that the peer
 * has taken all that was sent: a program has read it, or a socket of the host's has it. */
int  xvs_stream_error(const struct xvs_stream *s);
/* Why a stream was refused or reset: XVS_REASON_*.  NONE while it lives, after an orderly end, and if nobody has said: older
 * daemons and libraries do not, nor do AF_VSOCK programs.  *detail, which may be NULL, is the exit status or the signal of a command
 * (STATUS, SIGNAL), else 0.  What the other program says of itself it may invent. */
int  xvs_stream_reason(const struct xvs_stream *s, unsigned *detail);
/* It in words, for a person; never NULL.  For STATUS and SIGNAL the number belongs behind it. */
const char *xvs_reason_text(int reason);
/* As xvs_stream_reset(), and says why: XVS_REASON_STATUS (detail 1 to 255) or _SIGNAL (1 to 127) for a command that failed; or, with
 * detail 0, another that a program can know of itself (xvs_stream(3)).  -EINVAL for all others: then nothing has been done. */
int  xvs_stream_reset_with(struct xvs_stream *s, int reason, unsigned detail);
struct xvs_address xvs_stream_local(const struct xvs_stream *s);
struct xvs_address xvs_stream_peer(const struct xvs_stream *s);
/* Bytes that can be read, and written, without -EAGAIN. */
size_t xvs_stream_readable(const struct xvs_stream *s);
size_t xvs_stream_writable(const struct xvs_stream *s);
/* Changes how many bytes may arrive unread (4 KiB to 64 MiB, else -EINVAL).  What was promised before may still arrive. */
int  xvs_stream_set_buffer(struct xvs_stream *s, uint32_t bytes);

/* ---- messages ----
 * A connection may be of type SEQPACKET: what is sent by one call is received by one call.  Each end says so: a listener is for one of
 * the two types, and refuses the other (XVS_REASON_TYPE).  All the calls above are for both; of messages,
 *     xvs_send()       takes one, whole or not at all: its length, or -EAGAIN until there is room for all of it, or -EMSGSIZE if that
 *                      can never be (xvs_message_max()).  There are no empty ones: to send 0 bytes is to send nothing.  XVS_MORE: the
 *                      next one follows, and both are shown to the other end together.
 *     xvs_recv()       gives one.  What is longer than the buffer is dropped: XVS_TRUNC tells.  Half of one is never seen: -EAGAIN
 *                      until all of it has come, and what was begun when the other end went is dropped.
 *     xvs_peek() shows the first, xvs_done() with any length but 0 consumes it.  xvs_reserve() is -EOPNOTSUPP.
 *     xvs_stream_readable() is the length of the first, 0 for none.
 *     xvs_stream_set_buffer() cannot make a buffer smaller than the other end was told. */

/* As xvs_listen(), xvs_connect() and xvs_connect_wait().  Connecting, -ESOCKTNOSUPPORT: the daemon in dom0 is older than the type
 * (it is there within this guest all the same); listening to it, nobody comes then. */
int  xvs_listen_seqpacket(struct xvs *x, uint32_t port, unsigned backlog, struct xvs_listener **out);
int  xvs_connect_seqpacket(struct xvs *x, uint64_t cid, uint32_t port, struct xvs_stream **out);
int  xvs_connect_seqpacket_wait(struct xvs *x, uint64_t cid, uint32_t port, int timeout, struct xvs_stream **out);
bool xvs_stream_is_seqpacket(const struct xvs_stream *s);
/* Bytes of the largest message that can be sent: it is the other end's buffer that decides, and grows if that does.  0 before it is open. */
size_t xvs_message_max(const struct xvs_stream *s);
/* The message that was received last ended a record. */
bool xvs_message_had_eor(const struct xvs_stream *s);

/* ---- why ---- */

/* The numbers never change, and there may be more of them in a later version: what you do not know is NONE to you. */
enum xvs_reason {
    XVS_REASON_NONE = 0,
    /* refused */
    XVS_REASON_NOBODY = 1,      /* nobody listens at that port */
    XVS_REASON_BACKLOG = 2,     /* somebody does, and has as many callers waiting as he takes */
    XVS_REASON_POLICY = 3,      /* the administrator forbids it; open streams end with it, too, when he does so later */
    XVS_REASON_UNKNOWN = 4,     /* no guest has that CID */
    XVS_REASON_ABSENT = 5,      /* the guest is there, and no program in it has its device open */
    XVS_REASON_RATE = 6,        /* too many in too short a time */
    XVS_REASON_LIMIT = 7,       /* as many connections as one end may have at a time */
    XVS_REASON_SHORT = 8,       /* memory or descriptors are short; open streams end with it, too */
    XVS_REASON_TIMEOUT = 9,     /* the other end has not answered */
    XVS_REASON_UNUSABLE = 10,   /* what is at the host's port is nothing to connect to; the daemon's log says why */
    /* reset */
    XVS_REASON_ABORTED = 11,    /* the other program cut it off, or was killed */
    XVS_REASON_UNREAD = 12,     /* the other program closed it with bytes unread */
    XVS_REASON_GONE = 13,       /* the other guest is gone */
    XVS_REASON_LEFT = 14,       /* the other program has given up its device */
    XVS_REASON_DETACHED = 15,   /* the other guest's device was taken away */
    XVS_REASON_STOPPED = 16,    /* the daemon stops */
    XVS_REASON_VIOLATION = 17,  /* the other guest broke a rule of the protocol */
    XVS_REASON_STATUS = 18,     /* the command at the other end ended with a status that is not 0 */
    XVS_REASON_SIGNAL = 19,     /* …was killed by a signal */
    /* …and of connections of messages */
    XVS_REASON_TYPE = 20,       /* refused: who listens does so for the other type, stream or seqpacket */
    XVS_REASON_STREAMS = 21,    /* refused: the other end has streams alone */
    XVS_REASON_SIZE = 22        /* reset: a message was larger than the buffer of who receives it */
};

/* ---- looking inside ---- */

struct xvs_stats {
    size_t   size;                      /* set it to sizeof before the call */
    uint64_t tx_bytes, tx_packets, rx_bytes, rx_packets;
    uint64_t notifications_sent, notifications_received;
    uint64_t streams_opened, resets;    /* since xvs_open() */
    uint64_t reconnects;                /* times the device came up, less one */
    uint64_t memory;                    /* bytes held now, shared pages included */
    uint32_t streams;                   /* now */
    uint32_t rx_buffers_held;           /* posted buffers that hold unread data */
};

void xvs_get_stats(const struct xvs *x, struct xvs_stats *stats);
/* Writes the state of the device, its rings and every stream for a person; works from a debugger, too. */
void xvs_dump(const struct xvs *x, FILE *to);
const char *xvs_version(void);

/* ---- blocking helpers: each processes the device while it waits ----
 * timeout in milliseconds, -1 for none; -ETIMEDOUT when it is over.  Signals do not end them. */

int     xvs_wait_up(struct xvs *x, int timeout);
int     xvs_connect_wait(struct xvs *x, uint64_t cid, uint32_t port, int timeout, struct xvs_stream **out);
int     xvs_accept_wait(struct xvs_listener *l, int timeout, struct xvs_stream **out);
/* All len bytes, or an error (how many went is then unknown). */
int     xvs_send_all(struct xvs_stream *s, const void *data, size_t len, int timeout);
/* At least 1 byte, or 0 at the end of the stream. */
ssize_t xvs_recv_wait(struct xvs_stream *s, void *buffer, size_t len, int timeout);
/* len bytes, fewer only at the end of the stream, or an error (what came before it is in the buffer: how many is unknown). */
ssize_t xvs_recv_all(struct xvs_stream *s, void *buffer, size_t len, int timeout);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
