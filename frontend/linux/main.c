// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * main.c: xen_vsock, AF_VSOCK in a Xen guest over the wire of vsockif.h.
 *
 * device.h is the map.
 */
#include <linux/module.h>
#include <linux/workqueue.h>
#include <xen/xen.h>

#include "bus.h"
#include "device.h"
#include "hand.h"
#include "stats.h"
#include "transport.h"
#include "user.h"

static int __init xv_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	xv_stats_init();
	xv_users_init(xv_hand_on);
	/* Frozen while the domain is saved: xenbus changes a device then. */
	xv_wq = alloc_workqueue("xen_vsock", WQ_HIGHPRI | WQ_FREEZABLE, 0);
	if (!xv_wq)
		return -ENOMEM;
	/* Before there is a device: its sockets have somewhere to go. */
	err = xv_transport_init();
	if (err) {
		pr_err("xen_vsock: another transport has AF_VSOCK's way to the host: %d\n",
		       err);
		goto no_transport;
	}
	err = xv_bus_init();
	if (err)
		goto no_bus;
	return 0;

no_bus:
	xv_transport_exit();
no_transport:
	destroy_workqueue(xv_wq);
	xv_users_exit();
	return err;
}

static void __exit xv_exit(void)
{
	xv_bus_exit();
	xv_transport_exit();
	destroy_workqueue(xv_wq);
	xv_users_exit();
}

module_init(xv_init);
module_exit(xv_exit);

MODULE_DESCRIPTION("AF_VSOCK for Xen guests");
MODULE_AUTHOR("The xvs authors");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_ALIAS("xen:vsock");
