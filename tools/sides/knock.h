/* SPDX-License-Identifier: MIT */
/* knock.h: calling at a socket in Firecracker's convention: xvsd's in a guest's directory, or that of the agent of this guest.
 *
 *     connect to DIR/vsock, say "CONNECT <port>\n", read "OK <number>\n" and not a byte more; no answer is a refusal
 *
 * A connection of messages is called for at DIR/vsock.seqpacket, where each line is a message.
 *
 * The stream has a number, by which is asked how it ended (vouch.h): then the word is CALL, which is refused with a word, too. */
#ifndef XVS_KNOCK_H
#define XVS_KNOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "reason.h"
#include "side.h"

struct knock_kind {
    const char *who;            /* answers there, for messages */
    bool always;                /* streams are vouched for, whatever the dial says */
    /* What is called, and a newline: the length. */
    int (*target)(const struct dial *d, char *text, size_t room);
    /* Why it was refused: fills d->why, a negative errno.  by: who refused, if he said no more; else "". */
    int (*explain)(struct dial *d, struct reason reason, const char *by);
    /* The socket cannot be connected to: likewise. */
    int (*absent)(struct dial *d, int err);
};

/* Takes dirfd.  0, and dial_end() will come; or a negative errno. */
int knock(struct dial *d, int dirfd, bool calls, const struct knock_kind *kind);
/* As dial_abort of a side. */
int knock_abort(struct dial *d, int err);

#endif
