/* SPDX-License-Identifier: MIT */
/* life_back.c: the backend's end of section 3 of vsockif.h; see life.h.
 *
 * A guest writes its state as it likes.  So each answer depends on both states: 3 means something only while our own
 * state is a 2 that this process wrote, and everything that is not in the table is refused or waited out.  A way
 * round the table leads through OFFER, which is limited in time: that bounds what a guest in a tight loop costs. */
#include "life.h"

#include <errno.h>
#include <stddef.h>

void life_back_init(struct life_back *b, unsigned own, uint64_t now)
{
    *b = (struct life_back){ .own = (uint8_t)own, .not_before = now, .retry_at = now, .connected_at = LIFE_NEVER };
}

/* Someone else wrote our state: the directory was removed, or made anew. */
static void take_new_tree(struct life_back *b, unsigned own, uint64_t now)
{
    b->own = (uint8_t)own;
    b->drop = b->mapped;
    b->offered = b->refuse = false;
    b->retry_at = now;
}

static const char *violation(const struct life_back *b, unsigned seen)
{
    if (b->own == VSOCKIF_INITWAIT && b->offered && b->peer == VSOCKIF_CONNECTED)
        return "the frontend went to Connected without Initialised";
    if (b->own != VSOCKIF_CONNECTED && !(b->own == VSOCKIF_INITWAIT && b->offered))
        return NULL;
    if (b->peer == VSOCKIF_INITWAIT || b->peer > VSOCKIF_CLOSED)
        return "the frontend is in a state that a frontend does not have";
    if (b->own == VSOCKIF_CONNECTED && seen == VSOCKIF_CONNECTED && b->peer == VSOCKIF_INITIALISED)
        return "the frontend went back to Initialised while connected";
    return NULL;
}

void life_back_look(struct life_back *b, const struct life_look *look, uint64_t now)
{
    uint8_t seen = b->peer;
    const char *why;

    if (look->own != b->own)
        take_new_tree(b, look->own, now);
    b->peer = look->peer;
    why = violation(b, seen);
    if (why)
        life_back_refuse(b, why, now);
    else if (b->mapped && ((b->peer != VSOCKIF_INITIALISED && b->peer != VSOCKIF_CONNECTED) || !look->live))
        b->drop = true;
}

void life_back_refuse(struct life_back *b, const char *why, uint64_t now)
{
    if (b->refuse || b->own == VSOCKIF_UNKNOWN || b->own >= VSOCKIF_CLOSING)
        return;                                 /* it is on its way out already */
    b->refuse = true;
    b->why = why;
    b->drop = b->mapped;
    b->not_before = life_ended(&b->strikes, true, b->connected_at, b->not_before, now);
}

void life_back_offer_again(struct life_back *b)
{
    if (!b->mapped)
        b->offered = false;
}

void life_back_domain_died(struct life_back *b)
{
    b->dead = true;
}

void life_back_close(struct life_back *b)
{
    b->leaving = true;
}

/* What the two states ask for, if nothing is mapped that must go first. */
static enum life_act answer(const struct life_back *b, uint64_t now)
{
    bool waits_for_3 = b->own == VSOCKIF_INITWAIT && b->offered && !b->leaving;
    bool is_closed = b->own == VSOCKIF_CLOSING || b->own == VSOCKIF_CLOSED;

    switch (b->peer) {
    case VSOCKIF_CLOSING:
    case VSOCKIF_CLOSED:
        return b->own == VSOCKIF_CLOSED ? LIFE_WAIT : LIFE_CLOSED;
    case VSOCKIF_INITIALISING:
        if (waits_for_3 || (b->leaving && is_closed))
            return LIFE_WAIT;
        if (b->leaving)
            return LIFE_CLOSING;
        return now >= b->not_before ? LIFE_OFFER : LIFE_WAIT;
    case VSOCKIF_INITIALISED:
        if (waits_for_3)
            return b->mapped ? LIFE_CONNECT : LIFE_MAP;
        break;
    case VSOCKIF_UNKNOWN:
        if (!b->leaving && b->own != VSOCKIF_CONNECTED)
            return LIFE_WAIT;                   /* not there yet, or already gone: nobody to answer */
        break;
    default:
        break;
    }
    /* A frontend that believes in a connection, or in a state that it does not have: only a working
     * connection of this process is no reason to say 5. */
    return is_closed || b->mapped ? LIFE_WAIT : LIFE_CLOSING;
}

enum life_act life_back_next(const struct life_back *b, uint64_t now)
{
    if (b->mapped && (b->drop || b->dead || b->leaving))
        return LIFE_UNMAP;
    if (b->dead || b->own == VSOCKIF_UNKNOWN || now < b->retry_at)
        return LIFE_WAIT;
    return b->refuse ? LIFE_REFUSE : answer(b, now);
}

static void end_mapping(struct life_back *b, uint64_t now)
{
    if (!b->refuse)                             /* which has been counted */
        life_ended(&b->strikes, false, b->connected_at, b->not_before, now);
    b->connected_at = LIFE_NEVER;
    b->mapped = b->drop = false;
    b->offered = false;                         /* that 2 has been used up */
}

bool life_back_passes(int err)
{
    switch (-err) {
    case EAGAIN:
    case ECONNRESET:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
        return true;
    default:
        return false;
    }
}

void life_back_done(struct life_back *b, enum life_act act, int err, uint64_t now)
{
    if (act == LIFE_UNMAP) {
        end_mapping(b, now);
        return;
    }
    if (act == LIFE_MAP && err && !life_back_passes(err)) {
        life_back_refuse(b, "the pages of the frontend could not be mapped", now);
        return;
    }
    if (err == -ENOENT) {
        take_new_tree(b, VSOCKIF_UNKNOWN, now);     /* the directory is gone: the watch will say the same */
        return;
    }
    if (err) {
        b->retry_at = now + (err == -EAGAIN ? LIFE_GAP_MS : LIFE_RETRY_MS);
        return;
    }
    switch (act) {
    case LIFE_OFFER:
        b->own = VSOCKIF_INITWAIT;
        b->offered = true;
        b->not_before = now + LIFE_GAP_MS;
        break;
    case LIFE_MAP:
        b->mapped = true;
        b->drop = b->refuse;                    /* life_back_refuse() was called meanwhile */
        break;
    case LIFE_CONNECT:
        b->own = VSOCKIF_CONNECTED;
        b->connected_at = now;
        b->why = NULL;
        break;
    case LIFE_REFUSE:
        b->refuse = false;
        b->own = VSOCKIF_CLOSING;
        break;
    case LIFE_CLOSING: b->own = VSOCKIF_CLOSING; break;
    case LIFE_CLOSED:  b->own = VSOCKIF_CLOSED;  break;
    default: break;
    }
}

uint64_t life_back_deadline(const struct life_back *b)
{
    enum life_act act = life_back_next(b, LIFE_NEVER);

    if (act == LIFE_WAIT)
        return LIFE_NEVER;
    if (act == LIFE_UNMAP)
        return 0;
    return act == LIFE_OFFER && b->not_before > b->retry_at ? b->not_before : b->retry_at;
}
