/* SPDX-License-Identifier: MIT */
/* pipe.h: packets to the host's kernel and from it, for one guest.
 *
 *     to the kernel     data is described where it lies, in the guest's tx pool, and the kernel reads it there: no copy of ours.  The
 *                       header is a private one.  Until pipe_done() has said that it is done, nothing of it may go away.
 *     from it           into buffers of our own, for the guest's would have to be filled in the order of their posting.  A
 *                       packet's buffer is the receiver's until pipe_repost().
 *
 * The kernel's packets are those of vsockif.h, section 7, as ours are virtio's.  One thread. */
#ifndef XVSD_PIPE_H
#define XVSD_PIPE_H

#include "list.h"
#include "vhost.h"
#include "vmux.h"

#define PIPE_PACKET  28672u     /* bytes of data: one of 64 KiB needs memory of the kernel's in one piece (Linux 6.1), which may be short */
#define PIPE_PIECES  16
#define PIPE_BUFFERS 32u
#define PIPE_BUFFER  32768u     /* bytes of data; the kernel makes its packets fit */

struct pipe_buffer {
    struct list link;           /* of whoever keeps it */
    struct vsockif_hdr *hdr;
    uint8_t *data;
    uint32_t at;                /* bytes that are delivered */
};

struct pipe_slot {              /* of a chain to the kernel */
    struct vsockif_hdr hdr;
    void *of;                   /* pipe_send()'s */
    uint32_t len;
};

struct pipe {
    struct vhost vhost;
    struct virtq queue[VHOST_QUEUES];
    struct pipe_slot slot[VIRTQ_ENTRIES];               /* by chain */
    struct pipe_buffer *posted[VIRTQ_ENTRIES];          /* likewise */
    struct pipe_buffer buffer[PIPE_BUFFERS];
    void *area;                                         /* of all buffers */
    bool is_dead;               /* the kernel has it no more */
};

/* Takes fd in any case.  0, or a negative errno and *what failed, a constant. */
int  pipe_begin(struct pipe *p, int fd, const char **what);
/* Harmless on one that is all zero. */
void pipe_end(struct pipe *p);

/* There is room for a packet with data, and then for some without. */
bool pipe_takes_data(const struct pipe *p);
bool pipe_takes_header(const struct pipe *p);
/* len bytes in count pieces, at most PIPE_PIECES, which are of's (NULL: nobody wants to hear of it). */
void pipe_send(struct pipe *p, const struct vsockif_hdr *hdr, const struct iovec *piece, int count, void *of);
/* The next packet that the kernel has read: false if there is none.  *of may be NULL. */
bool pipe_done(struct pipe *p, void **of, uint32_t *len);
/* 'of' is about to go, and is not to be named any more. */
void pipe_forget(struct pipe *p, const void *of);
/* The next packet from the kernel, NULL if there is none. */
struct pipe_buffer *pipe_recv(struct pipe *p);
void pipe_repost(struct pipe *p, struct pipe_buffer *b);

/* The kernel sees it all, and is woken if it sleeps. */
void pipe_publish(struct pipe *p);
/* Before sleeping.  False: something has come meanwhile. */
bool pipe_arm(struct pipe *p);
/* The kernel has it no more, reads nothing of it from now on, and what it has not read never comes back. */
void pipe_kill(struct pipe *p);

#endif
