/* SPDX-License-Identifier: MIT */
/* end.h: one end of a conversation: something that bytes come out of and go into.
 *
 * Kinds: descriptors (fdend.c: standard input and output, a UNIX socket), those as messages (records.c), a socket whose stream is vouched for (vouch.c), a process
 * (process.c), streams of libxvs (guest.c) and of AF_VSOCK (socket.c).
 * No call blocks.  -EAGAIN means that 'wake' will be called once when trying again may help.
 *
 * An end may have messages in place of bytes: then peek shows one, whole, of at most END_MESSAGE bytes; write takes one, whole, or gives -EMSGSIZE if it
 * never will.  Such an end has no reserve.  It is joined with another such end alone (records.h makes one of bytes).
 *
 * An end offers memory of its own where it has some, so that bytes are copied once: a stream offers pieces of the ring to
 * fill ('reserve') and to read ('peek'), and a descriptor reads straight into a piece ('read'). */
#ifndef XVS_END_H
#define XVS_END_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "loop.h"
#include "reason.h"

#define END_MESSAGE (1 << 20)   /* bytes */

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
    /* No more will be written: the peer sees the end after what was written.  0 or a negative errno; after -EAGAIN to be
     * called again. */
    int     (*finish)(struct end *e);
    /* No more will be read. */
    void    (*stop)(struct end *e);
    /* True if nothing can be written any more; if not, wakes when that becomes so. */
    bool    (*is_cut)(struct end *e);
    /* Both directions have ended: 0 if every byte got to where it was going, -EAGAIN if that is not known yet, or a negative
     * errno.  NULL for ends at which nothing more can go wrong. */
    int     (*settle)(struct end *e);
    /* What the error was, in words, or NULL if the errno says it all.  NULL for ends that never say more. */
    const char *(*why)(struct end *e);
    /* Why the other end has broken it off, if that was said.  NULL for ends at which nobody says. */
    struct reason (*reason)(struct end *e);
    /* What a close with reset is to tell the other end.  NULL: it cannot be told.  0, or -EAGAIN: the close has to wait for another call. */
    int  (*blame)(struct end *e, struct reason why);
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
/* Likewise any two standard descriptors, of which one may be -1. */
struct end *fdend_standard(struct loop *l, int in, int out, bool keep);
/* A socket, which the end then owns.  It has messages if it is one of packets. */
struct end *fdend_socket(struct loop *l, int fd);
/* True if such a socket had to throw away bytes that had come (stop). */
bool fdend_has_dropped(struct end *e);
/* What can be read from it, or written to it, is packets. */
bool fdend_reads_packets(struct end *e);
bool fdend_writes_packets(struct end *e);

static inline void end_on_wake(struct end *e, void (*wake)(void *arg), void *arg)
{
    e->wake = wake;
    e->arg = arg;
}

static inline void end_wake(const struct end *e)
{
    if (e->wake)
        e->wake(e->arg);
}

static inline struct reason end_reason(struct end *e)
{
    return e->ops->reason ? e->ops->reason(e) : REASON(NONE);
}

static inline int end_blame(struct end *e, struct reason why)
{
    return e->ops->blame && why.code ? e->ops->blame(e, why) : 0;
}

/* Writes what is left of these bytes, from *at on, which it moves: 0 when that was all, or a negative errno. */
static inline int end_write_rest(struct end *e, const void *bytes, size_t len, size_t *at)
{
    while (*at < len) {
        struct iovec iov = { .iov_base = (char *)(uintptr_t)bytes + *at, .iov_len = len - *at };
        ssize_t n = e->ops->write(e, &iov, 1);

        if (n < 0)
            return (int)n;
        *at += (size_t)n;
    }
    return 0;
}

/* What went wrong with it, in words. */
static inline const char *end_why(struct end *e, int err)
{
    const char *why = e->ops->why ? e->ops->why(e) : NULL;

    return why ? why : strerror(-err);
}

#endif
