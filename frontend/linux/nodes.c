// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * nodes.c: see nodes.h.
 *
 * Everything that writes first makes sure that the directory is there, within
 * the transaction: so a device that was removed is not half created again.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringify.h>

#include "nodes.h"
#include "vsockif.h"

#define NO_STATE	255

/* As numbers that can be made text of. */
#define XV_VERSION		1
#define XV_VERSION_FEATURES	2

#define SEQPACKET	"seqpacket"

/*
 * @act within a transaction, as often as it takes.  What @act says ends it,
 * and nothing of it is written; so also its own -EAGAIN, "not now".  If it only
 * @reads, what it says holds once all that it read is of one moment: xenstored
 * lets it see what another has changed meanwhile, or removed.
 */
static int transact(int (*act)(struct xenbus_transaction xbt, void *arg),
		    void *arg, bool reads)
{
	struct xenbus_transaction xbt;
	int err, ended;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			return err;
		err = act(xbt, arg);
		ended = xenbus_transaction_end(xbt, err && !reads);
		if (err && !reads)
			return err;
	} while (ended == -EAGAIN);
	return err ? err : ended;
}

static int state_of(struct xenbus_transaction xbt, const char *dir)
{
	unsigned int state;
	char *text;
	int err;

	text = xenbus_read(xbt, dir, "state", NULL);
	if (IS_ERR(text))
		return PTR_ERR(text) == -ENOENT ? 0 : PTR_ERR(text);
	err = kstrtouint(text, 10, &state);
	kfree(text);
	return err || state > VSOCKIF_CLOSED ? NO_STATE : state;
}

int xv_nodes_state(const char *dir)
{
	return state_of(XBT_NIL, dir);
}

/* A number from @least to @most, or -EPROTO. */
static int number(struct xenbus_transaction xbt, const char *dir,
		  const char *node, u64 least, u64 most, u64 *value)
{
	char *text;
	int err;

	text = xenbus_read(xbt, dir, node, NULL);
	if (IS_ERR(text))
		return PTR_ERR(text) == -ENOENT ? -EPROTO : PTR_ERR(text);
	err = kstrtou64(text, 10, value);
	kfree(text);
	return err || *value < least || *value > most ? -EPROTO : 0;
}

/* Does the list in @node, "a,b", have @word?  1, 0, or a negative errno. */
static int list_has(struct xenbus_transaction xbt, const char *dir,
		    const char *node, const char *word)
{
	char *text, *rest, *next;
	int has = 0;

	text = xenbus_read(xbt, dir, node, NULL);
	if (IS_ERR(text))
		return PTR_ERR(text) == -ENOENT ? -EPROTO : PTR_ERR(text);
	rest = text;
	while ((next = strsep(&rest, ",")))
		has |= !strcmp(next, word);
	kfree(text);
	return has;
}

/* The version that both know, and with it the features. */
static int versions(struct xenbus_transaction xbt, const char *dir,
		    struct xv_offer *offer)
{
	int has = list_has(xbt, dir, "versions",
			   __stringify(XV_VERSION_FEATURES));

	BUILD_BUG_ON(XV_VERSION_FEATURES != VSOCKIF_VERSION_FEATURES);
	BUILD_BUG_ON(XV_VERSION != VSOCKIF_VERSION);
	if (has > 0) {
		offer->version = XV_VERSION_FEATURES;
		return 0;
	}
	if (!has)
		has = list_has(xbt, dir, "versions", __stringify(XV_VERSION));
	offer->version = XV_VERSION;
	return has < 0 ? has : has ? 0 : -EPROTO;
}

static int features(struct xenbus_transaction xbt, const char *dir,
		    struct xv_offer *offer)
{
	int has = 0;

	if (offer->version >= XV_VERSION_FEATURES)
		has = list_has(xbt, dir, "features", SEQPACKET);
	offer->seqpacket = has > 0;
	return has < 0 ? has : 0;
}

static int offer_of(struct xenbus_transaction xbt, const char *dir,
		    struct xv_offer *offer, const char **what)
{
	u64 cid, order, pages;
	int err;

	err = state_of(xbt, dir);
	if (err != VSOCKIF_INITWAIT)
		return err < 0 ? err : -EAGAIN;
	*what = "its node versions in xenstore makes no sense";
	err = versions(xbt, dir, offer);
	if (err)
		return err;
	*what = "its node features in xenstore makes no sense";
	err = features(xbt, dir, offer);
	if (err)
		return err;
	*what = "its node cid in xenstore makes no sense";
	err = number(xbt, dir, "cid", VSOCKIF_CID_FIRST, VSOCKIF_CID_LAST, &cid);
	if (err)
		return err;
	*what = "its node max-ring-page-order in xenstore makes no sense";
	err = number(xbt, dir, "max-ring-page-order", 0,
		     VSOCKIF_MAX_RING_PAGE_ORDER, &order);
	if (err)
		return err;
	*what = "its node max-pool-pages in xenstore makes no sense";
	err = number(xbt, dir, "max-pool-pages", 1, VSOCKIF_MAX_POOL_PAGES,
		     &pages);
	if (err)
		return err;
	offer->cid = cid;
	offer->ring_order = order;
	offer->pool_pages = pages;
	return 0;
}

struct look {
	const char *dir;
	struct xv_offer *offer;
	const char **what;
};

static int look(struct xenbus_transaction xbt, void *arg)
{
	struct look *l = arg;

	return offer_of(xbt, l->dir, l->offer, l->what);
}

int xv_nodes_offer(struct xenbus_device *xdev, struct xv_offer *offer,
		   const char **what)
{
	struct look l = { xdev->otherend, offer, what };

	return transact(look, &l, true);
}

struct answer {
	struct xenbus_device *xdev;
	const struct xv_offer *offer;
	u32 control_ref;
	evtchn_port_t port;
};

static int share(struct xenbus_transaction xbt, void *arg)
{
	struct answer *a = arg;
	struct xenbus_device *xdev = a->xdev;
	int err;
	u64 cid;

	err = state_of(xbt, xdev->nodename);
	if (err != VSOCKIF_INITIALISING)
		return err < 0 ? err : err ? -EAGAIN : -ENOENT;
	err = state_of(xbt, xdev->otherend);
	if (err != VSOCKIF_INITWAIT)
		return err < 0 ? err : -EAGAIN;
	err = number(xbt, xdev->otherend, "cid", 0, U64_MAX, &cid);
	if (err || cid != a->offer->cid)
		return err && err != -EPROTO ? err : -EAGAIN;
	err = xenbus_printf(xbt, xdev->nodename, "version", "%u",
			    a->offer->version);
	if (!err && a->offer->version >= XV_VERSION_FEATURES)
		err = xenbus_printf(xbt, xdev->nodename, "features", "%s",
				    a->offer->seqpacket ? SEQPACKET : "");
	if (!err)
		err = xenbus_printf(xbt, xdev->nodename, "control-ref", "%u",
				    a->control_ref);
	if (!err)
		err = xenbus_printf(xbt, xdev->nodename, "event-channel", "%u",
				    a->port);
	if (!err)
		err = xenbus_printf(xbt, xdev->nodename, "state", "%d",
				    XenbusStateInitialised);
	return err;
}

int xv_nodes_share(struct xenbus_device *xdev, const struct xv_offer *offer,
		   u32 control_ref, evtchn_port_t port)
{
	struct answer a = { xdev, offer, control_ref, port };
	int err;

	err = transact(share, &a, false);
	if (!err)
		xdev->state = XenbusStateInitialised;
	return err;
}

struct step {
	const char *dir;
	enum xenbus_state state;
};

static int step(struct xenbus_transaction xbt, void *arg)
{
	struct step *s = arg;
	int err;

	err = state_of(xbt, s->dir);
	if (err <= 0)
		return err ? err : -ENOENT;
	return xenbus_printf(xbt, s->dir, "state", "%d", s->state);
}

int xv_nodes_set_state(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct step s = { xdev->nodename, state };
	int err;

	/* Not xenbus_switch_state(), which believes its own copy: a program of
	 * this guest may have written the node before us.
	 */
	err = transact(step, &s, false);
	if (!err)
		xdev->state = state;
	return err;
}
