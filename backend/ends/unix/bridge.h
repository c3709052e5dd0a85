/* SPDX-License-Identifier: MIT */
/* bridge.h: a stream whose other end is a UNIX socket of the host's.
 *
 *     guest                                host program
 *     SHUTDOWN(SEND)   after all data  →   end of file
 *     SHUTDOWN(RCV)                    →   EPIPE
 *     end of file      SHUTDOWN(SEND)  ←   shutdown(SHUT_WR)
 *     EPIPE            SHUTDOWN(RCV)   ←   shutdown(SHUT_RD), seen when we write
 *     RST                              →   EPIPE, and close after all data
 *     RST                              ←   close with data unread, or whoever vouches for it goes (watchers.h)
 *
 * A UNIX socket tells its program of a reset only if the program has sent something that we have not read (then it is ECONNRESET, else
 * an end of file).  So the newline of its line stays in the socket until the program sends something behind it or the
 * stream ends in order: a program that only reads hears ECONNRESET if the stream is cut off, even if by our own death.  The others
 * can ask (fate.h).
 *
 * Data moves with one copy, the kernel's: sendmsg() from the guest's pool, readv() into the guest's buffers.  The socket is
 * read only when the guest has given credit and posted a buffer. */
#ifndef XVSD_BRIDGE_H
#define XVSD_BRIDGE_H

#include "stream.h"

/* From the guest: connects to vsock_<port> and answers the REQUEST.  0 or a negative errno. */
int  bridge_connect(struct stream *s);
/* From the host: a client has asked for a port of the guest's, in a line whose newline is still in the socket.  vouched:
 * somebody will vouch for the stream (watchers.h).  Takes the descriptor, and its mark (door.h), if it returns 0; else it is
 * the caller's to refuse, which tells why if vouched. */
int  bridge_request(struct device *d, int fd, uint32_t port, bool vouched, uint16_t mark);
void bridge_refuse(struct device *d, int fd, bool vouched, int err);
void bridge_event(struct stream *s, unsigned now);
enum stream_again bridge_turn(struct stream *s);
/* Who vouches for the stream has said that the host program has sent all; or has gone before its end. */
void bridge_may_end(struct stream *s);
void bridge_abandoned(struct stream *s);
/* The guest is gone, and an open stream with it: says how it ended, or leaves that to a farewell. */
void bridge_lost(struct stream *s);
/* Closes the socket; harmless without one. */
void bridge_close(struct stream *s);

/* For a socket that is shut for reading: takes a part of what is queued there, and drops it; false when that is done.  Who
 * waits in poll() because its socket is full hears of the end only when there is room again.  'keep' leaves one byte: it makes
 * the kernel tell the program ECONNRESET once it has read everything and we have closed. */
bool bridge_drop_queue(int fd, bool keep);
/* Bytes of the kernel's memory for what is written to a socket and not read yet. */
uint32_t bridge_in_socket(int fd);

#endif
