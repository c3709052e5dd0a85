// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * gntfree.c: how many grant references the kernel of a guest has left, in
 * /sys/module/gntfree/parameters/left.
 *
 * Linux says that nowhere, so it is tried: as many as can be had at once.  What
 * has been granted is what is missing; two looks with nothing in between are
 * the same.  For the lab's tests alone.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <xen/grant_table.h>

static bool can_have(u16 count)
{
	grant_ref_t head;

	if (gnttab_alloc_grant_references(count, &head))
		return false;
	gnttab_free_grant_references(head);
	return true;
}

static int left_get(char *buf, const struct kernel_param *kp)
{
	u16 low = 0, high = 32767;

	while (low < high) {
		u16 middle = low + (high - low + 1) / 2;

		if (can_have(middle))
			low = middle;
		else
			high = middle - 1;
	}
	return sysfs_emit(buf, "%u\n", low);
}

static const struct kernel_param_ops left_ops = { .get = left_get };
module_param_cb(left, &left_ops, NULL, 0444);

MODULE_DESCRIPTION("counts a guest's free grant references, for tests");
MODULE_LICENSE("Dual MIT/GPL");
