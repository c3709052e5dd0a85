// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * life.c: from probe to remove.
 *
 * What is to be done is decided by the machine of life.h, the same file that
 * the library runs: it is told how things are, and names one act at a time.
 * Here are its eyes and its hands.  One work item looks; whoever has news has
 * it look again.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <xen/xenbus.h>

#include "device.h"
#include "nodes.h"
#include "sock.h"
#include "transport.h"

#define LEAVE_MS	5000		/* for the backend to let go */

static unsigned int pool_pages = 240;
module_param(pool_pages, uint, 0444);
MODULE_PARM_DESC(pool_pages, "pages shared for data, each way (at most what the backend takes)");

/* One device of a guest at a time has AF_VSOCK.  Outside of life_lock. */
static struct xv_device *bound;
static DEFINE_MUTEX(bound_lock);

static bool bind(struct xv_device *dev)
{
	bool free;

	mutex_lock(&bound_lock);
	free = !bound;
	if (free)
		bound = dev;
	mutex_unlock(&bound_lock);
	return free;
}

static void unbind(void)
{
	mutex_lock(&bound_lock);
	bound = NULL;
	mutex_unlock(&bound_lock);
}

static u64 now_ms(void)
{
	return ktime_get_boottime_ns() / NSEC_PER_MSEC;
}

void xv_life_look(struct xv_device *dev, unsigned long delay)
{
	/* An earlier look that is due anyway is not put off. */
	if (delay)
		queue_delayed_work(xv_wq, &dev->life_work, delay);
	else
		mod_delayed_work(xv_wq, &dev->life_work, 0);
}

/* ---- eyes ---- */

static int look(struct xv_device *dev)
{
	struct life_look seen = {};
	int own, peer = 0;

	own = xv_nodes_state(dev->xdev->nodename);
	if (own < 0)
		return own;
	if (dev->xdev->otherend) {
		peer = xv_nodes_state(dev->xdev->otherend);
		if (peer < 0)
			return peer;
	}
	seen.own = own;
	seen.peer = peer;
	/* After the states, never before (life.h). */
	seen.live = xv_share_is_live(&dev->share);
	if (!dev->looked)
		life_front_init(&dev->life, own, now_ms());
	dev->looked = true;
	life_front_look(&dev->life, &seen, now_ms());
	if (dev->life.fault && !xv_is_bad(dev))
		xv_bad(dev, dev->life.why, peer);
	return 0;
}

/* ---- hands ---- */

/* Nothing that is shared is touched any more. */
static void go_down(struct xv_device *dev)
{
	if (dev->carries)
		xv_carrier_set(NULL);
	xv_rx_stop(dev);
	xv_tx_close(dev);
	xv_share_deafen(&dev->share);
	xv_rx_stop(dev);		/* what an interrupt began meanwhile */
	if (dev->carries)
		xv_sock_reset_all();
	dev->carries = false;
}

static int act_unshare(struct xv_device *dev)
{
	go_down(dev);
	xv_share_close(&dev->share);
	xv_bad_forget(dev);
	return 0;
}

static int act_share(struct xv_device *dev)
{
	u32 ring_order = 0, pool, want;
	struct xv_offer offer;
	const char *what;
	int err;

	err = xv_nodes_offer(dev->xdev, &offer, &what);
	if (err == -EPROTO) {
		xv_bad_forget(dev);
		xv_bad(dev, what, 0);
		xv_bad_tell(dev);
		xv_bad_forget(dev);
	}
	if (err)
		return err;
	want = clamp(pool_pages, 16u, VSOCKIF_MAX_POOL_PAGES);
	pool = min(want, offer.pool_pages);
	while (ring_order < offer.ring_order &&
	       vsockif_ring_slots(ring_order) < pool)
		ring_order++;
	err = xv_share_open(&dev->share, dev->xdev, ring_order, pool);
	if (err)
		goto fail;
	dev->cid = offer.cid;
	dev->seqpacket = offer.seqpacket;
	xv_tx_open(dev);
	xv_rx_open(dev);
	err = xv_share_listen(&dev->share, dev->xdev, xv_rx_interrupt, dev);
	if (!err)
		err = xv_nodes_share(dev->xdev, &offer,
				     dev->share.group[XV_CONTROL].ref[0],
				     dev->share.port);
	if (!err)
		return 0;
	act_unshare(dev);
fail:
	if (err != -EAGAIN && err != -ENOENT)
		dev_err_ratelimited(&dev->xdev->dev,
				    "cannot share %u pages with domain %u: %d\n",
				    2 * pool, dev->xdev->otherend_id, err);
	return err;
}

static int act_connect(struct xv_device *dev)
{
	int err = xv_nodes_set_state(dev->xdev, XenbusStateConnected);

	if (err)
		return err;
	dev->carries = true;
	xv_carrier_set(dev);
	xv_rx_start(dev);
	xv_count(dev, XV_CONNECTS);
	dev_info_ratelimited(&dev->xdev->dev, "connected, CID %u\n", dev->cid);
	return 0;
}

static int act_reset(struct xv_device *dev)
{
	go_down(dev);
	if (!dev->life.fault && !dev->life.leaving)
		dev_info_ratelimited(&dev->xdev->dev,
				     "the backend went away; waiting for it to come back\n");
	return 0;
}

static int perform(struct xv_device *dev, enum life_act act)
{
	int err;

	switch (act) {
	case LIFE_SHARE:
		return act_share(dev);
	case LIFE_CONNECT:
		return act_connect(dev);
	case LIFE_RESET:
		return act_reset(dev);
	case LIFE_UNSHARE:
		return act_unshare(dev);
	case LIFE_CLOSING:
		return xv_nodes_set_state(dev->xdev, XenbusStateClosing);
	case LIFE_CLOSED:
		err = xv_nodes_set_state(dev->xdev, XenbusStateClosed);
		complete(&dev->xdev->down);	/* a shutdown waits for it */
		return err;
	case LIFE_RESTART:
		return xv_nodes_set_state(dev->xdev, XenbusStateInitialising);
	default:
		return -EINVAL;
	}
}

/*
 * Nothing is shared, and the state says nothing else.  A directory in state 1
 * is a new one, perhaps the next device's already: it is left as it is, or
 * xenbus would not find that.
 */
static bool has_left(const struct xv_device *dev)
{
	const struct life_front *life = &dev->life;

	return !dev->looked ||
	       (life->leaving && !life->shares &&
		(life->own == VSOCKIF_INITIALISING || life_front_is_over(life)));
}

/* Looks, and does what follows; with life_lock held. */
static void run(struct xv_device *dev)
{
	enum life_act act;
	int err;
	u64 due;

	err = look(dev);
	if (xv_bad_tell(dev))
		life_front_fault(&dev->life, "the backend broke a rule",
				 now_ms());
	while (dev->looked) {
		act = life_front_next(&dev->life, now_ms());
		/* RESET and UNSHARE take no xenstore. */
		if (act == LIFE_WAIT || has_left(dev) ||
		    (err && act != LIFE_RESET && act != LIFE_UNSHARE))
			break;
		life_front_done(&dev->life, act, perform(dev, act), now_ms());
	}
	if (err) {
		xv_life_look(dev, HZ);
		return;
	}
	due = life_front_deadline(&dev->life);
	if (due != LIFE_NEVER) {
		u64 now = now_ms();

		xv_life_look(dev, due > now ? msecs_to_jiffies(due - now) : 1);
	}
}

static void life_work(struct work_struct *work)
{
	struct xv_device *dev = container_of(work, struct xv_device,
					     life_work.work);

	mutex_lock(&dev->life_lock);
	run(dev);
	mutex_unlock(&dev->life_lock);
}

/* Closes in order; what the backend does not let go of is taken all the same. */
static void leave(struct xv_device *dev)
{
	u64 end = now_ms() + LEAVE_MS;

	mutex_lock(&dev->life_lock);
	if (dev->looked)
		life_front_close(&dev->life);
	run(dev);
	/* xenbus has taken its watch away: so look. */
	while (!has_left(dev) && now_ms() < end) {
		mutex_unlock(&dev->life_lock);
		msleep(20);
		mutex_lock(&dev->life_lock);
		run(dev);
	}
	act_unshare(dev);
	mutex_unlock(&dev->life_lock);
}

/* ---- what xenbus calls ---- */

static void otherend_changed(struct xenbus_device *xdev,
			     enum xenbus_state state)
{
	xv_life_look(dev_get_drvdata(&xdev->dev), 0);
}

/* Linux waits for every device that is connected: so this one is not, then. */
static int going_down(struct notifier_block *reboot, unsigned long event,
		      void *arg)
{
	struct xv_device *dev = container_of(reboot, struct xv_device, reboot);

	leave(dev);
	return NOTIFY_DONE;
}

/* A program of this guest has the device, by libxvs. */
static bool is_taken(struct xenbus_device *xdev)
{
	int own = xv_nodes_state(xdev->nodename);
	int peer = xv_nodes_state(xdev->otherend);

	return (own == VSOCKIF_INITIALISED || own == VSOCKIF_CONNECTED) &&
	       (peer == VSOCKIF_INITWAIT || peer == VSOCKIF_CONNECTED);
}

static int probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xv_device *dev;

	if (is_taken(xdev)) {
		dev_err(&xdev->dev,
			"a program of this guest uses it (by libxvs); when it has ended: echo %s >/sys/bus/xen/drivers/xen_vsock/bind\n",
			dev_name(&xdev->dev));
		return -EBUSY;
	}
	dev = kvzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	dev->xdev = xdev;
	mutex_init(&dev->life_lock);
	INIT_DELAYED_WORK(&dev->life_work, life_work);
	xv_bad_init(&dev->bad);
	xv_tx_init(dev);
	xv_rx_init(dev);
	if (!bind(dev)) {
		dev_info(&xdev->dev,
			 "left to programs (libxvs): another device has AF_VSOCK\n");
		kvfree(dev);
		return -EBUSY;
	}
	dev_set_drvdata(&xdev->dev, dev);
	dev->reboot.notifier_call = going_down;
	register_reboot_notifier(&dev->reboot);
	xv_life_look(dev, 0);
	return 0;
}

static void removed(struct xenbus_device *xdev)
{
	struct xv_device *dev = dev_get_drvdata(&xdev->dev);

	unregister_reboot_notifier(&dev->reboot);
	leave(dev);
	cancel_delayed_work_sync(&dev->life_work);
	dev_set_drvdata(&xdev->dev, NULL);
	unbind();
	kvfree(dev);
}

/*
 * After a restore or a migration this is another domain: its grants and event
 * channels are gone, whatever the nodes say.
 */
static void begin_anew(struct xv_device *dev)
{
	struct life_look none = { .live = true };

	mutex_lock(&dev->life_lock);
	if (dev->looked)
		life_front_look(&dev->life, &none, now_ms());
	run(dev);
	mutex_unlock(&dev->life_lock);
}

static int resume(struct xenbus_device *xdev)
{
	begin_anew(dev_get_drvdata(&xdev->dev));
	return 0;
}

static const struct xenbus_device_id ids[] = { { "vsock" }, { "" } };

static struct xenbus_driver driver = {
	.name = "xen_vsock",
	.ids = ids,
	.probe = probe,
	.remove = removed,
	.resume = resume,
	.otherend_changed = otherend_changed,
	.driver.dev_groups = xv_stats_groups,
	.not_essential = true,
	.allow_rebind = true,
};

/* ---- a device whose directory comes late ---- */

/*
 * If the directory is not there yet when the domain resumes, xenbus gives the
 * device up without a word to the driver, but for the other end that it
 * forgets.  So it is begun anew here, and probed again when the directory is
 * there.
 */
static void reprobe(struct work_struct *work)
{
	struct device *d = NULL;

	mutex_lock(&bound_lock);
	if (bound && !bound->xdev->otherend) {
		if (xenbus_exists(XBT_NIL, bound->xdev->nodename, "backend"))
			d = get_device(&bound->xdev->dev);
		else
			begin_anew(bound);
	}
	mutex_unlock(&bound_lock);
	if (!d)
		return;
	if (device_reprobe(d) < 0)
		dev_err(d, "cannot probe it again\n");
	put_device(d);
}

static DECLARE_WORK(reprobe_work, reprobe);

static void tree_changed(struct xenbus_watch *watch, const char *path,
			 const char *token)
{
	queue_work(xv_wq, &reprobe_work);
}

static struct xenbus_watch tree = {
	.node = "device/vsock",
	.callback = tree_changed,
};

int xv_life_init(void)
{
	int err;

	err = xenbus_register_frontend(&driver);
	if (err)
		return err;
	err = register_xenbus_watch(&tree);
	if (err)
		xenbus_unregister_driver(&driver);
	return err;
}

void xv_life_exit(void)
{
	unregister_xenbus_watch(&tree);
	cancel_work_sync(&reprobe_work);
	xenbus_unregister_driver(&driver);
}
