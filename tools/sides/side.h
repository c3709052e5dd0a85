/* SPDX-License-Identifier: MIT */
/* side.h: which side of the ring this is, and how connections are made there.
 *
 * In dom0 (host.c) they are UNIX sockets in the daemon's run directory; in a guest they are streams of libxvs (guest.c), or, where the
 * guest's kernel has the device, its AF_VSOCK sockets (socket.c), or, where the guest's agent has it, UNIX sockets as in dom0 (broker.c).  All give an end (end.h), so nothing above needs to know.  A side is chosen and opened by the first attempt to call or to be
 * called, and, as long as that fails, by each that is made again: for what is missing may be what tells the sides apart. */
#ifndef XVS_SIDE_H
#define XVS_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "end.h"
#include "loop.h"

struct side_ops;
struct side;

struct side_options {
    const struct side_ops *host, *guest, *socket;       /* host.c; guest.c; socket.c: a guest whose kernel has the device */
    const struct side_ops *broker;      /* broker.c: a guest whose agent has the device; NULL: not for us */
    enum { SIDE_GUESS, SIDE_HOST, SIDE_GUEST } which;
    unsigned device;
    bool has_device;            /* it was named, and not taken for granted */
    uint32_t pool;              /* bytes of each of the device's pools, in a guest; 0: as the library has it */
    bool verbose;
    /* It has been opened, and it is to become another, so that what was made by it must go; each may be NULL. */
    void (*opened)(struct side *s);
    void (*closes)(struct side *s);
    void *arg;
};

struct side {
    const struct side_ops *ops; /* NULL: not open */
    struct loop *loop;
    struct side_options options;
    void *own;                  /* the side's */
};

void side_init(struct side *s, struct loop *l, const struct side_options *o);
/* Accepts one that is not open.  Lets closing connections end in peace, for some seconds at most. */
void side_close(struct side *s);

/* ---- calling ---- */

struct dial {
    struct side *side;
    const char *peer;           /* dom0: a guest.  Guest: host, local, or a CID; NULL, which becomes "host" */
    uint32_t port;
    int64_t patience;           /* ns for one attempt */
    int64_t retry;              /* ns during which a failed attempt is repeated, if a start could mend it */
    bool vouches;               /* the end is to say whether everything arrived (settle), which costs a connection more in dom0 */
    bool messages;              /* a connection of type SEQPACKET: the end has messages (end.h) */
    uint32_t buffer;            /* libxvs: bytes that may come unread; 0: as the device has it */
    /* Once: err 0 and an end, or a negative errno with 'why' filled. */
    void (*done)(struct dial *d, int err, struct end *end);
    void *arg;

    char why[WHY], said[WHY];
    struct reason refused;      /* why, in one word, if the other end has said so */
    struct timer timer, again;
    int64_t until;
    struct list link;           /* guest.c: waits for the device */
    void *attempt;
};

/* The part above it is the caller's, the rest zeroed. */
void dial_start(struct dial *d);
/* Without 'done'. */
void dial_drop(struct dial *d);
/* For the sides: the attempt has ended, and d->attempt is theirs no more. */
void dial_end(struct dial *d, int err, struct end *end);

/* ---- being called ---- */

struct caller {
    uint64_t cid, local_cid;    /* 0: not known */
    uint32_t port;
    bool has_port;
    char name[80];              /* dom0: of the guest's directory; "" if it is not known */
};

struct listening {
    struct side *side;
    const char *peer;           /* dom0: the guest whose calls are taken, or "any" for all guests.  Guest: NULL */
    uint32_t port;
    int64_t retry;              /* ns, as in struct dial */
    bool waits;                 /* for ever, and says so, while the guest or its daemon is not there */
    bool quiet;                 /* says nothing of it */
    bool messages;              /* likewise */
    uint32_t buffer;            /* likewise */
    bool insists;               /* for ever, whatever the failure is: it is never the end of the loop */
    bool vouches;               /* as in struct dial */
    unsigned backlog;           /* a guest: callers that wait to be accepted; 0 is 128 */
    void (*ready)(struct listening *l);     /* once after accept gave -EAGAIN */
    void *arg;

    void *own;                  /* NULL: it does not listen (yet) */
    char why[WHY], said[WHY];
    struct timer again;
    int64_t until;
};

/* Listens when this returns, or later, as long as failures are repeated.  An exit status, message given; the same stops the
 * loop if it fails in the end.  The part above 'own' is the caller's, the rest zeroed. */
int  listening_open(struct listening *l);
/* 0 or -EAGAIN, which it also is after an error: that is said once, whoever calls waits, and 'ready' comes a while later. */
int  listening_accept(struct listening *l, struct end **end, struct caller *caller);
/* Accepts one that is not open. */
void listening_close(struct listening *l);
/* For the sides: what was listened at has gone; it begins anew. */
void listening_lost(struct listening *l);

/* ---- what a side does ---- */

struct side_ops {
    /* 0 or a negative errno with why, which has room for WHY bytes. */
    int  (*open)(struct side *s, char *why);
    void (*close)(struct side *s);
    /* 0: dial_end() will come; or a negative errno. */
    int  (*dial)(struct dial *d);
    /* Also after the time is over: fills why and may better the errno. */
    int  (*dial_abort)(struct dial *d, int err);
    /* 0 or a negative errno with why. */
    int  (*listen)(struct listening *l);
    int  (*accept)(struct listening *l, struct end **end, struct caller *caller);
    void (*unlisten)(struct listening *l);
};

extern const struct side_ops side_host, side_guest, side_socket, side_broker;

/* What call() of a side that was guessed says of a peer that only the other side could have: it is worth another guess. */
#define SIDE_OTHER EDESTADDRREQ

#endif
