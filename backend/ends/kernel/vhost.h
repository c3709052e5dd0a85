/* SPDX-License-Identifier: MIT */
/* vhost.h: one open /dev/vhost-vsock: the kernel's device, of which we play the guest's driver (linux/vhost.h).
 *
 * The kernel reads what is shown to it at any moment between vhost_begin() and vhost_stop(), and at no other; a page that goes away
 * meanwhile is data that is lost without a word.  Whoever opened the descriptor has given it its CID. */
#ifndef XVSD_VHOST_H
#define XVSD_VHOST_H

#include <stdbool.h>

#include "virtq.h"

enum { VHOST_RX, VHOST_TX, VHOST_QUEUES };      /* as virtio_vsock has them (virtio 1.2, 5.10.2) */

struct vhost {
    int fd;
    int kick[VHOST_QUEUES];
    int call;                   /* readable when chains have come back, of either queue */
    int error;                  /* …when the kernel could not work with one, which then never comes back */
    bool has_messages;          /* the kernel's AF_VSOCK has SOCK_SEQPACKET */
};

/* Takes fd in any case.  0, or a negative errno and *what failed, a constant. */
int  vhost_begin(struct vhost *v, int fd, struct virtq queue[VHOST_QUEUES], const char **what);
void vhost_kick(const struct vhost *v, unsigned queue);
/* The kernel has let go of all memory when this returns. */
void vhost_stop(struct vhost *v);
/* Of whatever is open. */
void vhost_close(struct vhost *v);

#endif
