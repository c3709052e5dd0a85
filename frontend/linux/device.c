// SPDX-License-Identifier: GPL-2.0 OR MIT
/* device.c: see device.h. */
#include <linux/srcu.h>

#include "device.h"

struct workqueue_struct *xv_wq;
struct virtio_transport *xv_transport;

static struct xv_device __rcu *carrier;
DEFINE_STATIC_SRCU(carrier_srcu);

struct xv_device *xv_carrier_get(int *key)
	__acquires(&carrier_srcu)
{
	*key = srcu_read_lock(&carrier_srcu);
	return srcu_dereference(carrier, &carrier_srcu);
}

void xv_carrier_put(int key)
	__releases(&carrier_srcu)
{
	srcu_read_unlock(&carrier_srcu, key);
}

void xv_carrier_set(struct xv_device *dev)
{
	rcu_assign_pointer(carrier, dev);
	synchronize_srcu(&carrier_srcu);
}
