/* SPDX-License-Identifier: MIT */
/* linux.h: the host's kernel as the daemon sees it: a vhost-vsock device in this process, and AF_VSOCK programs behind it.
 *
 * vhost_begin() and its companions (backend/ends/kernel/vhost.h) are these here.  The device keeps to Linux's manners, not to ours: what
 * is in flight is bounded by the program's own buffer, and nobody asks for credit (virtio_transport_common.c, 6.1). */
#ifndef XVS_TEST_LINUX_H
#define XVS_TEST_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prog;                    /* a program's socket */

extern uint64_t linux_cid;      /* the guest's */
/* What programs see of the guest is over: SET_RUNNING 0 was said, or the descriptor closed. */
extern bool linux_runs;
/* Its AF_VSOCK has SOCK_SEQPACKET, and the next device will say so. */
extern bool linux_has_messages;
/* The device reads nothing. */
extern bool linux_holds_still;
/* Bytes of the packets that it has been shown and has not read. */
size_t linux_unread(void);
/* For a packet that is none: op and type as given, from port to port. */
void linux_send_raw(uint16_t type, uint16_t op, uint32_t from, uint32_t to, uint32_t fwd_cnt);
/* It could not work with a chain. */
void linux_fails(void);

/* A socket with a buffer of so many bytes. */
struct prog *prog_connect(uint32_t from, uint32_t port, uint32_t buffer);
void prog_listen(uint32_t port, uint32_t buffer);
void linux_listener_gone(void);                 /* all of them */
struct prog *prog_accept(uint32_t port);        /* NULL: nobody has come */
/* Bytes of a pattern that goes on over all of its sends; how many there was room for. */
size_t prog_send(struct prog *p, size_t len);
/* Takes what has come, at most len, and checks that it is the pattern. */
size_t prog_recv(struct prog *p, size_t len);
/* Sockets of messages: one of so many bytes is begun, and prog_send() sends it, in as many calls as it takes. */
struct prog *prog_connect_messages(uint32_t from, uint32_t port, uint32_t buffer);
void prog_message(struct prog *p, size_t len, bool with_eor);
/* Bytes of the next message that is whole, all of which are taken and checked; 0 for none.  *ends are its flags. */
size_t prog_recv_message(struct prog *p, uint32_t *ends);
void prog_shutdown(struct prog *p, unsigned flags);
void prog_close(struct prog *p);
uint32_t prog_port(const struct prog *p);
bool prog_is_open(const struct prog *p);
bool prog_is_over(const struct prog *p);        /* it was reset or closed in order by the other end */
int  prog_error(const struct prog *p);          /* 0, or the errno */
bool prog_at_end(const struct prog *p);         /* nothing more will come */

/* Everything that the kernel has to do; true if it did anything. */
bool linux_step(void);
void linux_reset(void);

#endif
