/* SPDX-License-Identifier: MIT */
/* bridge.h: a stream whose other end is a UNIX socket of the host's.
 *
 *     guest                                host program
 *     SHUTDOWN(SEND)   after all data  →   end of file
 *     SHUTDOWN(RCV)                    →   EPIPE
 *     end of file      SHUTDOWN(SEND)  ←   shutdown(SHUT_WR)
 *     EPIPE            SHUTDOWN(RCV)   ←   shutdown(SHUT_RD), seen when we write
 *     RST                              →   close, after all data
 *     RST                              ←   close with data unread
 *
 * Data moves with one copy, the kernel's: sendmsg() from the guest's pool, readv() into the guest's buffers.  The socket is
 * read only when the guest has given credit and posted a buffer. */
#ifndef XVSD_BRIDGE_H
#define XVSD_BRIDGE_H

#include "stream.h"

/* From the guest: connects to vsock_<port> and answers the REQUEST.  0 or a negative errno. */
int  bridge_connect(struct stream *s);
/* From the host: a client has asked for a port of the guest's.  Takes the descriptor, and its mark (door.h), if it returns 0. */
int  bridge_request(struct device *d, int fd, uint32_t port, uint16_t mark);
void bridge_event(struct stream *s, unsigned now);
enum stream_again bridge_turn(struct stream *s);
/* Closes the socket; harmless without one. */
void bridge_close(struct stream *s);

#endif
