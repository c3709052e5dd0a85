// SPDX-License-Identifier: GPL-2.0 OR MIT
/* bad.c: see bad.h. */
#include <linux/bitops.h>
#include <linux/slab.h>
#include <xen/xenbus.h>

#include "bad.h"

enum { XV_BAD_CLAIMED, XV_BAD_SAID, XV_BAD_TAKEN };

void xv_bad_init(struct xv_bad *bad)
{
	/* A backend that finds ever new rules to break fills no log. */
	ratelimit_state_init(&bad->limit, 5 * 60 * HZ, 10);
	ratelimit_set_flags(&bad->limit, RATELIMIT_MSG_ON_RELEASE);
}

bool xv_bad_claim(struct xv_bad *bad, const char *rule, u64 value)
{
	if (test_and_set_bit(XV_BAD_CLAIMED, &bad->flags))
		return false;
	bad->rule = rule;
	bad->value = value;
	smp_mb__before_atomic();	/* what is said, then that it is */
	set_bit(XV_BAD_SAID, &bad->flags);
	return true;
}

bool xv_bad_is_claimed(const struct xv_bad *bad)
{
	return test_bit(XV_BAD_CLAIMED, &bad->flags);
}

bool xv_bad_tell(struct xv_bad *bad, struct xenbus_device *xdev)
{
	char *path;

	if (!test_bit(XV_BAD_SAID, &bad->flags) ||
	    test_and_set_bit(XV_BAD_TAKEN, &bad->flags))
		return false;
	smp_mb__after_atomic();		/* that it is said, then what */
	/* Not xenbus_dev_error(), which always fills the log, too. */
	path = kasprintf(GFP_KERNEL, "error/%s", xdev->nodename);
	if (path)
		xenbus_printf(XBT_NIL, path, "error", "the backend broke a rule: %s: %llu",
			      bad->rule, bad->value);
	kfree(path);
	if (bad->rule != bad->told && __ratelimit(&bad->limit))
		dev_err(&xdev->dev, "the backend broke a rule: %s: %llu; closing the device, and trying again\n",
			bad->rule, bad->value);
	bad->told = bad->rule;
	return true;
}

void xv_bad_forget(struct xv_bad *bad)
{
	bad->flags = 0;
}
