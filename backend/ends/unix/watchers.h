/* SPDX-License-Identifier: MIT */
/* watchers.h: host programs that ask how a stream ends (fate.h), at the socket where CONNECT is said.
 *
 *     "WATCH <number>\n"     "WATCHING <number>\n", and when the stream has ended "ENDED <number> …\n"; or at once
 *                            "ENDED …" if it has ended lately, "UNKNOWN <number>\n" if nobody knows it
 *     "VOUCH <number>\n"     the same answers, and the client stands for the host program of the stream: the end of what the
 *                            program sends is passed on when the client has said "END\n", too; and if the client goes before
 *                            "ENDED", the stream is reset.  So what a program sent before it was killed is not taken for all of it.
 *                            "RESET <reason>\n" in place of "END\n": behind what the program has sent comes a reset with this reason
 *                            (reason.h), for a command that failed.  Then the client may go
 *
 * A program that begins with "CALL <port>\n", and one that listens at a socket with the sticky bit, is waited for to vouch: if it
 * hangs up before it has, that is a reset as well.  So there is no moment at which its death looks like an end.
 *
 * Then the daemon closes.  WATCH never changes anything.  At most WATCHERS_MOST of a stream and max_connections of a device; one
 * more is closed without a word.  One thread. */
#ifndef XVSD_WATCHERS_H
#define XVSD_WATCHERS_H

#include "hostside.h"

#define WATCHERS_MOST 8u

/* A place is kept for who vouches for this stream (account.h): it is the caller's from here on. */
bool watchers_take_place(struct hostside *host, uint32_t number);
/* Takes the descriptor of a client that has said its line, and that is counted to the device's account. */
void watchers_add(struct hostside *host, int fd, uint32_t number, bool vouches);

/* Somebody vouches for this stream. */
bool watchers_vouch(const struct watched *watched);

/* The stream's device goes, and its watchers go on with what is left of it (unread.h). */
void watchers_pass(struct watched *from, struct watched *to);
/* The end: they are told, and gone. */
void watchers_tell(struct watched *watched, uint32_t number, enum fate_end end, struct reason reason);

#endif
