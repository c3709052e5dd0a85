/* SPDX-License-Identifier: MIT */
/* peer.c: see peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

/* As libxvs's header and Linux's have them. */
#define CID_LOCAL 1
#define CID_HOST  2

static bool parse_peer(const char *word, uint64_t *cid)
{
    if (strcmp(word, "host") == 0)
        *cid = CID_HOST;
    else if (strcmp(word, "local") == 0)
        *cid = CID_LOCAL;
    else
        return parse_number(strncmp(word, "cid:", 4) == 0 ? word + 4 : word, UINT32_MAX, cid);
    return true;
}

/* What only makes sense in dom0, with the words for it: if it was guessed that this is a guest, there may be another guess. */
static int other_side(const struct side *s, char *why, const char *words)
{
    bool guessed = s->options.which == SIDE_GUESS;

    snprintf(why, WHY, "%s%s", words, guessed ? " (in dom0: start xvsd, or name its directory with --run-dir)" : "");
    return guessed ? -SIDE_OTHER : -EINVAL;
}

int peer_cid(struct dial *d, uint64_t *cid)
{
    char words[300];

    if (!d->peer)
        d->peer = "host";
    if (parse_peer(d->peer, cid))
        return 0;
    snprintf(words, sizeof words, "'%.200s' is no peer in a guest: write host, local, or another guest's CID", d->peer);
    return other_side(d->side, d->why, words);
}

int peer_none(struct listening *l)
{
    if (!l->peer)
        return 0;
    return other_side(l->side, l->why, "in a guest whoever calls is heard: no GUEST belongs behind PORT");
}

int peer_late(struct dial *d, int err)
{
    snprintf(d->why, sizeof d->why, "%s has not answered in time at port %u", d->peer, d->port);
    return err;
}

int peer_down(struct dial *d, const char *reason)
{
    snprintf(d->why, sizeof d->why, "the vsock device is not up: %s; is xvsd running in dom0, and this guest attached?", reason);
    return -ENETDOWN;
}
