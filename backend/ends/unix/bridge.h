/* SPDX-License-Identifier: MIT */
/* bridge.h: a stream whose other end is a UNIX socket of the host's.
 *
 *     guest                                host program
 *     SHUTDOWN(SEND)   after all data  →   end of file
 *     SHUTDOWN(RCV)                    →   EPIPE
 *     end of file      SHUTDOWN(SEND)  ←   shutdown(SHUT_WR)
 *     EPIPE            SHUTDOWN(RCV)   ←   shutdown(SHUT_RD), seen when we write
 *     RST                              →   EPIPE, and close after all data
 *     RST                              ←   close with data unread, or whoever vouches for it goes or says so (watchers.h)
 *
 * A UNIX socket tells its program of a reset only if the program has sent something that we have not read (then it is ECONNRESET, else
 * an end of file).  So the newline of its line stays in the socket until the program sends something behind it or the
 * stream ends in order: a program that only reads hears ECONNRESET if the stream is cut off, even if by our own death.  The others
 * can ask (fate.h).
 *
 * A stream of messages has a socket of type SOCK_SEQPACKET, and its line is a message, of which all stays.  A message for the host
 * program waits in the inbox until all of it has come, for the socket takes it whole; it is no larger than what the guest was told.  One
 * for the guest goes as its buffers allow, and stays in the socket meanwhile (SO_PEEK_OFF): nothing of either is kept here.  There are
 * no empty messages on the wire: those of a host program are dropped.
 *
 * Data moves with one copy, the kernel's: sendmsg() from the guest's pool, readv() into the guest's buffers.  The socket is
 * read only when the guest has given credit and posted a buffer.  bridge_inside.h says where what is done. */
#ifndef XVSD_BRIDGE_H
#define XVSD_BRIDGE_H

#include "hostside.h"
#include "stream.h"

struct bridge {
    struct stream s;            /* first */
    struct source socket;
    struct fate fate;           /* its number, once it is open, and who waits for its end */
    bool readable, writable;    /* the socket, as far as we know */
    bool ending;                /* the host program sends no more; an end of file comes after what it sent */
    bool hung_up;               /* …has closed: what it sent can still be read */
    bool host_eof;              /* …sends no more, and the guest has been told */
    bool host_reset;            /* …closed with data unread: ends with a reset */
    bool fed : 1;               /* something was written to the socket */
    bool failed : 1;            /* the socket has an error to tell */
    bool leaving : 1;           /* the host program has gone, and the guest has yet to say how it ended */
    bool guest_left : 1;        /* bytes were dropped that the guest should have read */
    uint8_t line_waits;         /* bytes of its line that are still in the socket */
    uint8_t dials;              /* names tried so far, while the keeper is asked to connect; 0 else */
    bool holds : 1;             /* the end of what the program sends waits for somebody who vouches for it, */
    bool said_end : 1;          /* …and has */
    bool by_host : 1;           /* the host program has called */
    bool forbidden : 1;         /* a new policy has ended it */
    bool is_channel : 1;        /* its program has said no line, and is told nothing */
    bool keeps : 1;             /* a place for who will vouch for it (account.h) */
    bool breaks : 1;            /* the end of what the program sends is a reset, */
    struct reason reason;       /* …for this */
    uint16_t mark;              /* of one that came in by a door (door.h), or 0 */
    uint32_t passed;            /* bytes of the host program's message that its guest has, while there are more */
    uint32_t in_socket;         /* bytes of the kernel's memory in the socket, at most: what is not read yet (held.h) */
};

extern const struct end_kind bridge_end;

/* What a host program that calls has said, and wants to hear. */
enum bridge_says {
    BRIDGE_CONNECT,             /* a line, and waits for OK */
    BRIDGE_CALL,                /* …and somebody will vouch for the stream (watchers.h) */
    BRIDGE_CHANNEL              /* nothing: it may have written already, and may have gone again */
};

struct bridge_caller {
    int fd;
    uint32_t port;
    enum bridge_says says;
    bool messages;              /* the socket is a SOCK_SEQPACKET */
    uint8_t line;               /* bytes of the line that are still in the socket */
    uint16_t mark;              /* door.h */
};
/* From the host: a client has asked for a port of the guest's, in a line or by a channel.  Takes the descriptor, the mark, and of a CALL
 * the place that is kept (account.h), if it returns 0; else it is the caller's to refuse, which tells why if vouched. */
int  bridge_request(struct hostside *host, const struct bridge_caller *caller);
/* What dial() has come to: a descriptor, which it takes in any case, with the listener's wishes (BRIDGE_VOUCHED), or a negative errno;
 * why, if it is not "", is about what stands in the directory dir. */
struct bridge_dialed {
    uint32_t request;
    int fd;
    bool vouched;
    bool for_all;               /* it listens for all guests, and is to hear first who calls (from_line.h) */
    const char *dir, *why;
};
/* Who would answer is gone, and there is another one: asks again for all that wait. */
void bridge_redial(struct hostside *host);
void bridge_dialed(struct hostside *host, const struct bridge_dialed *dialed);
void bridge_refuse(struct hostside *host, int fd, uint32_t port, bool vouched, int err);
/* The answer to WHY.  Takes the descriptor of a client that has said its line, and that is counted to the device's account. */
void bridge_tell_why(struct hostside *host, int fd, uint32_t port);

#endif
