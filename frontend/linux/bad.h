/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * bad.h: the backend broke a rule.
 *
 * Whoever finds out says which, and stops touching what is shared; the life of
 * the device closes it, and begins anew after a while.  What is said goes to
 * the kernel's log and to error/ in xenstore: one line, and not again for the
 * same rule.
 */
#ifndef XV_BAD_H
#define XV_BAD_H

#include <linux/ratelimit.h>
#include <linux/types.h>

struct xenbus_device;

struct xv_bad {
	unsigned long flags;		/* XV_BAD_* */
	const char *rule;		/* a constant */
	u64 value;
	const char *told;		/* the rule last told of */
	struct ratelimit_state limit;
};

void xv_bad_init(struct xv_bad *bad);

/*
 * From anywhere: @rule, a constant sentence, was broken with @value.  True: it
 * is the first, and the life of the device is to look.
 */
bool xv_bad_claim(struct xv_bad *bad, const char *rule, u64 value);

bool xv_bad_is_claimed(const struct xv_bad *bad);

/*
 * By the life of the device: true, once, if a rule was broken; it is told, in
 * the name of @xdev.
 */
bool xv_bad_tell(struct xv_bad *bad, struct xenbus_device *xdev);

/* The next attempt begins. */
void xv_bad_forget(struct xv_bad *bad);

#endif
