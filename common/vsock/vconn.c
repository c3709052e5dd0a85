/* SPDX-License-Identifier: MIT */
/* vconn.c: see vconn.h.  The table around it is vmux.h; neither knows a ring.
 *
 * Every way out of a connection is over(); every header that leaves passes tell(), and every header of an open connection
 * that arrives passes hear(): so credit has one place for each direction. */
#include "vconn.h"

#include <errno.h>
#include <stddef.h>

#define SEND VSOCKIF_SHUTDOWN_SEND
#define RCV  VSOCKIF_SHUTDOWN_RCV

const char *vconn_state_name(enum vconn_state state)
{
    static const char *const names[] = {
#define X(name, text) #name,
        VCONN_STATES(X)
#undef X
    };

    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

/* ---- what is shut, what is in flight ------------------------------------------------------------- */

static bool is_in_shut(const struct vconn *c)
{
    return (c->shut_peer & SEND) || (c->shut_here & RCV);
}

static bool is_out_shut(const struct vconn *c)
{
    return (c->shut_here & SEND) || (c->shut_peer & RCV);
}

/* Shut both ways by what has been on the wire, so that the peer knows it, too. */
static bool is_shut(const struct vconn *c)
{
    return ((c->shut_peer & SEND) || (c->shut_told & RCV)) && ((c->shut_told & SEND) || (c->shut_peer & RCV));
}

static uint32_t in_flight(const struct vconn *c)
{
    return c->tx_cnt - c->peer_fwd;
}

bool vconn_is_delivered(const struct vconn *c)
{
    return in_flight(c) == 0;
}

uint32_t vconn_unread(const struct vconn *c)
{
    return c->shut_here & RCV ? 0 : c->rx_cnt - c->fwd_cnt;
}

/* This end may send the RST that ends an orderly close: nothing is left to deliver here, nor at the peer.  An end that
 * receives no more will never consume the rest, and nobody consumes a message without its end. */
static bool is_finished(const struct vconn *c)
{
    return is_shut(c) && c->shut_peer && vconn_unread(c) == 0 && (in_flight(c) <= c->tx_part || (c->shut_peer & RCV));
}

uint32_t vconn_room(const struct vconn *c)
{
    int64_t window = c->peer_alloc < c->tx_cap ? c->peer_alloc : c->tx_cap;
    int64_t room = window - (int64_t)in_flight(c);

    if (c->state != VCONN_ESTABLISHED || (c->owed & VCONN_OWE_RESPONSE) || is_out_shut(c) || room < 0)
        return 0;
    return (uint32_t)room;
}

bool vconn_is_send_shut(const struct vconn *c)
{
    return c->state == VCONN_CLOSING || c->state == VCONN_CLOSED || is_out_shut(c);
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static void begin(struct vconn *c, enum vconn_state state, uint32_t buf_alloc, uint32_t tx_cap)
{
    *c = (struct vconn){
        .deadline = VCONN_NO_DEADLINE,
        .buf_alloc = buf_alloc,
        .tx_cap = tx_cap,
        .state = (uint8_t)state,
        .type = VSOCKIF_TYPE_STREAM,
    };
}

void vconn_open(struct vconn *c, uint32_t buf_alloc, uint32_t tx_cap, uint32_t timeout_ms, uint64_t now)
{
    begin(c, VCONN_CONNECTING, buf_alloc, tx_cap);
    c->owed = VCONN_OWE_REQUEST;
    c->deadline = now + timeout_ms;
}

void vconn_offer(struct vconn *c, const struct vsockif_hdr *request, uint32_t buf_alloc, uint32_t tx_cap)
{
    begin(c, VCONN_OFFERED, buf_alloc, tx_cap);
    c->peer_alloc = request->buf_alloc;
    c->type = (uint8_t)request->type;
}

void vconn_answer(struct vconn *c)
{
    if (c->state != VCONN_OFFERED)
        return;
    c->state = VCONN_ESTABLISHED;
    c->owed = VCONN_OWE_RESPONSE;
}

static unsigned over(struct vconn *c, int error, unsigned owed)
{
    c->state = VCONN_CLOSED;
    c->error = (int16_t)error;
    c->owed = (uint8_t)owed;
    c->notes = 0;
    c->deadline = VCONN_NO_DEADLINE;
    return VCONN_NOW_CLOSED;
}

/* Both directions have ended in order; whether all of ours was taken is another question. */
static unsigned over_in_order(struct vconn *c, unsigned owed)
{
    return over(c, vconn_is_delivered(c) ? 0 : ECONNRESET, owed);
}

void vconn_abort(struct vconn *c, int error, struct reason reason)
{
    if (c->state == VCONN_CLOSED)
        return;
    /* A REQUEST that has not left needs no RST after it. */
    over(c, error, c->owed & VCONN_OWE_REQUEST ? 0 : VCONN_OWE_RST);
    c->reason = reason;
}

void vconn_transport_reset(struct vconn *c)
{
    if (c->state != VCONN_CLOSED)
        over(c, ECONNRESET, 0);
    c->owed = 0;
}

void vconn_shutdown(struct vconn *c, unsigned flags, uint64_t now)
{
    unsigned news = flags & (SEND | RCV) & ~(unsigned)c->shut_here;

    (void)now;
    if (c->state != VCONN_ESTABLISHED || !news)
        return;
    c->shut_here |= (uint8_t)news;
    c->owed |= VCONN_OWE_SHUTDOWN;
    if (is_out_shut(c))
        c->owed &= (uint8_t)~VCONN_OWE_ASK;
}

void vconn_close(struct vconn *c, uint64_t now)
{
    if (c->state == VCONN_CLOSING)
        return;
    if (c->state != VCONN_ESTABLISHED || vconn_unread(c) > 0) {
        vconn_abort(c, ECONNRESET, c->state == VCONN_ESTABLISHED ? REASON(UNREAD) : REASON(ABORTED));
        return;
    }
    /* Where both ends have said enough, the peer's RST comes with its last byte, and a packet that crossed it would be answered
     * with one more RST, which could hit a new connection of this pair. */
    if (!(is_shut(c) && c->shut_peer))
        vconn_shutdown(c, SEND | RCV, now);
    c->state = VCONN_CLOSING;
    c->owed &= VCONN_OWE_RESPONSE | VCONN_OWE_SHUTDOWN | VCONN_OWE_CREDIT;
    c->notes = 0;
    c->deadline = now + VCONN_CLOSE_MS;
}

unsigned vconn_expire(struct vconn *c, uint64_t now)
{
    if (now < c->deadline)
        return 0;
    if (c->state == VCONN_CONNECTING) {
        vconn_abort(c, ETIMEDOUT, REASON(TIMEOUT));
        return VCONN_NOW_CLOSED;
    }
    /* What has not left in all that time still leaves first: the peer sees an end of stream and not an error. */
    return over_in_order(c, (c->owed & (VCONN_OWE_RESPONSE | VCONN_OWE_SHUTDOWN)) | VCONN_OWE_RST);
}

/* ---- credit ------------------------------------------------------------------------------------- */

/* What the peer may have in flight: Linux never has more than its own buf_alloc, which it tells in every header (6.1,
 * virtio_transport_common.c), and never asks.  One that takes nothing itself says nothing by it. */
static uint32_t window_of_peer(const struct vconn *c, uint32_t buf_alloc)
{
    return c->peer_alloc && c->peer_alloc < buf_alloc ? c->peer_alloc : buf_alloc;
}

/* The peer believes that less than half of its window is free. */
static bool is_short(const struct vconn *c, uint32_t taken, uint32_t window)
{
    return 2 * ((int64_t)window_of_peer(c, c->told_alloc) - taken) < window;
}

__attribute__((noinline))       /* out of the way of most packets */
static bool is_waited_for(const struct vconn *c, uint32_t freed, uint32_t taken, uint32_t window)
{
    if ((c->notes & VCONN_NOTE_HUNGRY) && 2 * (uint64_t)freed >= taken)
        return true;
    if ((c->notes & VCONN_NOTE_PASSED) && 4 * (uint64_t)freed >= window && taken >= window_of_peer(c, c->told_alloc))
        return true;
    return (c->notes & VCONN_NOTE_PART) && c->rx_cnt - c->fwd_cnt <= c->rx_part && is_short(c, taken, window);
}

/* Owes the peer an update if section 8 says that one is due.  Whoever is blocked gets one at the latest when all it sent has
 * been consumed: at the end of its window by the first rule, at the end of a cap of its own (which we do not know, so it asks) by
 * the second; and where the rest of a message is waited for, by the third, since what there is of it cannot be consumed before.
 * Where credit is passed on, who gave it may wait for more than there is (SO_RCVLOWAT), and gave less than half: a peer that has no
 * room left is told of a quarter, by the fourth.  (Of any, a fast stream between guests would be a quarter slower.) */
static void judge_update(struct vconn *c)
{
    uint32_t freed = c->fwd_cnt - c->told_fwd, taken = c->rx_cnt - c->told_fwd, window;

    if (freed == 0 || c->state != VCONN_ESTABLISHED || is_in_shut(c))
        return;
    window = window_of_peer(c, c->buf_alloc);
    if (2 * (uint64_t)freed >= window && is_short(c, taken, window))
        c->owed |= VCONN_OWE_CREDIT;
    else if (c->notes & (VCONN_NOTE_HUNGRY | VCONN_NOTE_PART | VCONN_NOTE_PASSED) && is_waited_for(c, freed, taken, window))
        c->owed |= VCONN_OWE_CREDIT;
}

/* Both directions are shut and all that came is consumed, but what this end sent is perhaps not: so it cannot send the RST, and
 * the peer may be waiting for the same news.  What has been told is not told again. */
static void tell_the_rest(struct vconn *c)
{
    if (c->state == VCONN_ESTABLISHED && is_shut(c) && !(c->shut_here & RCV) && vconn_unread(c) == 0 &&
        c->told_fwd != c->fwd_cnt)
        c->owed |= VCONN_OWE_CREDIT;
}

/* Puts our credit into a header that leaves now, and remembers what was promised. */
static void tell(struct vconn *c, struct vsockif_hdr *hdr, unsigned op, uint32_t len, uint32_t flags)
{
    int64_t free_bytes = (int64_t)c->buf_alloc - (uint32_t)(c->rx_cnt - c->fwd_cnt);

    hdr->len = len;
    hdr->type = c->type;
    hdr->op = (uint16_t)op;
    hdr->flags = flags;
    hdr->buf_alloc = c->buf_alloc;
    hdr->fwd_cnt = c->fwd_cnt;
    if (c->fwd_cnt != c->told_fwd)
        c->notes &= (uint8_t)~VCONN_NOTE_HUNGRY;
    c->told_fwd = c->fwd_cnt;
    c->told_alloc = c->buf_alloc;
    if (free_bytes > c->granted)
        c->granted = (uint32_t)free_bytes;
    c->owed &= (uint8_t)~VCONN_OWE_CREDIT;
}

/* We may ask again: credit came, or more went out, of which the question that left before knows nothing.  One that has not
 * left is good enough. */
static void forget_question(struct vconn *c)
{
    if (!(c->owed & VCONN_OWE_ASK))
        c->notes &= (uint8_t)~VCONN_NOTE_ASKED;
}

/* Takes the peer's credit from a header that arrived.  A fwd_cnt that went back, or passed what was sent, is of an earlier connection
 * of this pair that the peer's program still reads from: this one is over, as there is no telling the two apart. */
static unsigned hear(struct vconn *c, const struct vsockif_hdr *hdr)
{
    uint32_t room = vconn_room(c);
    unsigned now = VCONN_NOW_CREDIT;

    if (c->tx_cnt - hdr->fwd_cnt > in_flight(c))
        return over(c, ECONNRESET, VCONN_OWE_RST);
    if (hdr->fwd_cnt == c->peer_fwd && hdr->buf_alloc == c->peer_alloc)
        return 0;
    c->peer_fwd = hdr->fwd_cnt;
    c->peer_alloc = hdr->buf_alloc;
    if (vconn_room(c) > room) {
        c->owed &= (uint8_t)~VCONN_OWE_ASK;
        now |= VCONN_NOW_ROOM;
    }
    forget_question(c);
    return now;
}

/* The same from an RST: one that ends a connection tells what was consumed at last, one for no connection has no credit in it,
 * and nothing is judged by either. */
static unsigned hear_last(struct vconn *c, const struct vsockif_hdr *hdr)
{
    if (!hdr->buf_alloc || hdr->fwd_cnt == c->peer_fwd || c->tx_cnt - hdr->fwd_cnt > in_flight(c))
        return 0;
    c->peer_fwd = hdr->fwd_cnt;
    return VCONN_NOW_CREDIT;
}

void vconn_want_room(struct vconn *c)
{
    /* Nothing in flight: the peer holds nothing back.  All of its buffer in flight: it knows, and will tell. */
    if (c->state != VCONN_ESTABLISHED || (c->owed & VCONN_OWE_RESPONSE) || is_out_shut(c) ||
        (c->notes & VCONN_NOTE_ASKED) || in_flight(c) == 0 || in_flight(c) >= c->peer_alloc)
        return;
    c->notes |= VCONN_NOTE_ASKED;
    c->owed |= VCONN_OWE_ASK;
}

bool vconn_is_pressed(const struct vconn *c)
{
    return c->state == VCONN_ESTABLISHED && !is_in_shut(c) && vconn_unread(c) > 0 &&
           ((c->notes & VCONN_NOTE_HUNGRY) || c->rx_cnt - c->told_fwd >= c->told_alloc);
}

void vconn_consumed(struct vconn *c, uint32_t len)
{
    uint32_t unread = vconn_unread(c);

    if (c->state != VCONN_ESTABLISHED)
        return;
    c->fwd_cnt += len < unread ? len : unread;
    judge_update(c);
    if (!c->shut_peer)
        return;                 /* as nearly always */
    if (is_finished(c))
        over_in_order(c, VCONN_OWE_RST);
    else
        tell_the_rest(c);
}

void vconn_set_buf_alloc(struct vconn *c, uint32_t buf_alloc)
{
    if (vconn_is_seqpacket(c) && buf_alloc < c->told_alloc)
        return;                 /* a message that was begun is still to fit */
    c->buf_alloc = buf_alloc;
    if (c->state == VCONN_ESTABLISHED && buf_alloc > c->told_alloc && !is_in_shut(c))
        c->owed |= VCONN_OWE_CREDIT;
    judge_update(c);
}

/* ---- a packet leaves ---------------------------------------------------------------------------- */

void vconn_send(struct vconn *c, uint32_t len, struct vsockif_hdr *hdr)
{
    tell(c, hdr, VSOCKIF_OP_RW, len, 0);
    c->tx_cnt += len;
    if (vconn_is_seqpacket(c))
        c->tx_part += len;
    forget_question(c);
}

bool vconn_owed(struct vconn *c, struct vsockif_hdr *hdr)
{
    /* In the order in which they may leave.  CREDIT is last, for each of the others carries it. */
    static const struct {
        uint8_t bit, op;
    } order[] = {
        { VCONN_OWE_REQUEST,  VSOCKIF_OP_REQUEST },
        { VCONN_OWE_RESPONSE, VSOCKIF_OP_RESPONSE },
        { VCONN_OWE_SHUTDOWN, VSOCKIF_OP_SHUTDOWN },
        { VCONN_OWE_RST,      VSOCKIF_OP_RST },
        { VCONN_OWE_ASK,      VSOCKIF_OP_CREDIT_REQUEST },
        { VCONN_OWE_CREDIT,   VSOCKIF_OP_CREDIT_UPDATE },
    };

    if (!c->owed)
        return false;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (c->owed & order[i].bit) {
            c->owed &= (uint8_t)~order[i].bit;
            if (order[i].bit == VCONN_OWE_SHUTDOWN)
                c->shut_told = c->shut_here;
            tell(c, hdr, order[i].op, 0, order[i].bit == VCONN_OWE_SHUTDOWN ? c->shut_here : 0);
            return true;
        }
    return false;
}

/* ---- a packet arrives --------------------------------------------------------------------------- */

/* A peer whose program gave up waiting, and asks again by the same pair, has not always said so (Linux's connect() in time-out): it is
 * the same question.  Its buffer may change while it waits. */
static unsigned rx_offered(struct vconn *c, const struct vsockif_hdr *hdr)
{
    switch (hdr->op) {
    case VSOCKIF_OP_REQUEST:
        c->peer_alloc = hdr->buf_alloc;
        return VCONN_NOW_CREDIT;
    case VSOCKIF_OP_CREDIT_UPDATE:
    case VSOCKIF_OP_CREDIT_REQUEST:     /* RESPONSE will answer it */
        return hear(c, hdr);
    default:
        return over(c, ECONNRESET, hdr->op == VSOCKIF_OP_RST ? 0 : VCONN_OWE_RST);
    }
}

static unsigned rx_connecting(struct vconn *c, const struct vsockif_hdr *hdr)
{
    unsigned now;

    if (hdr->op == VSOCKIF_OP_REQUEST)
        return over(c, ECONNRESET, VCONN_OWE_RST);
    if (c->owed & VCONN_OWE_REQUEST)
        return 0;
    if (hdr->op == VSOCKIF_OP_RST)
        return over(c, ECONNREFUSED, 0);
    if (hdr->op != VSOCKIF_OP_RESPONSE)
        return 0;
    c->state = VCONN_ESTABLISHED;
    c->deadline = VCONN_NO_DEADLINE;
    if ((now = hear(c, hdr)) & VCONN_NOW_CLOSED)
        return now;
    if (c->buf_alloc > c->told_alloc)
        c->owed |= VCONN_OWE_CREDIT;
    return now | VCONN_NOW_OPEN;
}

static void set_part(struct vconn *c, uint32_t len)
{
    c->rx_part = len;
    c->notes = (uint8_t)(len ? c->notes | VCONN_NOTE_PART : c->notes & ~VCONN_NOTE_PART);
}

/* What has come of a message whose end will not come is no message: it is not to be delivered, and was not consumed. */
static void forget_part(struct vconn *c)
{
    uint32_t unread = vconn_unread(c), part = c->rx_part < unread ? c->rx_part : unread;

    c->rx_cnt -= part;
    c->granted += part;
    set_part(c, 0);
}

static unsigned rx_data(struct vconn *c, uint32_t len, const char **why)
{
    unsigned now = VCONN_NOW_DATA;

    if (len > c->granted) {
        *why = "data beyond the credit";
        return VCONN_NOW_VIOLATION;
    }
    if (c->shut_peer & SEND)
        return over(c, ECONNRESET, VCONN_OWE_RST);
    c->granted -= len;
    c->rx_cnt += len;
    if (c->state == VCONN_CLOSING || (c->shut_here & RCV))
        now = VCONN_NOW_DROP;
    judge_update(c);
    return now;
}

/* A message that has filled all that the peer was told of, and goes on, will never be whole.  (What was told never became less.) */
static bool is_too_large(const struct vconn *c, const struct vsockif_hdr *hdr)
{
    return !(hdr->flags & VSOCKIF_SEQ_EOM) && (uint64_t)c->rx_part + hdr->len >= c->told_alloc;
}

__attribute__((noinline))       /* out of the way of streams */
static unsigned rx_message(struct vconn *c, const struct vsockif_hdr *hdr, const char **why)
{
    if (hdr->len <= c->granted && !(c->shut_peer & SEND)) {
        if (is_too_large(c, hdr)) {
            vconn_abort(c, ECONNRESET, REASON(SIZE));
            return VCONN_NOW_CLOSED;
        }
        set_part(c, hdr->flags & VSOCKIF_SEQ_EOM ? 0 : c->rx_part + hdr->len);
    }
    return rx_data(c, hdr->len, why);
}

static unsigned rx_shutdown(struct vconn *c, unsigned flags)
{
    unsigned news = flags & ~(unsigned)c->shut_peer, now = 0;

    c->shut_peer |= (uint8_t)flags;
    if (news & SEND) {
        if (c->rx_part)
            forget_part(c);
        c->owed &= (uint8_t)~VCONN_OWE_CREDIT;
        now |= VCONN_NOW_EOF;
    }
    if (news & RCV) {
        c->owed &= (uint8_t)~VCONN_OWE_ASK;
        now |= VCONN_NOW_DEAF;
    }
    tell_the_rest(c);
    return now;
}

static unsigned rx_open(struct vconn *c, const struct vsockif_hdr *hdr, const char **why)
{
    bool was_finished = hdr->op != VSOCKIF_OP_RW && hdr->op != VSOCKIF_OP_SHUTDOWN && is_finished(c);
    unsigned now, more = 0;

    if (hdr->op == VSOCKIF_OP_RST) {
        now = hear_last(c, hdr);
        return now | (is_shut(c) ? over_in_order(c, 0) : over(c, ECONNRESET, 0));
    }
    if (hdr->op == VSOCKIF_OP_REQUEST || hdr->op == VSOCKIF_OP_RESPONSE)
        return over(c, ECONNRESET, VCONN_OWE_RST);
    if ((now = hear(c, hdr)) & VCONN_NOW_CLOSED)
        return now;
    switch (hdr->op) {
    case VSOCKIF_OP_RW:
        more = vconn_is_seqpacket(c) ? rx_message(c, hdr, why) : rx_data(c, hdr->len, why);
        break;
    case VSOCKIF_OP_SHUTDOWN:
        more = rx_shutdown(c, hdr->flags);
        break;
    case VSOCKIF_OP_CREDIT_REQUEST:
        if (c->state != VCONN_ESTABLISHED || is_in_shut(c))
            break;
        c->owed |= VCONN_OWE_CREDIT;
        if (c->fwd_cnt == c->told_fwd && vconn_unread(c) > 0) {
            c->notes |= VCONN_NOTE_HUNGRY;
            more = VCONN_NOW_ASKED;
        }
        break;
    }
    /* The last news, of either kind.  (Where our own SHUTDOWN was it, the peer's RST is on its way.) */
    if (hdr->op != VSOCKIF_OP_RW && c->shut_peer && !was_finished && is_finished(c))
        more |= over_in_order(c, VCONN_OWE_RST);
    /* The room that this header brought is gone if the connection is, or its direction. */
    return (vconn_is_send_shut(c) ? now & ~VCONN_NOW_ROOM : now) | more;
}

unsigned vconn_rx(struct vconn *c, const struct vsockif_hdr *hdr, uint64_t now, const char **why)
{
    (void)now;
    switch ((enum vconn_state)c->state) {
    case VCONN_OFFERED:
        return rx_offered(c, hdr);
    case VCONN_CONNECTING:
        return rx_connecting(c, hdr);
    case VCONN_ESTABLISHED:
    case VCONN_CLOSING:
        return rx_open(c, hdr, why);
    case VCONN_CLOSED:
        break;
    }
    return 0;
}

void vconn_heard(struct vconn *c, struct reason reason)
{
    if (c->state == VCONN_CLOSED && c->error)
        c->reason = reason_heard(reason.code, reason.detail);
}

/* ---- what must always be true ------------------------------------------------------------------- */

const char *vconn_invariant(const struct vconn *c)
{
    static const uint8_t may_owe[] = {
        [VCONN_OFFERED]     = 0,
        [VCONN_CONNECTING]  = VCONN_OWE_REQUEST,
        [VCONN_ESTABLISHED] = VCONN_OWE_RESPONSE | VCONN_OWE_SHUTDOWN | VCONN_OWE_CREDIT | VCONN_OWE_ASK,
        [VCONN_CLOSING]     = VCONN_OWE_RESPONSE | VCONN_OWE_SHUTDOWN | VCONN_OWE_CREDIT,
        [VCONN_CLOSED]      = VCONN_OWE_RESPONSE | VCONN_OWE_SHUTDOWN | VCONN_OWE_RST,
    };
    bool is_timed = c->state == VCONN_CONNECTING || c->state == VCONN_CLOSING;
    uint32_t window = c->peer_alloc < c->tx_cap ? c->peer_alloc : c->tx_cap;

    if (c->state > VCONN_CLOSED)
        return "the state is none of the list";
    if (c->owed & ~may_owe[c->state])
        return "something is owed that this state cannot send";
    if (is_timed != (c->deadline != VCONN_NO_DEADLINE))
        return "a deadline belongs to CONNECTING and CLOSING, and to no other state";
    if ((c->shut_here | c->shut_peer) & ~3u)
        return "a shutdown flag that does not exist";
    if (c->state != VCONN_CLOSED && (c->shut_here != c->shut_told) != !!(c->owed & VCONN_OWE_SHUTDOWN))
        return "what was decided and what was told differ, and SHUTDOWN is not owed, or the other way round";
    if (c->error && c->state != VCONN_CLOSED)
        return "an error and not CLOSED";
    if (c->reason.code && !c->error)
        return "a reason and no error";
    if (c->reason.code >= REASONS || (c->reason.detail && !reason_has_detail(c->reason)))
        return "a reason that is not on the list";
    if (c->fwd_cnt - c->told_fwd > c->rx_cnt - c->told_fwd)
        return "more was consumed than was received";
    if (c->type != VSOCKIF_TYPE_STREAM && !vconn_is_seqpacket(c))
        return "a type that does not exist";
    if ((c->rx_part || c->tx_part) && !vconn_is_seqpacket(c))
        return "a part of a message in a stream";
    if (c->state == VCONN_ESTABLISHED && !c->rx_part != !(c->notes & VCONN_NOTE_PART))
        return "a part of a message and no note of it, or the other way round";
    if (c->rx_part && c->rx_part >= c->told_alloc)
        return "a message that cannot end is kept";
    if (c->rx_part && c->state != VCONN_CLOSED && (c->shut_peer & SEND))
        return "a message that will not end is kept";
    if (c->state == VCONN_CLOSING && vconn_unread(c) > 0)
        return "CLOSING with unread data";
    if ((int64_t)c->granted < (int64_t)c->told_alloc - (int64_t)(uint32_t)(c->rx_cnt - c->told_fwd))
        return "the peer was told of more room than is granted";
    if (in_flight(c) > c->tx_cap)
        return "more is in flight than our cap";
    if (vconn_room(c) > window)
        return "more room than the window";
    if ((c->owed & VCONN_OWE_ASK) && !(c->notes & VCONN_NOTE_ASKED))
        return "CREDIT_REQUEST is owed and not noted";
    return NULL;
}
