/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* transport.h: what AF_VSOCK calls. */
#ifndef XV_TRANSPORT_H
#define XV_TRANSPORT_H

#include <linux/virtio_vsock.h>

extern struct virtio_transport xv_transport;

int xv_transport_init(void);
void xv_transport_exit(void);

#endif
