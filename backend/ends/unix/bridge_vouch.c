/* SPDX-License-Identifier: MIT */
/* bridge_vouch.c: who vouches for the stream (watchers.h), and what comes of it. */
#include "bridge_inside.h"

static struct bridge *bridge_watched(struct watched *w)
{
    return container_of(w, struct bridge, fate.watched);
}

static void vouched(struct watched *w)
{
    bridge_watched(w)->holds = true;
}

static void said_end(struct watched *w)
{
    struct bridge *b = bridge_watched(w);

    b->said_end = b->readable = true;
    stream_wake(&b->s);
}

void bridge_abandoned(struct watched *w)
{
    bridge_break_off(bridge_watched(w), REASON(ABORTED));
}

static void said_reset(struct watched *w, struct reason why)
{
    struct bridge *b = bridge_watched(w);

    b->breaks = true;
    b->reason = why;
    if (b->host_eof)
        bridge_break_off(b, why);      /* its end was said before */
    else
        said_end(w);
}

static bool gives_place(struct watched *w)
{
    struct bridge *b = bridge_watched(w);
    bool keeps = b->keeps;

    b->keeps = false;
    return keeps;
}

void bridge_keep_no_place(struct bridge *b)
{
    if (gives_place(&b->fate.watched))
        account_give_kept(b->s.lane->account);
}

const struct watched_kind bridge_watched_kind = {
    .vouched = vouched, .said_end = said_end, .said_reset = said_reset, .abandoned = bridge_abandoned, .gives_place = gives_place
};
