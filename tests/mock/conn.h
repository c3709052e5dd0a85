/* SPDX-License-Identifier: MIT */
/* conn.h: one stream, as an end that is played by hand sees it: what it has sent and been told, and whether the other end, which
 * is the product, keeps to the wire's rules (vsockif.h, sections 7 and 8).  A rule that it breaks is MOCK_MUST().
 *
 * Byte i of each direction is pattern(seed, i), and byte 0 is the seed: so what arrives tells by itself whether it is
 * what was sent. */
#ifndef MOCK_CONN_H
#define MOCK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "vsockif.h"

#define CONN_SOURCE 19u         /* the daemon's own service at this port of the host sends what it likes */

static inline uint8_t pattern(uint8_t seed, uint32_t i)
{
    return (uint8_t)(seed + i * 31 + i / 256 * 7 + i / 65536);
}

/* Bytes of one direction of a stream. */
struct flow {
    uint8_t seed;
    uint32_t bytes;
};
void flow_fill(struct flow *f, uint8_t *to, uint32_t len);
/* False: a byte is not what it should be. */
bool flow_check(struct flow *f, const uint8_t *from, uint32_t len);

enum conn_state { CONN_FREE, CONN_ASKED, CONN_OFFERED, CONN_OPEN };

struct conn {
    enum conn_state state;
    uint16_t type;              /* VSOCKIF_TYPE_* */
    uint64_t cid;               /* of the end that is not the guest's own: the host, or another guest */
    uint32_t port, peer_port;   /* the guest's, and that one's */
    uint32_t tx, peer_alloc, peer_fwd;          /* bytes sent; what the other end said last */
    uint32_t rx, fwd, alloc;                    /* bytes received; what we said last */
    uint64_t allowed;                           /* the largest sum of fwd and alloc that was said */
    uint8_t shut, peer_shut;
    bool asked;                                 /* a CREDIT_REQUEST came, and nothing was said since then */
    bool spoilt;                                /* something was sent in its name: it is not judged */
    struct flow out, in;
};

/* A free one of 'all', a stream; NULL. */
struct conn *conn_new(struct conn *all, int count, uint64_t cid, uint32_t port, uint32_t peer_port);
/* We have room for so many bytes more than we have consumed. */
void conn_promise(struct conn *c, uint32_t alloc);
/* So many bytes more are consumed, if so many are there. */
void conn_consume(struct conn *c, uint32_t len);
/* Bytes that may be sent. */
uint32_t conn_room(const struct conn *c);

/* A packet came, to or from these: judges it, and keeps what it says.  A REQUEST of a stream that is not there makes one, which
 * is the result, or nothing; the caller answers it. */
struct conn *conn_receive(struct conn *all, int count, uint64_t cid, uint32_t port, uint32_t peer_port,
                          const struct vsockif_hdr *h, const uint8_t *data);

#endif
