/* SPDX-License-Identifier: MIT */
/* life_front.c: the frontend's end of section 3 of vsockif.h; see life.h.
 *
 * The one thing that matters here is 'free': it is set only by a statement of the backend that it could not have
 * made before these pages were shared.  Its states 5 and 6 are such statements, because SHARE happens only with
 * the backend in 2 and it goes from 2 to 5 or 6 without a mapping; so is back_live == 0, but only after a 4. */
#include "life.h"

#include <errno.h>
#include <stddef.h>

void life_front_init(struct life_front *f, unsigned own, uint64_t now)
{
    *f = (struct life_front){ .own = (uint8_t)own, .not_before = now, .retry_at = now, .connected_at = LIFE_NEVER };
}

/* Someone else wrote our state: the directory was removed, or it is a new one (attached again, or the domain was
 * restored elsewhere, where our grants no longer exist). */
static void take_new_tree(struct life_front *f, unsigned own, uint64_t now)
{
    f->own = (uint8_t)own;
    f->free = f->shares;
    f->fault = false;
    f->not_before = f->retry_at = now;
}

static bool is_closed(unsigned state)
{
    return state == VSOCKIF_CLOSING || state == VSOCKIF_CLOSED;
}

void life_front_look(struct life_front *f, const struct life_look *look, uint64_t now)
{
    if (look->own != f->own)
        take_new_tree(f, look->own, now);
    f->peer = look->peer;
    if (!f->shares || f->free)
        return;
    if (f->peer == VSOCKIF_CONNECTED)
        f->answered = true;
    if (is_closed(f->peer) || (f->answered && !look->live))
        f->free = true;
    else if (f->peer == VSOCKIF_INITIALISED || f->peer > VSOCKIF_CLOSED)
        life_front_fault(f, "the backend is in a state that a backend does not have", now);
    else if (f->peer == VSOCKIF_INITWAIT && f->answered)
        life_front_fault(f, "the backend went back to InitWait while pages were shared with it", now);
}

void life_front_fault(struct life_front *f, const char *why, uint64_t now)
{
    (void)now;
    if (f->own != VSOCKIF_INITIALISED && f->own != VSOCKIF_CONNECTED)
        return;                                 /* nothing is open that could be closed */
    if (!f->fault)
        f->why = why;
    f->fault = true;
}

void life_front_close(struct life_front *f)
{
    f->leaving = true;
}

enum life_act life_front_next(const struct life_front *f, uint64_t now)
{
    bool ends = f->free || f->fault || f->leaving || f->own != VSOCKIF_CONNECTED;

    if (f->used && ends)
        return LIFE_RESET;
    if (f->shares && f->free)
        return LIFE_UNSHARE;
    if (now < f->retry_at)
        return LIFE_WAIT;
    switch (f->own) {
    case VSOCKIF_UNKNOWN:
        return LIFE_WAIT;
    case VSOCKIF_INITIALISING:
        if (f->leaving)
            return LIFE_CLOSED;
        return f->peer == VSOCKIF_INITWAIT && now >= f->not_before ? LIFE_SHARE : LIFE_WAIT;
    case VSOCKIF_INITIALISED:
    case VSOCKIF_CONNECTED:
        if (!f->shares)
            return LIFE_CLOSED;
        if (f->fault || f->leaving)
            return LIFE_CLOSING;
        return f->own == VSOCKIF_INITIALISED && f->peer == VSOCKIF_CONNECTED ? LIFE_CONNECT : LIFE_WAIT;
    case VSOCKIF_CLOSED:
        return !f->leaving && now >= f->not_before ? LIFE_RESTART : LIFE_WAIT;
    default:                                    /* Closing, or what a predecessor left */
        return f->shares ? LIFE_WAIT : LIFE_CLOSED;
    }
}

/* The pages are back: an attempt, or a connection, is over. */
static void end_attempt(struct life_front *f, uint64_t now)
{
    f->not_before = life_ended(&f->strikes, f->fault, f->connected_at, f->not_before, now);
    f->connected_at = LIFE_NEVER;
    f->shares = f->free = f->answered = f->fault = false;
}

void life_front_done(struct life_front *f, enum life_act act, int err, uint64_t now)
{
    if (act == LIFE_RESET) {
        f->used = false;
        return;
    }
    if (act == LIFE_UNSHARE) {
        end_attempt(f, now);
        return;
    }
    if (err == -ENOENT && act != LIFE_SHARE) {
        take_new_tree(f, VSOCKIF_UNKNOWN, now);     /* the directory is gone: the watch will say the same */
        return;
    }
    if (err) {
        f->retry_at = now + (err == -EAGAIN ? LIFE_GAP_MS : LIFE_RETRY_MS);
        return;
    }
    switch (act) {
    case LIFE_SHARE:
        f->own = VSOCKIF_INITIALISED;
        f->shares = true;
        f->not_before = now + LIFE_GAP_MS;      /* a backend in a tight loop costs a share now and then, and no more */
        f->free = f->answered = f->fault = false;
        break;
    case LIFE_CONNECT:
        f->own = VSOCKIF_CONNECTED;
        f->used = true;
        f->connected_at = now;
        break;
    case LIFE_CLOSING: f->own = VSOCKIF_CLOSING;      break;
    case LIFE_CLOSED:  f->own = VSOCKIF_CLOSED;       break;
    case LIFE_RESTART: f->own = VSOCKIF_INITIALISING; break;
    default: break;
    }
}

uint64_t life_front_deadline(const struct life_front *f)
{
    enum life_act act = life_front_next(f, LIFE_NEVER);

    if (act == LIFE_WAIT)
        return LIFE_NEVER;
    if (act == LIFE_SHARE || act == LIFE_RESTART)
        return f->retry_at > f->not_before ? f->retry_at : f->not_before;
    return act == LIFE_RESET || act == LIFE_UNSHARE ? 0 : f->retry_at;
}
