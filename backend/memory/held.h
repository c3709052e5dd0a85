/* SPDX-License-Identifier: MIT */
/* held.h: how much of dom0's memory holds what one guest has sent and nobody has read, wherever that is.
 *
 *     in chunks           the daemon's memory: spilled out of the guest's pool (inbox.h), or kept for a guest that
 *                         is gone (farewell.h)
 *     in the sockets      the kernel's: written to a host program that has not read it yet
 *
 * Both together keep to 'limit'.  The sockets have at most half of it, so that readers that stand still cannot take the room
 * into which what they do not read is to be moved out of the others' way.  Among themselves they share that half as
 * descriptors are shared (account.h): a socket may hold as much as is free.  But what stands still is not given back, so two parts are
 * kept:
 *
 *     three quarters     for any socket
 *     an eighth          for a socket that holds little: so a new stream can begin beside those that stand still
 *     an eighth          for a socket whose reader has read everything: or what it frees by reading would go to sockets that
 *                        nobody reads, and it would wait for more for ever
 *
 * These two are kept from the daemon's memory as well: what is spilled leaves an eighth of the limit to them.
 *
 * What a socket holds the kernel knows to the byte (SIOCOUTQ: not what was written, but what it costs, and a packet of one byte
 * costs 768).  A look is a system call, though.  So each stream keeps an upper bound, to which a write adds the most that
 * it can cost, up to the most that the kernel lets it have; and the kernel is asked only when the bound leaves no room.
 * As long as a few streams have as much as that, it is never asked.  Values; pure; one thread. */
#ifndef XVSD_HELD_H
#define XVSD_HELD_H

#include <stdbool.h>
#include <stdint.h>

struct held {
    uint64_t limit;             /* bytes, of the two together */
    uint64_t chunks;            /* bytes, with what each allocation costs beside its data */
    uint64_t in_sockets;        /* bytes: the sum of what the streams believe to be in theirs, at least what is there */
};

/* A buffer of the kernel's that is not full costs so much more than its data, and a full one (of 36,544 bytes) hardly more;
 * Linux 4.19 to 6.18. */
#define HELD_PACKET 4352u

/* Each socket's SO_SNDBUF, in bytes, which is Linux's usual value, and not what the host's net.core.wmem_default says; and the
 * most that it can hold then: Linux takes twice that, and one buffer more as long as that is not reached. */
#define HELD_SNDBUF 106496
#define HELD_SOCKET (2u * HELD_SNDBUF + (40u << 10))

/* What is left for more, of the part of the whole that is 'eighths' of the sockets' half and the other half. */
static inline uint64_t held_left(const struct held *h, uint32_t eighths)
{
    uint64_t part = h->limit / 16 * (8 + eighths), taken = h->chunks + h->in_sockets;

    return part > taken ? part - taken : 0;
}

/* Memory of so many bytes: false if that is too much. */
static inline bool held_take(struct held *h, uint64_t bytes)
{
    if (bytes > held_left(h, 6))
        return false;
    h->chunks += bytes;
    return true;
}

static inline void held_give(struct held *h, uint64_t bytes)
{
    h->chunks -= bytes;
}

#define HELD_LITTLE 8192u

/* How many bytes more a socket may hold, up to 'most', of a part of the sockets' half, in eighths. */
static inline uint32_t held_room_of(const struct held *h, uint32_t in_socket, uint32_t most, uint32_t eighths)
{
    uint64_t part = h->limit / 16 * eighths, left = held_left(h, eighths), unused;

    unused = part > h->in_sockets ? part - h->in_sockets : 0;
    unused = unused < left ? unused : left;
    unused = unused > in_socket ? (unused - in_socket) / 2 : 0;     /* of what is written now, it will be free no more */
    most = most > in_socket ? most - in_socket : 0;
    return unused < most ? (uint32_t)unused : most;
}

/* How many bytes may be written to a socket that is allowed 'most' and holds at most in_socket.  'reads': its reader has read all
 * that was written to it.  One write may go beyond that by what the kernel needs for it besides the data. */
static inline uint32_t held_room(const struct held *h, uint32_t in_socket, uint32_t most, bool reads)
{
    uint32_t room = held_room_of(h, in_socket, most, 6);
    uint32_t other = reads ? held_room_of(h, in_socket, most, 8)
                           : held_room_of(h, in_socket, most < HELD_LITTLE ? most : HELD_LITTLE, 7);

    return room > other ? room : other;
}

/* What a write that costs so many bytes adds at most to what a socket holds. */
static inline uint32_t held_more(uint32_t in_socket, uint32_t cost)
{
    uint32_t left = in_socket < HELD_SOCKET ? HELD_SOCKET - in_socket : 0;

    return cost < left ? cost : left;
}

/* The same question as held_room() where the answer is most often yes: do so many fit? */
static inline bool held_fits(const struct held *h, uint32_t in_socket, uint32_t most, uint32_t bytes)
{
    uint64_t after = h->in_sockets + in_socket + 2 * (uint64_t)held_more(in_socket, bytes);

    return (in_socket + bytes <= most || most >= HELD_SOCKET) && after <= h->limit / 16 * 6 &&
           after + h->chunks <= h->limit / 16 * 14;
}

/* len bytes were written, at once. */
static inline void held_wrote(struct held *h, uint32_t *in_socket, uint32_t len)
{
    uint32_t more = held_more(*in_socket, len + len / 16 + HELD_PACKET);

    *in_socket += more;
    h->in_sockets += more;
}

/* The kernel was asked. */
static inline void held_saw(struct held *h, uint32_t *in_socket, uint32_t bytes)
{
    h->in_sockets += bytes - (uint64_t)*in_socket;
    *in_socket = bytes;
}

#endif
