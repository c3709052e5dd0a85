/* SPDX-License-Identifier: MIT */
/* vconn.h: one vsock connection, as arithmetic.
 *
 * A struct vconn is a value: no pointers, no descriptors, no clock, no locks.  Both ends run this file.
 *
 *     vconn_open(), vconn_offer()   a connection begins, from here or from a REQUEST
 *     vconn_rx()                    a packet header arrived     -> what happened (VCONN_* bits)
 *     vconn_room(), vconn_send()    how many bytes may go; they go -> the header of the RW packet
 *     vconn_consumed()              the application took bytes  -> perhaps a CREDIT_UPDATE is owed
 *     vconn_shutdown(), _close(), _abort()
 *     vconn_owed()                  the next packet without data that this end owes, if any
 *     vconn_deadline(), _expire()   when must we look again; it is time
 *
 * 'now' is in milliseconds from any fixed epoch.  No limit may end early: what begins one (vconn_open(), vconn_close()) is
 * given a time that is not behind, vconn_expire() one that is not ahead.
 *
 * Addresses are the table's business (vmux.h): headers leave here without them.  The rules are sections 7 and 8 of
 * vsockif.h.  One vconn, one thread. */
#ifndef XVS_VCONN_H
#define XVS_VCONN_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"
#include "vsockif.h"

#define VCONN_STATES(X)                                                        \
    X(OFFERED,     "REQUEST received, not answered yet")                       \
    X(CONNECTING,  "REQUEST sent or owed, no answer yet")                      \
    X(ESTABLISHED, "data may flow in the directions that are not shut")        \
    X(CLOSING,     "shut both ways by this end, waiting for the peer's RST")   \
    X(CLOSED,      "over: an RST may be owed and what goes before it, nothing further is legal")

enum vconn_state {
#define X(name, text) VCONN_##name,
    VCONN_STATES(X)
#undef X
};

/* What vconn_rx() and vconn_expire() report, as a set. */
#define VCONN_NOW_OPEN      (1u << 0)   /* our REQUEST was answered */
#define VCONN_NOW_DATA      (1u << 1)   /* hdr.len bytes are to be delivered */
#define VCONN_NOW_DROP      (1u << 2)   /* hdr.len bytes came after we shut receiving: they are not kept */
#define VCONN_NOW_ROOM      (1u << 3)   /* vconn_room() has grown */
#define VCONN_NOW_EOF       (1u << 4)   /* the peer sends no more */
#define VCONN_NOW_DEAF      (1u << 5)   /* the peer receives no more: sending is EPIPE from now on */
#define VCONN_NOW_CLOSED    (1u << 6)   /* over; vconn.error says how */
#define VCONN_NOW_VIOLATION (1u << 7)   /* the peer broke a rule that closes the device; *why says which */
#define VCONN_NOW_CREDIT    (1u << 8)   /* the peer's buf_alloc or fwd_cnt changed (for a relay) */
#define VCONN_NOW_ASKED     (1u << 9)   /* the peer asked for credit and there is no news yet (for a relay) */

/* What this end owes its peer.  A set, so that replies are bounded. */
#define VCONN_OWE_REQUEST   (1u << 0)
#define VCONN_OWE_RESPONSE  (1u << 1)
#define VCONN_OWE_SHUTDOWN  (1u << 2)
#define VCONN_OWE_CREDIT    (1u << 3)
#define VCONN_OWE_ASK       (1u << 4)   /* CREDIT_REQUEST */
#define VCONN_OWE_RST       (1u << 5)

/* What keeps CREDIT_REQUEST from becoming a storm. */
#define VCONN_NOTE_ASKED    (1u << 0)   /* we asked, and since then no credit has come and no data has gone */
#define VCONN_NOTE_HUNGRY   (1u << 1)   /* the peer asked, and we had no news: tell it when half is consumed */
/* …and to see at once what streams never have. */
#define VCONN_NOTE_PART     (1u << 2)   /* rx_part is not 0 */
/* What is consumed here is what another connection's peer has told (credit.h). */
#define VCONN_NOTE_PASSED   (1u << 3)

#define VCONN_NO_DEADLINE   UINT64_MAX
#define VCONN_CLOSE_MS      8000u       /* Linux: VSOCK_CLOSE_TIMEOUT */
#define VCONN_CONNECT_MS    2000u       /* Linux: VSOCK_DEFAULT_CONNECT_TIMEOUT */

struct vconn {
    uint64_t deadline;          /* ms, or VCONN_NO_DEADLINE */
    uint32_t buf_alloc;         /* bytes we promise to take */
    uint32_t rx_cnt;            /* bytes received, wraps */
    uint32_t fwd_cnt;           /* bytes consumed, wraps */
    uint32_t told_fwd;          /* fwd_cnt in the last header that left */
    uint32_t told_alloc;        /* buf_alloc in the last header that left */
    uint32_t granted;           /* bytes beyond rx_cnt that the peer was ever told it may send */
    uint32_t rx_part;           /* SEQPACKET: bytes received of a message whose end has not come */
    uint32_t tx_cnt;            /* bytes sent, wraps */
    uint32_t peer_alloc;        /* bytes, from the last header that arrived */
    uint32_t peer_fwd;          /* bytes, wraps, likewise */
    uint32_t tx_part;           /* SEQPACKET: bytes sent of a message whose end has not left */
    uint32_t tx_cap;            /* bytes: our own bound on what may be in flight */
    int16_t  error;             /* in CLOSED: 0 for both ways in order and all we sent consumed, or ECONNREFUSED, ECONNRESET,
                                 * ETIMEDOUT (positive) */
    uint8_t  notes;             /* VCONN_NOTE_* */
    uint8_t  state;             /* enum vconn_state */
    uint8_t  owed;              /* VCONN_OWE_* */
    uint8_t  shut_here;         /* VSOCKIF_SHUTDOWN_*: what we decided */
    uint8_t  shut_told;         /* VSOCKIF_SHUTDOWN_*: what has left; the rest is owed */
    uint8_t  shut_peer;         /* VSOCKIF_SHUTDOWN_*: what the peer said */
    uint8_t  type;              /* VSOCKIF_TYPE_* */
    struct reason reason;       /* in CLOSED with an error: why, as this end knows it or the peer has said */
};

const char *vconn_state_name(enum vconn_state state);

/* Begins an active connection: REQUEST is owed.  buf_alloc and tx_cap in bytes, timeout in milliseconds.  It is a stream. */
void vconn_open(struct vconn *c, uint32_t buf_alloc, uint32_t tx_cap, uint32_t timeout_ms, uint64_t now);

/* Begins a passive one from the header of a REQUEST.  It stays OFFERED until vconn_answer() or
 * vconn_abort(). */
void vconn_offer(struct vconn *c, const struct vsockif_hdr *request, uint32_t buf_alloc, uint32_t tx_cap);
void vconn_answer(struct vconn *c);
/* What vconn_open() has just begun is of this type, VSOCKIF_TYPE_*. */
static inline void vconn_set_type(struct vconn *c, unsigned type)
{
    c->type = (uint8_t)type;
}
static inline bool vconn_is_seqpacket(const struct vconn *c)
{
    return c->type == VSOCKIF_TYPE_SEQPACKET;
}

/* Takes a header whose op, type, len and flags vsockif_check() (vmux_rx.c) found well formed, and whose type is that of c.  Returns
 * VCONN_NOW_*;
 * with VCONN_NOW_VIOLATION *why points to a constant sentence.
 * While CONNECTING, all but RESPONSE, RST and REQUEST is dropped: it belongs to an earlier connection of the same pair of
 * addresses, whose RST the peer had not seen yet, and an answer would hit the new one.  As long as our REQUEST has not
 * left, RESPONSE and RST are dropped for the same reason.
 * What arrived before VCONN_NOW_CLOSED is still the owner's to deliver, whatever the error.  But of a message whose end has not come
 * nothing is delivered after VCONN_NOW_EOF or VCONN_NOW_CLOSED: the owner drops it, and after EOF it is not among vconn_unread(). */
unsigned vconn_rx(struct vconn *c, const struct vsockif_hdr *hdr, uint64_t now, const char **why);
/* The RST that vconn_rx() has just taken gave a reason, which may be any two numbers. */
void vconn_heard(struct vconn *c, struct reason reason);

/* Bytes that may be sent now: 0 when there is no credit, the state forbids it, either end shut the direction, or our
 * RESPONSE has not left yet (vmux_owed_by() says when it does). */
uint32_t vconn_room(const struct vconn *c);
/* True if sending can never succeed again (EPIPE or over). */
bool vconn_is_send_shut(const struct vconn *c);

/* The largest message that may be begun now; a larger one is EMSGSIZE. */
static inline uint32_t vconn_message_most(const struct vconn *c)
{
    return c->peer_alloc < c->tx_cap ? c->peer_alloc : c->tx_cap;
}

/* Takes len bytes of credit (1 <= len <= vconn_room(c), at most VSOCKIF_MAX_PACKET) and fills op, type, len,
 * flags and credit of the RW header. */
void vconn_send(struct vconn *c, uint32_t len, struct vsockif_hdr *hdr);
/* What vconn_send() has just made is the last packet of a message; with_eor: its program gave it that, too. */
static inline void vconn_end_message(struct vconn *c, struct vsockif_hdr *hdr, bool with_eor)
{
    hdr->flags = with_eor ? VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR : VSOCKIF_SEQ_EOM;
    c->tx_part = 0;
}
/* The sender wants more room than it has: owes the peer one CREDIT_REQUEST if it may be holding back an update. */
void vconn_want_room(struct vconn *c);

/* The peer may be waiting for room that we have not given: it asked and had no news, or has used all it was told of.  A relay
 * then calls vconn_want_room() on its other connection, after VCONN_NOW_ASKED and after each packet that it passed on: the far
 * receiver judges by a buffer of which the two senders before it may fill less than half. */
bool vconn_is_pressed(const struct vconn *c);

/* The application (or the far side of a relay) took len bytes; more than vconn_unread() counts as that.
 * If they were the last of a connection that is shut both ways, this may end it: the state is CLOSED afterwards.
 * Nothing is consumed any more once this end has shut receiving, or it is over: an owner throws away what it has left, and the RST
 * that is still to leave tells the peer what was really taken. */
void vconn_consumed(struct vconn *c, uint32_t len);
/* Changes our receive buffer; an update is owed if it grew.  That of a SEQPACKET does not become less
 * than the peer was told. */
void vconn_set_buf_alloc(struct vconn *c, uint32_t buf_alloc);
/* Bytes received that wait to be consumed; 0 once this end has shut receiving. */
uint32_t vconn_unread(const struct vconn *c);
/* The peer has said that it consumed every byte that we sent.  In CLOSED that is the last word: bytes that it dropped, or that
 * came after it had shut receiving, are never counted. */
bool vconn_is_delivered(const struct vconn *c);

/* flags: VSOCKIF_SHUTDOWN_*.  Bits already said are not said again.  Legal in ESTABLISHED; elsewhere it does nothing. */
void vconn_shutdown(struct vconn *c, unsigned flags, uint64_t now);
/* The owner lets go: shut both ways; RST follows after the peer's answer or VCONN_CLOSE_MS.  Unread data at
 * this point is lost to the peer's knowledge, so it is an abort when there is any (as TCP does), and so it is
 * before the connection is established.  An end of what is over already stays as it was. */
void vconn_close(struct vconn *c, uint64_t now);
/* Over at once.  RST is owed unless the peer has already reset, and tells the reason.  error as in struct vconn. */
void vconn_abort(struct vconn *c, int error, struct reason reason);
/* Over at once, and nothing is owed: the transport is gone. */
void vconn_transport_reset(struct vconn *c);

/* Fills the next packet that is owed (op, type, len, flags, credit) and forgets that debt; false if none is.
 * A SHUTDOWN is owed after all data that was accepted before it: the caller sends data first. */
bool vconn_owed(struct vconn *c, struct vsockif_hdr *hdr);

static inline uint64_t vconn_deadline(const struct vconn *c)
{
    return c->deadline;
}
/* Call when now >= the deadline: returns VCONN_NOW_* (CLOSED with ETIMEDOUT, or the end of a close). */
unsigned vconn_expire(struct vconn *c, uint64_t now);

/* Checks what must always be true; NULL, or a sentence that says what is not.  For tests and fuzzers. */
const char *vconn_invariant(const struct vconn *c);

#endif
