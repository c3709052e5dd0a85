/* SPDX-License-Identifier: MIT */
/* hostsock.h: what the kernel says of a host program's socket, and what is in it. */
#ifndef XVSD_HOSTSOCK_H
#define XVSD_HOSTSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOSTSOCK_WORTH 4096u    /* bytes: for less room than this, and than there is to write, it is not worth to write */

/* Bytes of the kernel's memory for what is written to it and not read yet (held.h). */
uint32_t hostsock_holds(int fd);
/* Bytes that its program has written and that we have not read. */
uint32_t hostsock_unsent(int fd);
/* For a socket that is shut for reading: takes a part of what is queued there, and drops it; false when that is done.  Who
 * waits in poll() because its socket is full hears of the end only when there is room again.  'keep' leaves one byte: it makes
 * the kernel tell the program ECONNRESET once it has read everything and we have closed. */
bool hostsock_drop_queue(int fd, bool keep);
/* Bytes of the first message of a SOCK_SEQPACKET's queue that have not been peeked at (SO_PEEK_OFF), 0 for an empty one or an end of file,
 * or -1 with errno. */
ssize_t hostsock_message(int fd);
/* Takes the first message away, or what is still there of it. */
void hostsock_take_message(int fd);
/* It is a SOCK_SEQPACKET. */
bool hostsock_has_messages(int fd);
/* Takes out of it what was left there of its line (bridge.h): the newline, or the message that it is.  False: there was nothing, or
 * an error, with errno. */
bool hostsock_take_line(int fd);

#endif
