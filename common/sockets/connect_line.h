/* SPDX-License-Identifier: MIT */
/* connect_line.h: the one line of text with which a program says what it wants at a socket: a host program at a guest's, where xvsd answers;
 * and a program of a guest at its own, where xvs-agent does.
 *
 *     CONNECT <port>      a stream to that port of the guest: Firecracker's convention
 *     CALL <port>         the same, and somebody will vouch for it; a refusal is said, too
 *     WATCH <number>      how does the stream of this number end?
 *     VOUCH <number>      the same, and this client stands for the stream (watchers.h)
 *     WHY <port>          why was I refused that port the last time (turned_away.h)?
 *
 * In place of a port there may be <cid>:<port> where the caller of this takes a CID: in a guest, which has several peers.
 *
 * The keyword is in any case, the line has at most CONNECT_LINE_MAX bytes with its newline.  Stricter than it looks in
 * Firecracker: one space, decimal digits only, no sign, at most 2^32 - 1; a carriage return before the newline is
 * forgiven.  Pure. */
#ifndef XVSD_CONNECT_LINE_H
#define XVSD_CONNECT_LINE_H

#include <stddef.h>
#include <stdint.h>

#define CONNECT_LINE_MAX 32

enum connect_verb { CONNECT_STREAM, CONNECT_CALL, CONNECT_WATCH, CONNECT_VOUCH, CONNECT_WHY };

/* Looks at the first len bytes of what a client has sent.  Returns how many bytes the line has, its newline
 * included, with what it says; 0 if the newline has yet to come; -EINVAL if this can become no such line.  What
 * follows the newline is not looked at: after CONNECT and CALL it belongs to the guest. */
int connect_line_parse(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *number);
/* The same where a CID may be named; *cid stays as it is if none is. */
int connect_line_parse_cid(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *cid, uint32_t *number);

#endif
