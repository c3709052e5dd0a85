/* SPDX-License-Identifier: MIT */
/* host.h: host programs on the mocked host: real UNIX sockets, never blocking, and bytes by pattern (conn.h).
 *
 * A connection whose descriptor is -1 is not there; all calls on it are harmless.  What is read and is not what the other
 * end sent is MOCK_MUST(). */
#ifndef MOCK_HOST_H
#define MOCK_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

struct host_end {
    int fd;
    bool messages;              /* it is a SOCK_SEQPACKET: each line is a message, and what is written and read are some, whole */
    bool wants_ok;              /* it said CONNECT, and the answer's line has not been read whole */
    bool wants_from;            /* it listens for all guests, and who calls has not been read whole */
    char line[160];
    uint32_t line_len;
    struct flow out, in;
    int over;                   /* 0 while it can be read; 1 after an end of file; -errno after an error */
};

extern char host_run_dir[256];  /* what host_* paths begin with */

void host_end_init(struct host_end *h);
/* Connects to RUN/DIR/vsock (DIR: "guest/NAME", "cid/N") and says so many bytes of "CONNECT <port>\n"; what it will send begins
 * with seed.  False: nobody listens. */
bool host_connect(struct host_end *h, const char *dir, uint32_t port, uint32_t say, uint8_t seed);
/* The same at RUN/DIR/vsock.seqpacket. */
bool host_connect_messages(struct host_end *h, const char *dir, uint32_t port, uint32_t say, uint8_t seed);
/* Any bytes at all in place of the pattern; how many went. */
uint32_t host_say(struct host_end *h, const void *bytes, uint32_t len);
uint32_t host_write(struct host_end *h, uint32_t len);
/* Up to max bytes, or a message more than that; how many came. */
uint32_t host_read(struct host_end *h, uint32_t max);
void host_half_close(struct host_end *h, int how);      /* SHUT_* */
void host_close(struct host_end *h);

/* At RUN/DIR/vsock_<port>: a descriptor or -1. */
int  host_listen(const char *dir, uint32_t port);
int  host_listen_messages(const char *dir, uint32_t port);
bool host_accept(struct host_end *h, int listener, uint8_t seed);
/* Removes the socket, and closes it. */
void host_unlisten(int fd);

/* A client of RUN/control.sock, with no line to read. */
bool host_control(struct host_end *h);
/* A program that enters a guest's channel, RUN/guest/NAME/channel/CHANNEL, where there is no line either. */
bool host_enter(struct host_end *h, const char *guest, const char *channel);

#endif
