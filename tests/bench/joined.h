/* SPDX-License-Identifier: MIT */
/* joined.h: guests' libraries and the daemon in one process, one thread, over ordinary memory: no Xen, no scheduler.
 *
 *     struct xvs *x = joined_open(3);      a device of the guest with CID 3, and the daemon's end of it, connected
 *     …xvs_connect(), xvs_send()…          the public calls that do not wait
 *     joined_guest(x)                      the library takes in what has come, and sends what is due
 *     joined_daemon()                      the daemon works until it has nothing left to do
 *     joined_settle()                      all of them, until everyone is quiet
 *
 * All files of the library are the real ones, and so are the daemon's rooms that carry data (lane and ends, and what is below),
 * but map.c: joined_back.c and joined_xen.c stand in for it, for those above, and for Xen's libraries.  A connection to a port of the host goes to a socketpair,
 * whose other end joined_host() gives.  So the same steps cost the same instructions each time, and every byte of
 * memory can be counted. */
#ifndef XVS_JOINED_H
#define XVS_JOINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_front.h"

struct lane;
struct settings;
struct xvs;

/* ---- for tests ---- */

struct xvs *joined_open(uint64_t cid);
void joined_guest(struct xvs *x);
void joined_daemon(void);
void joined_settle(void);
extern bool joined_nobody_listens;      /* at any port of the host's, by a UNIX socket */
/* The host program's end of the socketpair made last; the caller closes it. */
int joined_host(void);
struct lane *joined_lane(uint64_t cid);
/* The guest's library and the daemon have agreed on SEQPACKET, or they have not, as at the beginning. */
void joined_allow_messages(struct xvs *x, bool allow);
struct settings *joined_settings(void);
size_t joined_guest_record(void);       /* bytes of what a guest has in the daemon, beside what that allocates */

size_t front_record_size(void);         /* of a stream in the library's table */
size_t front_shared(const struct xvs *x);   /* bytes of pages */

/* Bytes that the heap has handed out, with what malloc needs around them. */
size_t joined_heap(void);
extern uint64_t joined_kicks;           /* notifications, by anyone */
extern void (*joined_on_notify)(struct xvs *x);     /* what a guest does the moment the daemon notifies it; may be NULL */
/* Bytes that variable-length memcpy() moved while joined_counting. */
extern bool joined_counting;
extern uint64_t joined_copied;

/* ---- between the parts of the fixture ---- */

/* An event channel. */
struct xenevtchn_handle {
    struct xvs *guest;
    void *device;                       /* the daemon's */
    bool to_guest, to_daemon;
};

struct xvs *front_open(uint64_t cid);
const struct link_memory *front_memory(const struct xvs *x);
struct xenevtchn_handle *front_channel(const struct xvs *x);

/* The daemon's part of joined_open(), and of joined_allow_messages(). */
void back_open(uint64_t cid, struct xenevtchn_handle *channel, const struct link_memory *mem);
void back_allow_messages(uint64_t cid, bool allow);

__attribute__((noreturn, format(printf, 1, 2)))
void joined_fail(const char *format, ...);

#endif
