/* SPDX-License-Identifier: MIT */
/* tied.h: a stream between a guest and an AF_VSOCK program: the guest's connection and the kernel's, each the other's.
 *
 * The stream's turn moves bytes both ways.  What goes to the kernel stays in the inbox until the kernel has read it, so the guest's
 * pages are in use for as long as in_flight is not 0, and no end of the stream comes before.  When the guest is lost, the inbox is the
 * kernel's connection's until then. */
#ifndef XVSD_TIED_H
#define XVSD_TIED_H

#include "pipe.h"
#include "stream.h"

struct tied;

/* A guest's device: what its streams need of it. */
struct kernel {
    struct lane *lane;
    struct pipe pipe;
    struct vmux *mux;           /* the kernel's connections: struct far */
    bool retired;               /* it ends with the last of them, and takes no more */
    struct turn turn;           /* a piece of work with the kernel */
    struct list waiting;        /* struct tied.waits: for room towards the kernel */
    uint32_t leaving;           /* connections with an inbox of their own */
};

/* The kernel's connection. */
struct far {
    struct vmux_conn v;         /* first */
    struct tied *tied;          /* NULL: the guest's end is gone */
    struct list queue;          /* struct pipe_buffer.link: what the guest has not been given yet */
    uint32_t in_flight;         /* bytes of the guest's that the kernel has not read yet */
    struct inbox inbox;         /* what has them, once the guest's end is gone */
    bool eof;                   /* it sends no more */
    bool told_eof;              /* …and the guest knows */
};

static inline struct far *far_of(struct vmux_conn *conn)
{
    return (struct far *)(void *)conn;
}

/* The guest's. */
struct tied {
    struct stream s;            /* first */
    struct far *far;
    struct list waits;          /* in kernel.waiting */
    bool by_host;               /* the program of the host has asked for it */
};

extern const struct end_kind kernel_end;

/* The kernel is to be worked with. */
static inline void kernel_wake(struct kernel *k)
{
    turn_wait(k->lane->all->loop, &k->turn);
}

/* The guest is there, and more connections may come. */
static inline bool kernel_takes_more(const struct kernel *k)
{
    return !k->retired && lane_is_connected(k->lane);
}

/* The kernel asks for a connection to the guest: it is refused at once, or asked of the guest. */
void tied_offered(struct kernel *k, struct far *far);
/* The kernel did something: now is a set of VCONN_NOW_*.  b: data, with VCONN_NOW_DATA.  True if b is kept. */
bool tied_event(struct far *far, unsigned now, struct pipe_buffer *b);
/* It has read len bytes. */
void tied_read(struct kernel *k, struct far *far, uint32_t len);
/* …and will read nothing any more. */
void tied_dead(struct kernel *k, struct far *far);

#endif
