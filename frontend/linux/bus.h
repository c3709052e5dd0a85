/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* bus.h: what xenbus has for this driver: devices, from probe to remove. */
#ifndef XV_BUS_H
#define XV_BUS_H

int xv_bus_init(void);
void xv_bus_exit(void);

#endif
