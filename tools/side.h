/* SPDX-License-Identifier: MIT */
/* side.h: which side of the ring this is, and how connections are made there.
 *
 * In dom0 (host.c) they are UNIX sockets in the daemon's run directory; in a guest (guest.c) they are streams of libxvs.
 * Both give an end (end.h), so nothing above needs to know. */
#ifndef XVS_SIDE_H
#define XVS_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "end.h"
#include "loop.h"

struct side_options {
    enum { SIDE_GUESS, SIDE_HOST, SIDE_GUEST } which;
    unsigned device;
    bool has_device;            /* it was named, and not taken for granted */
    bool verbose;
};

struct side {
    const struct side_ops *ops;
    struct loop *loop;
    struct side_options options;
    bool is_host;
    void *own;                  /* host.c's, guest.c's */
};

/* An exit status; a message was given if it is not 0. */
int  side_open(struct side *s, struct loop *l, const struct side_options *o);
/* Lets closing connections end in peace, for some seconds at most. */
void side_close(struct side *s);

/* ---- calling ---- */

struct dial {
    struct side *side;
    const char *peer;           /* dom0: a guest.  Guest: host, local, or a CID */
    uint32_t port;
    int64_t patience;           /* ns for one attempt */
    int64_t retry;              /* ns during which a failed attempt is repeated */
    bool vouches;               /* the end is to say whether everything arrived (settle), which costs a connection more in dom0 */
    /* Once: err 0 and an end, or a negative errno with 'why' filled. */
    void (*done)(struct dial *d, int err, struct end *end);
    void *arg;

    char why[WHY];
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
};

struct listening {
    struct side *side;
    const char *peer;           /* dom0: the guest whose calls are taken.  Guest: NULL */
    uint32_t port;
    bool vouches;               /* as in struct dial */
    void (*ready)(struct listening *l);     /* once after accept gave -EAGAIN */
    void *arg;

    void *own;
};

/* An exit status, message given.  The part above 'own' is the caller's. */
int  listening_open(struct listening *l);
/* 0, -EAGAIN, or another negative errno. */
int  listening_accept(struct listening *l, struct end **end, struct caller *caller);
/* Accepts one that is not open. */
void listening_close(struct listening *l);

/* ---- what a side does ---- */

struct side_ops {
    void (*close)(struct side *s);
    /* 0: dial_end() will come; or a negative errno. */
    int  (*dial)(struct dial *d);
    /* Also after the time is over: fills why and may better the errno. */
    int  (*dial_abort)(struct dial *d, int err);
    int  (*listen)(struct listening *l);
    int  (*accept)(struct listening *l, struct end **end, struct caller *caller);
    void (*unlisten)(struct listening *l);
};

int host_open(struct side *s);
int guest_open(struct side *s);

/* The verb's words for its peer: "web1 port 5", "the host, port 5". */
const char *dial_name(const struct dial *d, char *text, size_t size);

#endif
