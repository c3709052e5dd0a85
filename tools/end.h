/* SPDX-License-Identifier: MIT */
/* end.h: one end of a conversation: something that bytes come out of and go into.
 *
 * Two kinds: descriptors (fdend.c: standard input and output, a UNIX socket) and streams of libxvs (guest.c).
 * No call blocks.  -EAGAIN means that 'wake' will be called once when trying again may help.
 *
 * An end offers memory of its own where it has some, so that bytes are copied once: a stream offers pieces of the ring to
 * fill ('reserve') and to read ('peek'), and a descriptor reads straight into a piece ('read'). */
#ifndef XVS_END_H
#define XVS_END_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "loop.h"

struct end;

struct end_ops {
    /* What can be read: the number of pieces filled in, 0 at the end, or a negative errno.  'done' consumes. */
    int     (*peek)(struct end *e, struct iovec *iov, int max);
    void    (*done)(struct end *e, size_t len);
    /* Bytes taken, perhaps fewer than offered; -EPIPE when nothing can be written any more. */
    ssize_t (*write)(struct end *e, const struct iovec *iov, int count);
    /* Only for ends without memory to offer; else NULL.  Bytes, 0 at the end. */
    ssize_t (*read)(struct end *e, void *buffer, size_t len);
    /* Only for ends with memory to offer; else NULL. */
    ssize_t (*reserve)(struct end *e, size_t want, void **piece);
    int     (*commit)(struct end *e, size_t len);
    /* No more will be written: the peer sees the end after what was written.  0 or a negative errno. */
    int     (*finish)(struct end *e);
    /* No more will be read. */
    void    (*stop)(struct end *e);
    /* True if nothing can be written any more; if not, wakes when that becomes so. */
    bool    (*is_cut)(struct end *e);
    /* Frees the end; with reset, an unfinished conversation is cut off rather than closed. */
    void    (*close)(struct end *e, bool reset);
};

struct end {
    const struct end_ops *ops;
    void (*wake)(void *arg);
    void *arg;
};

/* Standard input and output as one end.  Puts neither into non-blocking mode, which others who share them would feel.
 * With keep, 'finish' leaves standard output open.  NULL: no memory. */
struct end *fdend_stdio(struct loop *l, bool keep);
/* A stream socket, which the end then owns. */
struct end *fdend_socket(struct loop *l, int fd);
/* Likewise, to a process of ours: if it leaves input unread when it ends, that is its right and no error. */
struct end *fdend_process(struct loop *l, int fd);

static inline void end_on_wake(struct end *e, void (*wake)(void *arg), void *arg)
{
    e->wake = wake;
    e->arg = arg;
}

#endif
