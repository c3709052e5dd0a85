/* SPDX-License-Identifier: MIT */
/* link_back.h: the backend's end of a device's two rings and two pools, all in mapped memory.
 *
 * From the guest:  link_back_recv() gives a packet whose data lies in the guest's tx pool, and an id; the
 *                  data may be kept there, unread, for as long as need be: link_back_done() gives it back.
 * To the guest:    link_back_room() names the posted buffers that up to 'want' bytes would go to, to be filled by
 *                  memcpy or by readv() straight from a socket; link_back_send() sends them with a header.
 *                  link_back_owed() for all that a table owes.
 * Then:            link_back_publish() shows the guest everything since the last call; true: notify it.
 *                  link_back_arm() before sleeping.
 *
 * -EPROTO means that the guest broke a rule; 'why' says which, with the values.  Everything the
 * guest can make us hold is in this struct: it does not grow.  One link, one thread. */
#ifndef XVS_LINK_BACK_H
#define XVS_LINK_BACK_H

#include <sys/uio.h>

#include "link_front.h"

struct link_request {
    struct vsockif_hdr hdr;             /* a private copy; len and the descriptor are judged */
    struct reason reason;               /* of an RST: any two numbers */
    uint32_t id;
    const uint8_t *data;                /* hdr.len bytes in shared memory: move, never interpret */
};

struct link_buffer {
    uint32_t id, off, size;
};

struct link_back {
    struct ring tx, rx;
    struct link_memory mem;
    uint64_t held[LINK_MAX_SLOTS / 64];         /* tx ids received and not done */
    uint32_t held_count;
    uint64_t posted[LINK_MAX_SLOTS / 64];       /* rx ids posted and not filled */
    struct link_buffer buffer[LINK_MAX_SLOTS];  /* the posted buffers, a queue in the order of posting */
    uint32_t first, count;                      /* of that queue */
    uint64_t room;                              /* bytes in that queue */
    struct link_counters counters;
    uint32_t waits;                             /* how often the frontend has asked to be notified of a completion */
    char why[128];
};

void link_back_init(struct link_back *l, const struct link_memory *mem);

/* 1 and a packet, 0 if there is none, or -EPROTO. */
int link_back_recv(struct link_back *l, struct link_request *request);
void link_back_done(struct link_back *l, uint32_t id);

/* Takes in newly posted buffers: 0 or -EPROTO. */
int link_back_refill(struct link_back *l);
/* Where the next up to want bytes (at least 1) would go: fills up to max entries of iov, adjacent buffers joined, and
 * returns the bytes, 0 if nothing is posted.  Commits to nothing. */
uint32_t link_back_room(const struct link_back *l, uint32_t want, struct iovec *iov, int max, int *used);
/* Sends a packet of hdr->len bytes, which are in the buffers that link_back_room() named.  With len 0 it takes one
 * buffer: there must be one. */
void link_back_send(struct link_back *l, const struct vsockif_hdr *hdr);
/* The same for a packet without data, which if it is an RST may have a reason. */
void link_back_control(struct link_back *l, const struct vsockif_hdr *hdr, struct reason reason);
static inline bool link_back_can_send(const struct link_back *l)
{
    return l->count > 0;
}
void link_back_owed(struct link_back *l, struct vmux *m);

bool link_back_publish(struct link_back *l);
/* False: something has arrived meanwhile, do not sleep.  want_packets: wake up for packets (not while choked);
 * want_buffers: wake up when this many buffers more have been posted, 0 for never. */
bool link_back_arm(struct link_back *l, bool want_packets, uint32_t want_buffers);

#endif
