// SPDX-License-Identifier: GPL-2.0 OR MIT
/* stats.c: see stats.h. */
#include <linux/device.h>
#include <linux/stat.h>

#include "device.h"
#include "stats.h"

static const char *const names[XV_STATS] = {
	[XV_TX_PACKETS]		= "tx_packets",
	[XV_TX_BYTES]		= "tx_bytes",
	[XV_RX_PACKETS]		= "rx_packets",
	[XV_RX_BYTES]		= "rx_bytes",
	[XV_NOTIFICATIONS]	= "notifications",
	[XV_INTERRUPTS]		= "interrupts",
	[XV_QUEUED]		= "queued",
	[XV_ASKED]		= "asked",
	[XV_CREDIT_UPDATES]	= "credit_updates",
	[XV_MERGED]		= "merged",
	[XV_STALE]		= "stale",
	[XV_STRAYS]		= "strays",
	[XV_DROPPED]		= "dropped",
	[XV_CONNECTS]		= "connects",
};

static ssize_t stat_show(struct device *d, struct device_attribute *attr,
			 char *buf)
{
	struct dev_ext_attribute *ext = container_of(attr,
						     struct dev_ext_attribute,
						     attr);
	struct xv_device *dev = dev_get_drvdata(d);
	unsigned long stat = (unsigned long)ext->var;

	return sysfs_emit(buf, "%lld\n",
			  (long long)atomic64_read(&dev->counts.of[stat]));
}

/* How many pages are granted; not of one device, and so the same in each. */
static ssize_t granted_pages_show(struct device *d,
				  struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", xv_share_granted());
}
static DEVICE_ATTR_RO(granted_pages);

static ssize_t cid_show(struct device *d, struct device_attribute *attr,
			char *buf)
{
	struct xv_device *dev = dev_get_drvdata(d);

	return sysfs_emit(buf, "%u\n", READ_ONCE(dev->cid));
}
static DEVICE_ATTR_RO(cid);

static struct dev_ext_attribute stats[XV_STATS];
static struct attribute *attrs[XV_STATS + 3] = {
	&dev_attr_granted_pages.attr,
	&dev_attr_cid.attr,
};

static const struct attribute_group group = {
	.name = "vsock",
	.attrs = attrs,
};

const struct attribute_group *xv_stats_groups[] = { &group, NULL };

void xv_stats_init(void)
{
	unsigned long i;

	for (i = 0; i < XV_STATS; i++) {
		sysfs_attr_init(&stats[i].attr.attr);
		stats[i].attr.attr.name = names[i];
		stats[i].attr.attr.mode = 0444;
		stats[i].attr.show = stat_show;
		stats[i].var = (void *)i;
		attrs[2 + i] = &stats[i].attr.attr;
	}
}
