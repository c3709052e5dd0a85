/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * message.h: SOCK_SEQPACKET.
 *
 * A message is whole or not at all.  Linux's common code sends what there is
 * credit for; and where a send() ends within a message, by a signal or since
 * it must not wait, the next message is taken for the rest of that one.  So
 * here a message begins when there is credit for all of it, and then all of it
 * is handed over.  Calls of struct vsock_transport, with the socket's lock held.
 */
#ifndef XV_MESSAGE_H
#define XV_MESSAGE_H

#include <linux/virtio_vsock.h>
#include <net/af_vsock.h>

#include "vsockif.h"

/*
 * Linux 6.1 makes -ENOMEM of every error of this call.  So what is wrong with
 * the message is said by xv_message_error(), which is called next.
 */
int xv_message_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len);
int xv_message_error(struct vsock_sock *vsk);
/* A send() begins: it does not wait for what an earlier one waited for. */
void xv_message_begin(struct vsock_sock *vsk);

/*
 * Data of this type has come.  True: it fills the buffer with a message that
 * has no end, and has ended the connection (section 10).
 */
bool xv_message_take_part(const struct vsockif_hdr *hdr);

ssize_t xv_message_dequeue(struct vsock_sock *vsk, struct msghdr *msg, int flags);
u32 xv_message_has_data(struct vsock_sock *vsk);

#endif
