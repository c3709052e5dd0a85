/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* transport.h: what AF_VSOCK calls. */
#ifndef XV_TRANSPORT_H
#define XV_TRANSPORT_H

int xv_transport_init(void);
void xv_transport_exit(void);

#endif
