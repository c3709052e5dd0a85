/* SPDX-License-Identifier: MIT */
/* lab.h: the library as guest 1 of a hosted Xen, before a backend that the test plays by hand.
 *
 * The backend (rawback.h) keeps every packet until it is told to complete it, and notifies only when the ring says
 * that the library waits: a wake-up that the library forgot to ask for does not come.  "far" is the other end of one
 * stream, as numbers.  Byte i of every stream is pattern(i).  One thread, which is dom0 but within lab_process(). */
#ifndef XVS_TEST_LAB_H
#define XVS_TEST_LAB_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "handle.h"
#include "harness.h"
#include "hosted.h"
#include "rawback.h"
#include "turn.h"
#include "xvs.h"

#define GUEST 1u
#define CID   1001u
#define PORT  77u

extern struct rawback back;
extern struct xvs *x;
extern struct xvs_listener *listener;       /* of lab_start(): at PORT, with a backlog of 16 */
extern struct xvs_options options;          /* of lab_open(): a test that changes them calls lab_stop() before */
extern uint32_t lab_features;               /* that the backend offers, 0 again after lab_stop() */

/* A device that is attached, open and up, and settled. */
void lab_start(void);
/* Ends it, and makes the options what they are by default; but a connect has as long as the test. */
void lab_stop(void);
/* The steps of lab_start(). */
void lab_attach(void);
int  lab_open(void);
/* The handshake of section 3, from wherever the frontend is. */
void lab_handshake(void);
/* The device goes down, and no further. */
void lab_reset(void);

void lab_process(void);
/* Takes in what is on its way from xenstored: nothing but what the test does makes xvs_fd() readable from here on. */
void lab_settle(void);
/* Sleeps until xvs_fd() is readable, at most ms; whether it is. */
bool lab_poll(int ms);
/* Processes until it is so. */
#define UNTIL(cond) do { uint64_t lab_end = clock_now_ns() + PATIENCE_MS * UINT64_C(1000000); \
    while (lab_process(), !(cond)) { REQUIRE(clock_now_ns() < lab_end); lab_poll(10); } } while (0)

/* Takes the events; what one source had, together. */
void lab_events(void);
unsigned lab_stream_events(struct xvs_stream *s);   /* of this one; all others are dropped */
unsigned lab_device_events(void);

/* Bytes that the device holds in its own books: 0 when nothing leaks. */
#define NO_LEAK() do { EQ(x->trunk.heap_bytes, 0); EQ(x->trunk.gather_count, 0); \
    EQ(pool_free_bytes(&x->trunk.link.pool), x->trunk.link.mem.tx_bytes); EQ(link_front_held(&x->trunk.link), 0); \
    EQ(vmux_count(x->trunk.mux), 0); } while (0)

static inline uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + i / 256 * 7 + i / 65536);
}
void lab_fill(void *to, uint64_t at, size_t len);
bool lab_matches(const void *from, uint64_t at, size_t len);

/* ---- the backend ---- */

struct far {
    uint32_t host, guest;       /* ports */
    uint32_t alloc, fwd;        /* what its headers say */
    uint32_t got, sent;         /* bytes */
    uint32_t packets;           /* with data */
    uint32_t messages, records; /* …that end such */
    uint16_t type;              /* VSOCKIF_TYPE_*; 0 is STREAM */
    uint32_t flags;             /* of what it sends with data */
    uint32_t ops;               /* 1 << op of what came */
    uint32_t told_fwd, told_alloc;  /* of the last header */
    unsigned shut;              /* flags of the last SHUTDOWN */
    struct reason reason;       /* of an RST: what lab_send() says, and what came */
    bool bad;                   /* a byte out of place */
};

/* Takes all that came, for f and all that lab_accept() and lab_connect() made; completes it at once unless hold, which
 * lab_complete() ends. */
void lab_take(struct far *f, bool hold);
extern uint32_t lab_held;       /* packets taken and not completed */
void lab_complete(uint32_t count);      /* the oldest */
void lab_complete_newest(void);
/* A packet of len bytes from f; for SHUTDOWN len is its flags. */
void lab_send(struct far *f, unsigned op, uint32_t len);
/* Publishes, and notifies if that is due. */
void lab_kick(void);
/* A stream from the host, accepted; its RESPONSE has been taken. */
struct xvs_stream *lab_accept(struct far *f, uint32_t host_port, uint32_t alloc);
/* One from the guest, open. */
struct xvs_stream *lab_connect(struct far *f, uint32_t host_port, uint32_t alloc);
/* Its last packet leaves and the far end forgets it. */
void lab_close(struct far *f, struct xvs_stream *s);

/* The library's connection to xenstored dies, without a word to it. */
void lab_break_store(void);

/* One number of domain domid in "xensim ls --json": "granted", "ports", "handles", "revoked". */
long lab_count(unsigned domid, const char *what);

#endif
